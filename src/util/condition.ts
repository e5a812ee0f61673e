import { type Clock, deadline } from './clock.ts';

/** Something that is waited for: a promise for all who ask meanwhile, and nothing once it is settled. */
export class Condition {
  readonly #clock: Clock;
  readonly #met: () => boolean;
  #settle: ((error?: unknown) => void) | undefined;
  #promise: Promise<void> | undefined;

  /** `met` says whether it has come. */
  constructor(clock: Clock, met: () => boolean) {
    this.#clock = clock;
    this.#met = met;
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
