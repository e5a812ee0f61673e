import { type Clock, deadline } from '../util/clock.ts';
import { List, type Listed } from '../util/list.ts';
import { warnThrown } from '../util/warn.ts';
import { onAbort } from './abort-signals.ts';

/** A request for a connection. Exactly one of its two functions is called, once. */
export interface AcquireRequest<S> {
  served(slot: S, waitedMs: number): void;
  failed(error: unknown): void;
  /** Called if it cannot be served at once. */
  waits?: (() => void) | undefined;
}

/** How long a caller would wait, and behind how many others. */
export interface WaitLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly maxWaiting: number;
}

export const UNLIMITED: WaitLimits = {
  timeoutMs: Number.POSITIVE_INFINITY,
  signal: undefined,
  maxWaiting: Number.POSITIVE_INFINITY,
};

/** A request that could not be served at once. */
export class Waiter<S> implements Listed<Waiter<S>> {
  /** It is served, failed or cancelled. */
  settled = false;
  /** There was no free slot when it came. */
  queued = false;
  /** Cancels its deadline, once that has a timer. */
  cancelDeadline: (() => void) | undefined;
  /** Removes its callback from its signal. */
  ignoreSignal: () => void = () => {};
  list: List<Waiter<S>> | undefined;
  before: Waiter<S> | undefined;
  after: Waiter<S> | undefined;

  constructor(
    /** Its number in the order of arrival. */
    readonly turn: number,
    readonly request: AcquireRequest<S>,
    readonly since: number,
    readonly timeoutMs: number,
    readonly signal: AbortSignal | undefined,
  ) {}
}

/** Most waits are over sooner: only those that last longer get a timer of their own. Milliseconds. */
const SHORT_MS = 100;

/** Why a waiter gave up. */
export type GiveUp = 'timeout' | 'abort';

/**
 * The requests that wait for a connection: first come, first served. One that gives up is removed at once, with its
 * timer.
 */
export class WaitQueue<S> {
  /** In the order of arrival. */
  readonly #queue = new List<Waiter<S>>();
  /** Removed from the queue while a connection is validated for them. */
  readonly #checking = new List<Waiter<S>>();
  readonly #clock: Clock;
  readonly #gaveUp: (waiter: Waiter<S>, why: GiveUp) => unknown;
  /** Cancels what gives timers to those that have none yet. */
  #cancelTimers: (() => void) | undefined;
  #turns = 0;
  #waitMs = 0;

  /** `gaveUp` is called for a waiter that gave up, and returns its error. */
  constructor(clock: Clock, gaveUp: (waiter: Waiter<S>, why: GiveUp) => unknown) {
    this.#clock = clock;
    this.#gaveUp = gaveUp;
  }

  /** The number of waiters in the queue. */
  get length(): number {
    return this.#queue.length;
  }

  /** The total time that those without a free slot have waited. Milliseconds. */
  get waitMs(): number {
    return this.#waitMs;
  }

  /**
   * Starts the deadline, and observes `signal`. The waiter is not in the queue yet; if `signal` is aborted, it is
   * settled already.
   */
  add(request: AcquireRequest<S>, timeoutMs: number, signal: AbortSignal | undefined): Waiter<S> {
    request.waits?.();
    const waiter = new Waiter<S>(++this.#turns, request, this.#clock.now(), timeoutMs, signal);
    if (timeoutMs < 4 * SHORT_MS) this.#startDeadline(waiter, timeoutMs);
    else if (timeoutMs < Number.POSITIVE_INFINITY)
      this.#cancelTimers ??= deadline(this.#clock, SHORT_MS, (lostMs) => this.#startDeadlines(lostMs));
    if (signal) this.#listen(waiter, signal);
    return waiter;
  }

  /** Adds it to the end of the queue. `queued`: there is no free slot for it. */
  enqueue(waiter: Waiter<S>, queued: boolean): void {
    if (waiter.settled) return;
    waiter.queued = queued;
    this.#queue.push(waiter);
  }

  /** Returns it to its position in the queue, after a validation failed. */
  requeue(waiter: Waiter<S>): void {
    this.#checking.remove(waiter);
    // Near the front: before it are only waiters that came earlier and were returned in the same way.
    const next = this.#queue.find((other) => other.turn > waiter.turn);
    this.#queue.insert(waiter, next);
  }

  /** Removes `waiter` without calling it; it may be settled already. */
  cancel(waiter: Waiter<S>): void {
    if (!waiter.settled) this.#settle(waiter);
  }

  /** Removes the first from the queue, while a connection is validated for it. */
  holdBack(waiter: Waiter<S>): void {
    if (waiter.settled) return;
    this.#queue.remove(waiter);
    this.#checking.push(waiter);
  }

  get first(): Waiter<S> | undefined {
    return this.#queue.first;
  }

  /** Calls the waiter; a throw of it must not reach whoever released the connection. */
  serve(waiter: Waiter<S>, slot: S): void {
    const waitedMs = this.#settle(waiter);
    try {
      waiter.request.served(slot, waitedMs);
    } catch (error) {
      this.#tell(waiter, error);
    }
  }

  fail(waiter: Waiter<S>, error: unknown): void {
    this.#settle(waiter);
    this.#tell(waiter, error);
  }

  /** Fails all in the queue; with `everyone`, also those for whom a connection is being validated. */
  failAll(error: () => unknown, everyone?: 'everyone'): void {
    // Only the present ones: a caller that acquires again at once must not be failed too.
    const all = [...this.#queue.members(), ...(everyone ? this.#checking.members() : [])];
    for (const waiter of all) if (!waiter.settled) this.fail(waiter, error());
  }

  /** Time for which the event loop was blocked does not count for those who waited then. */
  #startDeadlines(lostMs: number): void {
    this.#cancelTimers = undefined;
    const now = this.#clock.now();
    for (const waiter of [...this.#queue.members(), ...this.#checking.members()]) {
      if (waiter.cancelDeadline !== undefined) continue;
      const waited = now - waiter.since;
      this.#startDeadline(waiter, waiter.timeoutMs - (waited > lostMs ? waited - lostMs : waited));
    }
  }

  #startDeadline(waiter: Waiter<S>, ms: number): void {
    waiter.cancelDeadline = deadline(this.#clock, ms, () => this.#giveUp(waiter, 'timeout'));
  }

  #giveUp(waiter: Waiter<S>, why: GiveUp): void {
    this.#settle(waiter);
    this.#tell(waiter, this.#gaveUp(waiter, why));
  }

  #listen(waiter: Waiter<S>, signal: AbortSignal): void {
    try {
      const ignore = onAbort(signal, () => this.#giveUp(waiter, 'abort'));
      if (!waiter.settled) waiter.ignoreSignal = ignore;
    } catch (error) {
      this.fail(waiter, error);
    }
  }

  #tell({ request }: Waiter<S>, error: unknown): void {
    try {
      request.failed(error);
    } catch (thrown) {
      warnThrown('one who waited for a connection threw', thrown);
    }
  }

  /** Ends a waiter, with its timer and callbacks, and returns how long it waited. */
  #settle(waiter: Waiter<S>): number {
    if (waiter.settled) throw new Error('bug: a waiter was settled twice');
    waiter.settled = true;
    waiter.list?.remove(waiter);
    waiter.cancelDeadline?.();
    waiter.ignoreSignal();
    if (this.#cancelTimers && this.#queue.length + this.#checking.length === 0) {
      this.#cancelTimers();
      this.#cancelTimers = undefined;
    }
    const waitedMs = this.#clock.now() - waiter.since;
    if (waiter.queued) this.#waitMs += waitedMs;
    return waitedMs;
  }
}
