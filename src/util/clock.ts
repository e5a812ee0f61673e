import { clearTimeout as cancelTimeout, setImmediate as immediate, setTimeout as timeout } from 'node:timers';

/** Time as the pool sees it: monotonic, and replaceable in tests. The only place that knows timers. */
export interface Clock {
  /** Milliseconds since some fixed point; never goes back. */
  now(): number;
  /**
   * Calls `run` once, `ms` milliseconds from now, but not before everything that had arrived by then is read; never for
   * `Infinity`. A `background` timer does not keep the process alive. Returns a function that cancels it.
   */
  after(ms: number, run: () => void, background?: 'background'): () => void;
  /** Implements {@link deadline}; a clock on which no timer is ever late does not need it. */
  deadline?(ms: number, run: (lostMs: number) => void, background?: 'background'): () => void;
  /** Calls `run` after everything that has arrived by now is processed. */
  soon(run: () => void): void;
}

/** Milliseconds until `date` by the system's date and time; negative if `date` is past. */
export function untilDate(date: Date): number {
  return Number(date) - Date.now();
}

/** The date `ms` milliseconds from now by the system's date and time. */
export function dateIn(ms: number): Date {
  return new Date(Date.now() + ms);
}

const never = (): void => {};

/** The longest delay that a Node timer takes; longer ones fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * For how many turns of the event loop a timer that is due waits. The loop runs timers before it reads sockets: after
 * the loop was blocked, replies that arrived in time are not read yet. And a command that was assigned a connection is
 * written one turn later.
 */
const TURNS = 2;

/** Into how many steps a deadline is divided. */
const STEPS = 4;

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run, background) => readFirst((due) => timer(ms, due, background), run),
  deadline(ms, run, background) {
    let lost = 0;
    const walk = (due: () => void): (() => void) => {
      const walked = (lostMs: number): void => {
        lost = lostMs;
        due();
      };
      return inSteps(ms, walked, background);
    };
    return readFirst(walk, () => run(lost));
  },
  soon: (run) => void setImmediate(run),
};

function timer(ms: number, run: () => void, background?: 'background'): () => void {
  if (ms === Number.POSITIVE_INFINITY) return never;
  if (ms > LONGEST_TIMER_MS) return longTimer(ms, run, background);
  const one = setTimeout(run, ms);
  if (background) one.unref();
  return () => clearTimeout(one);
}

/** For delays that exceed one timer of Node, such as the sum of two times. */
function longTimer(ms: number, run: () => void, background: 'background' | undefined): () => void {
  const rest = (): void => {
    cancel = timer(ms - LONGEST_TIMER_MS, run, background);
  };
  let cancel = timer(LONGEST_TIMER_MS, rest, background);
  return () => cancel();
}

/**
 * Calls `run` when the timer that `begin` starts is due and what had arrived by then is read. Returns what cancels it.
 */
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
 * Like `after`, for work that takes several replies, such as a dial: time for which the event loop was blocked, or the
 * process suspended, counts as at most a quarter of `ms`; `run` gets how much did not count. Without such interruptions
 * the deadline is exact.
 */
export function deadline(
  clock: Clock,
  ms: number,
  run: (lostMs: number) => void,
  background?: 'background',
): () => void {
  return clock.deadline ? clock.deadline(ms, run, background) : clock.after(ms, () => run(0), background);
}

/**
 * Divides a deadline into steps, each with its own timer: a step counts with its nominal length, however long it took,
 * so that a blocked event loop costs at most one step. A block in the last step would leave no time: that step is
 * repeated once.
 */
export function inSteps(
  ms: number,
  run: (lostMs: number) => void,
  background?: 'background',
  after = timer,
  { now } = systemClock,
): () => void {
  const step = Math.ceil(ms / STEPS);
  const begun = now();
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
      if (left < 1) run(now() - begun - ms);
      else walk();
    };
    cancel = after(wait, walked, background);
  };
  walk();
  return () => cancel();
}

// Taken before a test framework may replace them.
const node = { immediate, setTimeout: globalThis.setTimeout, now: performance.now };

/** The clock of a test framework that has replaced Node's timers; `undefined` where none has. */
export function stagedClock(): Pick<Clock, 'now' | 'after'> | undefined {
  if (globalThis.setTimeout === node.setTimeout && !('clock' in node.setTimeout)) return undefined;
  // Some replace Date only, not performance.now. A test may set the date to anything, so performance.now is preferred.
  const now = performance.now === node.now ? Date.now : systemClock.now;
  return { now, after: timer }; // nothing arrives late on such a clock
}

/** Calls `run` after `ms` milliseconds of real time, even under fake timers. Returns a function that cancels it. */
export function reallyAfter(ms: number, run: () => void, background?: 'background'): () => void {
  const one = timeout(run, ms);
  if (background) one.unref();
  return () => cancelTimeout(one);
}

/** Resolves when all microtasks and ticks that are pending by now have run; real even under fake timers. */
export function oneTurn(): Promise<void> {
  return new Promise((resolve) => void node.immediate(() => resolve()));
}

/**
 * Waits for `work`; rejects if it rejects, if `signal` is aborted, or, after `timeoutMs`, with the error from `late`.
 */
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
