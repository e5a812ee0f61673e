import { type Clock, deadline } from '../util/clock.ts';
import { List, type Listed } from '../util/list.ts';
import { warnThrown } from '../util/warn.ts';
import { onAbort } from './abort-signals.ts';

/** Who asks for a connection, and what becomes of it. Exactly one of the two functions is called, once. */
export interface AcquireRequest<S> {
  served(slot: S, waitedMs: number): void;
  failed(error: unknown): void;
  /** It cannot be served at once. */
  waits?: (() => void) | undefined;
}

/** A request that could not be served at once. */
export class Waiter<S> implements Listed<Waiter<S>> {
  /** Served, failed or given up: of no interest to anyone any more. */
  settled = false;
  /** It found no free slot when it came. */
  queued = false;
  /** Cancels its deadline. */
  cancelDeadline: () => void = () => {};
  /** Ends the watch over its signal. */
  ignoreSignal: () => void = () => {};
  list: List<Waiter<S>> | undefined;
  before: Waiter<S> | undefined;
  after: Waiter<S> | undefined;

  constructor(
    /** Its number in the order of coming. */
    readonly turn: number,
    readonly request: AcquireRequest<S>,
    readonly since: number,
    readonly timeoutMs: number,
    readonly signal: AbortSignal | undefined,
  ) {}
}

/** Why a waiter left without a connection on its own account. */
export type GiveUp = 'timeout' | 'abort';

/**
 * Those who wait for a connection: first come, first served. One that gives up leaves at once, with its place,
 * its timer and its memory.
 */
export class WaitQueue<S> {
  /** In the order they came. */
  readonly #queue = new List<Waiter<S>>();
  /** Taken off the queue, while a connection is being checked for them. */
  readonly #checking = new List<Waiter<S>>();
  readonly #clock: Clock;
  readonly #gaveUp: (waiter: Waiter<S>, why: GiveUp) => unknown;
  #turns = 0;
  #waitMs = 0;

  /** `gaveUp` tells of a waiter that left, and returns the error for it. */
  constructor(clock: Clock, gaveUp: (waiter: Waiter<S>, why: GiveUp) => unknown) {
    this.#clock = clock;
    this.#gaveUp = gaveUp;
  }

  /** How many are in the queue. */
  get length(): number {
    return this.#queue.length;
  }

  /** How long those that found no free slot have spent waiting, in all. */
  get waitMs(): number {
    return this.#waitMs;
  }

  /**
   * Starts the deadline and the watch over `signal`. The waiter is not in the queue yet; and it is settled by
   * now, if `signal` is aborted.
   */
  add(request: AcquireRequest<S>, timeoutMs: number, signal: AbortSignal | undefined): Waiter<S> {
    request.waits?.();
    const waiter = new Waiter<S>(++this.#turns, request, this.#clock.now(), timeoutMs, signal);
    waiter.cancelDeadline = deadline(this.#clock, timeoutMs, () => this.#giveUp(waiter, 'timeout'));
    if (signal) this.#listen(waiter, signal);
    return waiter;
  }

  /** Puts it at the end of the queue. `queued`: there is no free slot for it. */
  enqueue(waiter: Waiter<S>, queued: boolean): void {
    if (waiter.settled) return;
    waiter.queued = queued;
    this.#queue.push(waiter);
  }

  /** Back to its place in the queue, after a check failed. */
  requeue(waiter: Waiter<S>): void {
    this.#checking.remove(waiter);
    // Near the front: only those come before it that were taken off earlier, and came back earlier.
    const next = this.#queue.find((other) => other.turn > waiter.turn);
    this.#queue.insert(waiter, next);
  }

  /** Takes `waiter` out, and tells it nothing; it may have been settled already. */
  cancel(waiter: Waiter<S>): void {
    if (!waiter.settled) this.#settle(waiter);
  }

  /** Takes the first off the queue, while a connection is being checked for it. */
  holdBack(waiter: Waiter<S>): void {
    if (waiter.settled) return;
    this.#queue.remove(waiter);
    this.#checking.push(waiter);
  }

  get first(): Waiter<S> | undefined {
    return this.#queue.first;
  }

  /** What the waiter makes of it is its own matter: a throw must not reach whoever gave the connection back. */
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

  /** Fails all in the queue; with `everyone`, those for whom a connection is being checked too. */
  failAll(error: () => unknown, everyone?: 'everyone'): void {
    // Only those who are here now: a caller that comes back at once belongs to the next round.
    const all = [...this.#queue.members(), ...(everyone ? this.#checking.members() : [])];
    for (const waiter of all) if (!waiter.settled) this.fail(waiter, error());
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

  /** Ends a waiter, and returns how long it waited. Nothing of it is left afterwards. */
  #settle(waiter: Waiter<S>): number {
    if (waiter.settled) throw new Error('bug: a waiter was settled twice');
    waiter.settled = true;
    waiter.list?.remove(waiter);
    waiter.cancelDeadline();
    waiter.ignoreSignal();
    const waitedMs = this.#clock.now() - waiter.since;
    if (waiter.queued) this.#waitMs += waitedMs;
    return waitedMs;
  }
}
