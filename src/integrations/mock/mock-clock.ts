import { type Clock, oneTurn, reallyAfter, stagedClock } from '../../util/clock.ts';

/** How long a timer may be awaited while the clock stands still, before `stalled` is called. Real milliseconds. */
const STALLED_MS = 1000;

interface Timer {
  readonly at: number;
  readonly run: () => void;
  /** Somebody may wait for it: it is not a background timer. */
  readonly awaited: boolean;
  /** Removes it from the timers of a test framework. */
  unstage: () => void;
}

/** Calls `run` after the current job, even if timers, ticks and queueMicrotask are fake. */
export function soon(run: () => void): void {
  void Promise.resolve().then(run);
}

/**
 * A clock that stands still until it is advanced. Where a test framework has replaced Node's timers, it also advances
 * with those.
 */
export class MockClock implements Clock {
  readonly #timers = new Set<Timer>();
  /** How many of them are awaited. */
  #awaited = 0;
  #now = 0;
  /** The time of the framework's clock when it was last read. */
  #staged: number | undefined;
  /** Somebody has advanced it, or `stalled` was called: no call of `stalled` is needed. */
  #known = false;
  #cancelWatch: (() => void) | undefined;
  readonly #stalled: (dueMs: number) => void;

  /**
   * `stalled` is called at most once, if a timer is awaited and nobody advances the clock; with the time until it is
   * due.
   */
  constructor(stalled: (dueMs: number) => void) {
    this.#stalled = stalled;
  }

  now(): number {
    const staged = stagedClock()?.now();
    if (staged !== undefined && this.#staged !== undefined) this.#now += Math.max(0, staged - this.#staged);
    this.#staged = staged;
    return this.#now;
  }

  after(ms: number, run: () => void, background?: 'background'): () => void {
    if (ms === Number.POSITIVE_INFINITY) return () => {};
    const timer: Timer = { at: this.now() + ms, run, awaited: background === undefined, unstage: () => {} };
    this.#timers.add(timer);
    if (timer.awaited) {
      this.#awaited++;
      this.#watch(timer);
    }
    timer.unstage = stagedClock()?.after(ms, () => this.#fire(timer)) ?? timer.unstage;
    return () => this.#remove(timer);
  }

  soon(run: () => void): void {
    soon(run);
  }

  /** Advances by `ms`: timers fire in order, and the consequences of each are complete before the next. */
  async advance(ms: number): Promise<void> {
    this.#known = true;
    this.#stopWatch();
    await oneTurn();
    const end = this.now() + ms;
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#fire(timer);
      await oneTurn();
    }
    this.#now = Math.max(this.now(), end);
  }

  #fire(timer: Timer): void {
    if (!this.#timers.has(timer)) return;
    this.#remove(timer);
    this.#now = Math.max(this.now(), timer.at);
    timer.run();
  }

  #remove(timer: Timer): void {
    timer.unstage();
    if (this.#timers.delete(timer) && timer.awaited && --this.#awaited === 0) this.#stopWatch();
  }

  /** Calls `stalled` if `first` is still awaited a second later. */
  #watch(first: Timer): void {
    if (this.#cancelWatch || this.#known || stagedClock()) return;
    const look = (): void => {
      this.#cancelWatch = undefined;
      const next = [...this.#timers].find(({ awaited }) => awaited);
      if (this.#timers.has(first)) this.#tellStalled();
      else if (next) this.#watch(next);
    };
    this.#cancelWatch = reallyAfter(STALLED_MS, look, 'background');
  }

  #stopWatch(): void {
    this.#cancelWatch?.();
    this.#cancelWatch = undefined;
  }

  #tellStalled(): void {
    this.#known = true;
    const dues = [...this.#timers].filter(({ awaited }) => awaited).map(({ at }) => at);
    this.#stalled(Math.ceil(Math.min(...dues) - this.now()));
  }

  #next(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }
}
