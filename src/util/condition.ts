import { type Clock, deadline } from './clock.ts';

/** A condition to wait for: all who wait at the same time share one promise. */
export class Condition {
  readonly #clock: Clock;
  readonly #met: () => boolean;
  readonly #settled: () => void;
  #settle: ((error?: unknown) => void) | undefined;
  #promise: Promise<void> | undefined;

  /** `met` returns whether the condition holds; `settled` is called when the waiters were resolved or rejected. */
  constructor(clock: Clock, met: () => boolean, settled: () => void = () => {}) {
    this.#clock = clock;
    this.#met = met;
    this.#settled = settled;
  }

  /** Whether anyone waits for it. */
  get awaited(): boolean {
    return this.#settle !== undefined;
  }

  /** Resolves when the condition holds; rejects after `timeoutMs` with the error from `late`. */
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

  /** To be called when something has changed: resolves the waiters if the condition holds. */
  notify(): void {
    if (this.#settle && this.#met()) this.#settle();
  }

  /** Rejects the waiters, if any, with the error that `error` makes: the condition will never hold. */
  reject(error: () => unknown): void {
    this.#settle?.(error());
  }
}
