import type { Clock } from '../../src/util/clock.ts';

interface Timer {
  at: number;
  run(lostMs: number): void;
  background: boolean;
  /** Time for which the loop was blocked does not count. */
  fair?: true;
  /** How much time did not count. */
  lost: number;
}

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #now = 1000;
  #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void, background?: 'background'): () => void {
    return this.#add({ at: this.#now + ms, run, background: background !== undefined, lost: 0 });
  }

  deadline(ms: number, run: (lostMs: number) => void, background?: 'background'): () => void {
    return this.#add({ at: this.#now + ms, run, background: background !== undefined, fair: true, lost: 0 });
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  /** Timers that are set; `waited` only those that keep the process alive. */
  timers(which?: 'waited'): number {
    return [...this.#timers].filter((timer) => which === undefined || !timer.background).length;
  }

  /** Lets `ms` pass: timers fire in order, and what follows from each is done before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#now = Math.max(this.#now, timer.at);
      this.#timers.delete(timer);
      timer.run(timer.lost);
      await settled();
    }
    this.#now = end;
  }

  /** Lets time pass in steps of 10 ms until `work` has ended; how much that was. */
  async lasting<T>(work: Promise<T>): Promise<{ ms: number; result: T }> {
    const start = this.#now;
    let over = false;
    const end = (): void => {
      over = true;
    };
    work.then(end, end);
    while (!over) {
      await this.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 1)); // for what comes from outside
    }
    return { ms: this.#now - start, result: await work };
  }

  /** Fires all timers due within `ms` in one go, with nothing in between: as after a blocked event loop. */
  leap(ms: number): void {
    this.#now += ms;
    for (let timer = this.#next(this.#now); timer; timer = this.#next(this.#now)) {
      this.#timers.delete(timer);
      timer.run(timer.lost);
    }
  }

  /**
   * Blocks the event loop for `ms`, or freezes the process: timers fire late, after all that `arrives` has brought
   * meanwhile was read, and what follows from it is done.
   */
  async block(ms: number, arrives: () => void | Promise<void>): Promise<void> {
    this.#now += ms;
    for (const timer of this.#timers) {
      if (!timer.fair) continue;
      timer.at += ms;
      timer.lost += ms;
    }
    await arrives();
    await settled();
    await this.advance(0);
  }

  #add(timer: Timer): () => void {
    if (timer.at === Number.POSITIVE_INFINITY) return () => {};
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  #next(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }
}

/** Resolves when all that follows from what has happened, without I/O or timers, is done. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
