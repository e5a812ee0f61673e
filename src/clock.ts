import { setImmediate as immediate } from 'node:timers';

/** Time as the pool sees it: monotonic, and replaceable in tests. The only place that knows timers. */
export interface Clock {
  /** Milliseconds since some fixed point; never goes back. */
  now(): number;
  /**
   * Calls `run` once, `ms` milliseconds from now; never for `Infinity`. A `background` timer does not keep the
   * process alive. Returns what cancels it.
   */
  after(ms: number, run: () => void, background?: 'background'): () => void;
  /** Calls `run` when all that has come in by now has been dealt with. */
  soon(run: () => void): void;
}

/** Milliseconds until `date`, by the clock on the wall; less than 0 if it is past. */
export function untilDate(date: Date): number {
  return Number(date) - Date.now();
}

/** The date `ms` milliseconds from now, by the clock on the wall. */
export function dateIn(ms: number): Date {
  return new Date(Date.now() + ms);
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
  soon: (run) => void setImmediate(run),
};

// As they are before a test framework may put its own in their place.
const node = { immediate, setTimeout: globalThis.setTimeout, now: performance.now };

/** The clock of a test framework that has put its own timers in the place of Node's; `undefined` where none has. */
export function stagedClock(): Pick<Clock, 'now' | 'after'> | undefined {
  if (globalThis.setTimeout === node.setTimeout && !('clock' in node.setTimeout)) return undefined;
  // Some replace Date alone; the date may be set at will, so it comes second.
  const now = performance.now === node.now ? Date.now : systemClock.now;
  return { now, after: systemClock.after };
}

/** Resolves when all that follows from what has happened, without I/O or timers, is done. */
export function oneTurn(): Promise<void> {
  return new Promise((resolve) => void node.immediate(() => resolve()));
}

/** Waits for `work`; rejects with it, when `signal` is aborted, or with what `late` makes after `timeoutMs`. */
export async function within(
  clock: Clock,
  timeoutMs: number,
  work: unknown,
  signal?: AbortSignal,
  late = (): Error => new Error(`no answer within ${timeoutMs} ms`),
): Promise<void> {
  let cancel = never;
  const limit = new Promise<never>((_, reject) => {
    cancel = clock.after(timeoutMs, () => reject(late()));
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    cancel();
  }
}
