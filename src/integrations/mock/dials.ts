import type { Clock } from '../../util/clock.ts';

/** What becomes of dials, as a test has decided. */
export class DialScript {
  /** How long each takes. Milliseconds. */
  delayMs = 0;
  #error: Error | undefined;
  #failures = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Lets the next `times` fail with `error`. */
  fail(error: Error, times: number): void {
    this.#error = error;
    this.#failures = times;
  }

  /** How many of so many failures are still to come; 0 if there is no end to them. */
  get failuresLeft(): number {
    return Number.isFinite(this.#failures) ? this.#failures : 0;
  }

  /** Begins one, and tells how it ends. Returns what gives it up. */
  begin(opened: () => void, failed: (error: Error) => void): () => void {
    const error = this.#failures > 0 ? this.#error : undefined;
    if (error) this.#failures--;
    const end = error ? () => failed(error) : opened;
    if (this.delayMs > 0) return this.#clock.after(this.delayMs, end);
    end();
    return () => {};
  }
}
