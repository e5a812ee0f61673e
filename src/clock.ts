/** Time as the pool sees it: monotonic, and replaceable in tests. The only place that knows timers. */
export interface Clock {
  /** Milliseconds since some fixed point; never goes back. */
  now(): number;
  /**
   * Calls `run` once, `ms` milliseconds from now; never for `Infinity`. A `background` timer does not keep the
   * process alive. Returns what cancels it.
   */
  after(ms: number, run: () => void, background?: 'background'): () => void;
}

const never = (): void => {};

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, run, background) {
    if (ms === Number.POSITIVE_INFINITY) return never;
    const timer = setTimeout(run, ms);
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves with `work`; rejects with it, or when it takes longer than `timeoutMs`. */
export function within(clock: Clock, timeoutMs: number, work: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
    Promise.resolve(work)
      .finally(cancel)
      .then(() => resolve(), reject);
  });
}
