import { clearTimeout as cancelTimeout, setImmediate as immediate, setTimeout as timeout } from 'node:timers';

/** Time as the pool sees it: monotonic, and replaceable in tests. The only place that knows timers. */
export interface Clock {
  /** Milliseconds since some fixed point; never goes back. */
  now(): number;
  /**
   * Calls `run` once, `ms` milliseconds from now, and never before all that had arrived by then was read; never for
   * `Infinity`. A `background` timer does not keep the process alive. Returns what cancels it.
   */
  after(ms: number, run: () => void, background?: 'background'): () => void;
  /** What {@link deadline} asks for; a clock on which nothing is late needs none. */
  deadline?(ms: number, run: () => void, background?: 'background'): () => void;
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

/** The longest delay that a Node timer takes; longer ones fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * For how many turns of the event loop a timer that is due waits. The loop runs timers before it reads: after a block,
 * what arrived in time still lies in the sockets. And a command that has found its connection goes out a turn later.
 */
const TURNS = 2;

/** Into how many steps a deadline is divided. */
const STEPS = 4;

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run, background) => readFirst((due) => timer(ms, due, background), run),
  deadline: (ms, run, background) => readFirst((due) => inSteps(ms, due, background), run),
  soon: (run) => void setImmediate(run),
};

function timer(ms: number, run: () => void, background?: 'background'): () => void {
  if (ms === Number.POSITIVE_INFINITY) return never;
  if (ms > LONGEST_TIMER_MS) return longTimer(ms, run, background);
  const one = setTimeout(run, ms);
  if (background) one.unref();
  return () => clearTimeout(one);
}

/** The sum of two long times is too long for one timer. */
function longTimer(ms: number, run: () => void, background: 'background' | undefined): () => void {
  const rest = (): void => {
    cancel = timer(ms - LONGEST_TIMER_MS, run, background);
  };
  let cancel = timer(LONGEST_TIMER_MS, rest, background);
  return () => cancel();
}

/** Calls `run` when what `begin` has begun is due, and what had arrived by then was read. Returns what cancels it. */
function readFirst(begin: (due: () => void) => () => void, run: () => void): () => void {
  let turns = TURNS;
  const due = (): void => {
    if (turns-- > 0) {
      const immediate = setImmediate(due);
      cancel = () => clearImmediate(immediate);
    } else run();
  };
  let cancel = begin(due);
  return () => cancel();
}

/**
 * As `after`, for what takes more than one reply to come, such as a dial: time for which the event loop was blocked, or
 * the process frozen, counts as a quarter of `ms` at most. A deadline that nothing disturbs is exact.
 */
export function deadline(clock: Clock, ms: number, run: () => void, background?: 'background'): () => void {
  return clock.deadline ? clock.deadline(ms, run, background) : clock.after(ms, run, background);
}

/**
 * Walks a deadline in steps, each with a timer of its own: however long one takes, it counts as the step it is, so that
 * a block costs no more. A block within the last one would leave nothing: that is walked again, once.
 */
export function inSteps(
  ms: number,
  run: () => void,
  background?: 'background',
  after = timer,
  { now } = systemClock,
): () => void {
  const step = Math.ceil(ms / STEPS);
  let left = ms;
  let again = true;
  let cancel = never;
  const walk = (): void => {
    const wait = Math.min(step, left);
    const since = now();
    const walked = (): void => {
      const took = now() - since;
      left -= Math.min(took, wait);
      if (left < 1 && took > 2 * wait && again) {
        again = false;
        left = wait;
      }
      if (left < 1) run();
      else walk();
    };
    cancel = after(wait, walked, background);
  };
  walk();
  return () => cancel();
}

// As they are before a test framework may put its own in their place.
const node = { immediate, setTimeout: globalThis.setTimeout, now: performance.now };

/** The clock of a test framework that has put its own timers in the place of Node's; `undefined` where none has. */
export function stagedClock(): Pick<Clock, 'now' | 'after'> | undefined {
  if (globalThis.setTimeout === node.setTimeout && !('clock' in node.setTimeout)) return undefined;
  // Some replace Date alone; the date may be set at will, so it comes second.
  const now = performance.now === node.now ? Date.now : systemClock.now;
  return { now, after: timer }; // nothing can arrive late
}

/** Calls `run` after so many milliseconds of real time, whatever clock a test has. Returns what cancels it. */
export function reallyAfter(ms: number, run: () => void, background?: 'background'): () => void {
  const one = timeout(run, ms);
  if (background) one.unref();
  return () => cancelTimeout(one);
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
    cancel = deadline(clock, timeoutMs, () => reject(late()));
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    cancel();
  }
}
