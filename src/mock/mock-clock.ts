import { type Clock, oneTurn, stagedClock } from '../clock.ts';

interface Timer {
  readonly at: number;
  readonly run: () => void;
  /** Takes it from the timers of a test framework. */
  unstage: () => void;
}

/** Calls `run` when what is running is done, whatever timers, ticks and microtasks have been replaced by. */
export function soon(run: () => void): void {
  void Promise.resolve().then(run);
}

/**
 * A clock that stands still until it is told to go on. Where a test framework has put its own timers in the place of
 * Node's, it goes with those too.
 */
export class MockClock implements Clock {
  readonly #timers = new Set<Timer>();
  #now = 0;
  /** What the framework's clock showed when it was last looked at. */
  #staged: number | undefined;

  now(): number {
    const staged = stagedClock()?.now();
    if (staged !== undefined && this.#staged !== undefined) this.#now += Math.max(0, staged - this.#staged);
    this.#staged = staged;
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    if (ms === Number.POSITIVE_INFINITY) return () => {};
    const timer: Timer = { at: this.now() + ms, run, unstage: () => {} };
    this.#timers.add(timer);
    timer.unstage = stagedClock()?.after(ms, () => this.#fire(timer)) ?? timer.unstage;
    return () => this.#remove(timer);
  }

  soon(run: () => void): void {
    soon(run);
  }

  /** Lets `ms` pass: timers fire in order, and what follows from each is done before the next. */
  async advance(ms: number): Promise<void> {
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
    this.#timers.delete(timer);
  }

  #next(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }
}
