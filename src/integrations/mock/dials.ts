import type { Clock } from '../../util/clock.ts';

/** The outcome of dials, as a test has set it. */
export class DialScript {
  /** How long each takes. Milliseconds. */
  delayMs = 0;
  #error: Error | undefined;
  #failures = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Lets the next `times` dials fail with `error`. */
  fail(error: Error, times: number): void {
    this.#error = error;
    this.#failures = times;
  }

  /** How many failures of a limited number are left; 0 if the number is unlimited. */
  get failuresLeft(): number {
    return Number.isFinite(this.#failures) ? this.#failures : 0;
  }

  /** Starts a dial, and calls back when it ends. Returns a function that cancels it. */
  begin(opened: () => void, failed: (error: Error) => void): () => void {
    const error = this.#failures > 0 ? this.#error : undefined;
    if (error) this.#failures--;
    const end = error ? () => failed(error) : opened;
    if (this.delayMs > 0) return this.#clock.after(this.delayMs, end);
    end();
    return () => {};
  }
}
