import { type Clock, deadline } from './clock.ts';

/** Something that is waited for: one promise for all who ask before it is settled. */
export class Condition {
  readonly #clock: Clock;
  readonly #met: () => boolean;
  readonly #settled: () => void;
  #settle: ((error?: unknown) => void) | undefined;
  #promise: Promise<void> | undefined;

  /** `met` says whether it has come; `settled` is called when nobody waits any more. */
  constructor(clock: Clock, met: () => boolean, settled: () => void = () => {}) {
    this.#clock = clock;
    this.#met = met;
    this.#settled = settled;
  }

  /** Whether someone waits for it. */
  get awaited(): boolean {
    return this.#settle !== undefined;
  }

  /** Resolves when it has come; rejects with what `late` makes after `timeoutMs`. */
  wait(timeoutMs: number, late: () => unknown): Promise<void> {
    this.#promise ??= new Promise((resolve, reject) => {
      const cancel = deadline(this.#clock, timeoutMs, () => this.reject(late));
      this.#settle = (error) => {
        this.#settle = undefined;
        this.#promise = undefined;
        cancel();
        this.#settled();
        if (error === undefined) resolve();
        else reject(error);
      };
    });
    const promise = this.#promise;
    this.notify();
    return promise;
  }

  /** Tells that something has changed. */
  notify(): void {
    if (this.#settle && this.#met()) this.#settle();
  }

  /** Tells that it will not come; `error` makes what those are told who wait. */
  reject(error: () => unknown): void {
    this.#settle?.(error());
  }
}
