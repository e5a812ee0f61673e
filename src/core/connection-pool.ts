import type { AcquireOptions } from '../api/redis-pool.ts';
import type { CloseReason, PoolStats } from '../api/stats.ts';
import { Condition } from '../util/condition.ts';
import { readAcquireOptions } from './acquire-options.ts';
import type { PoolContext, PoolSlot } from './context.ts';
import { Dialer } from './dialer.ts';
import { IdleConnections } from './idle-connections.ts';
import { Shutdown } from './shutdown.ts';
import { whyExpired } from './slot.ts';
import { type LaneLoad, takeSnapshot } from './stats.ts';
import { Validator, type Verdict } from './validator.ts';
import { type AcquireRequest, type Waiter, WaitQueue } from './wait-queue.ts';

/** For how long someone would wait, and behind how many. */
interface WaitLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly maxWaiting: number;
}

/**
 * The state machine of the pool: who waits, what is idle, and how many dials that takes. First come, first served; idle
 * connections first, dials for the rest. All decisions to lend, keep or close are made here; dialer, validator, wait
 * queue and idle connections do what they are told, and report. Listeners may call any method while they are told
 * something, so nothing is remembered over an event: what counts is read again.
 */
export class ConnectionPool {
  readonly #context: PoolContext;
  readonly #waiters: WaitQueue<PoolSlot>;
  readonly #dialer: Dialer;
  readonly #idle: IdleConnections;
  readonly #validator: Validator;
  /** As many are open as `ready()` promises; there only while somebody waits for it. */
  #ready: Condition | undefined;
  /** A connection is idle, for someone who wants to ask Redis something over it; there only while somebody waits. */
  #oneIdle: Condition | undefined;
  /** Suspects that are being validated, for nobody in particular. */
  #suspects = 0;
  /** Somebody looks at `status`, and asks for no connection. */
  #watched = false;
  #shutdown: Shutdown | undefined;
  /** Is told when someone waits for whom there is no capacity, and how many there are then. */
  readonly #onWaiting: (waiting: number) => void;
  readonly #now: () => number;

  constructor(context: PoolContext, onWaiting: (waiting: number) => void) {
    const { options, deps } = context;
    this.#context = context;
    this.#onWaiting = onWaiting;
    this.#now = () => deps.clock.now();
    this.#dialer = new Dialer(context, {
      arrived: (slot) => this.#arrived(slot),
      failed: (error) => this.#dialFailed(error),
      lost: (slot, cause) => this.#lost(slot, cause),
      gone: () => (this.#shutdown ? this.#shutdown.check() : this.#processWaitQueue()),
    });
    this.#idle = new IdleConnections(context, (slot, reason) => this.#dialer.close(slot, reason));
    this.#validator = new Validator(context);
    this.#waiters = new WaitQueue(deps.clock, (waiter, why) => {
      // With the last one gone, dials are wanted for minIdle alone, and the next one is nobody's concern.
      if (this.#waiters.length === 0) this.#dialMore();
      return context.errors.gaveUp(waiter, why);
    });
    // In a moment, so that listeners added right after the pool was made hear of it too.
    if (options.minIdle > 0) void Promise.resolve().then(() => this.#dialMore());
  }

  /** `end` once it was closed, `connecting` while nobody can connect; `ready` otherwise, whether connected or not. */
  get status(): 'ready' | 'connecting' | 'end' {
    return this.#shutdown ? 'end' : this.#dialer.isFailing ? 'connecting' : 'ready';
  }

  /** The error of the last dial, unless one has succeeded since. */
  get lastConnectError(): Error | undefined {
    return this.#dialer.lastError;
  }

  /** Why nobody can connect for now, if Redis is away for all we know. */
  get unreachable(): Error | undefined {
    return this.#dialer.isDown ? this.lastConnectError : undefined;
  }

  /** How many wait for whom there is no capacity; below 0, so many could still come. */
  get excess(): number {
    return this.#waiters.length - this.#context.slots.freeCapacity;
  }

  /** Since when the first in the queue waits. */
  get waitingSince(): number | undefined {
    return this.#waiters.first?.since;
  }

  /** Whether a connection could be had, or dialled, that nobody waits for. */
  get hasSpare(): boolean {
    const { total, maxActive } = this.#context.slots;
    return this.#waiters.length === 0 && (this.#idle.length > 0 || total < maxActive);
  }

  /** The one that became idle last. */
  get topIdle(): PoolSlot | undefined {
    return this.#idle.top;
  }

  stats(lanes: LaneLoad): PoolStats {
    return takeSnapshot(this.#context, this.#waiters, lanes);
  }

  /** Serves `request` at once, or lets it wait; throws what refuses it. */
  acquire(options: AcquireOptions | undefined, request: AcquireRequest<PoolSlot>): void {
    this.#refuseIfClosed();
    const { acquireTimeoutMs, maxWaiting } = this.#context.options;
    const { timeoutMs = acquireTimeoutMs, signal } = options === undefined ? {} : readAcquireOptions(options);
    if (signal?.aborted) throw this.#context.errors.aborted(0, signal);
    this.#enter(request, { timeoutMs, signal, maxWaiting });
  }

  /**
   * The same for a lane, which is never one too many, and watches over its time itself. Returns what takes it back, unless
   * `request` was served, or failed, at once.
   */
  acquireForLane(request: AcquireRequest<PoolSlot>): (() => void) | undefined {
    this.#refuseIfClosed();
    const never = Number.POSITIVE_INFINITY;
    const waiter = this.#enter(request, { timeoutMs: never, signal: undefined, maxWaiting: never });
    if (!waiter || waiter.settled) return undefined;
    return () => {
      this.#waiters.cancel(waiter);
      this.#dialMore(); // which may be wanted no longer
    };
  }

  /**
   * Takes back a connection that nobody uses any more; with a `reason`, it is closed. `heldMs`: a lease held it for so
   * long, which is emitted when it is idle, and before it moves on.
   */
  release(slot: PoolSlot, reason?: CloseReason, heldMs?: number): void {
    if (slot.state === 'closing' || slot.state === 'gone') return; // cut off when the pool was closed
    if (slot.state !== 'idle') this.#context.slots.move(slot, 'idle', this.#now());
    if (!slot.judged && slot.connection?.alive) this.#dialer.cameBack(slot);
    const why = reason ?? this.#whyUnfit(slot) ?? whyExpired(slot, slot.since);
    if (why) {
      if (heldMs !== undefined) this.emitRelease(slot, heldMs);
      this.#dialer.close(slot, why);
      this.#failIfUnreachable();
    } else {
      this.#idle.put(slot);
      if (heldMs !== undefined) this.emitRelease(slot, heldMs);
      // As of then, or it might have idled for too long, with idleTimeoutMs 0.
      if (this.#waiters.length > 0) this.#processWaitQueue(slot.since);
      this.#becameIdle();
    }
  }

  /** A lease has ended. */
  emitRelease({ id: connectionId }: PoolSlot, heldMs: number): void {
    const { events } = this.#context;
    if (events.count('release')) events.emit('release', { connectionId, heldMs });
  }

  /** Resolves when `minIdle` connections are idle, or as many as the borrowers leave, and at least one is open. */
  async ready(): Promise<void> {
    this.#refuseIfClosed();
    const { deps, errors, options } = this.#context;
    const { unreachable } = this;
    if (unreachable) throw errors.connectFailed(unreachable);
    const { acquireTimeoutMs: timeoutMs } = options;
    const since = deps.clock.now();
    this.#ready ??= new Condition(
      deps.clock,
      () => this.#isReady(),
      () => {
        this.#ready = undefined;
      },
    );
    const ready = this.#ready.wait(timeoutMs, () =>
      errors.gaveUp({ since, timeoutMs, signal: undefined }, 'timeout'),
    );
    this.#dialMore();
    // Afterwards, what is still to be dialled is wanted for minIdle alone, and keeps no process alive.
    await ready.finally(() => this.#dialMore());
  }

  /** Resolves when a connection is idle; if need be, one is dialled that belongs to whoever is first in the queue. */
  oneIdle(): Promise<void> {
    this.#oneIdle ??= new Condition(
      this.#context.deps.clock,
      () => this.#idle.length > 0,
      () => {
        this.#oneIdle = undefined;
      },
    );
    const idle = this.#oneIdle.wait(Number.POSITIVE_INFINITY, () => undefined);
    this.#dialMore();
    return idle;
  }

  /** From now on somebody looks at `status` alone: as long as nobody can connect, it is tried again and again. */
  keepTrying(): void {
    this.#watched = true;
    this.#dialMore();
  }

  /** Closes `slot`, if it is still idle. */
  closeIdle(slot: PoolSlot, reason: CloseReason): void {
    this.#idle.close(slot, reason);
  }

  /** Makes all present connections stale. */
  clear(): void {
    const { slots, events } = this.#context;
    for (const slot of slots.all) slot.stale = true;
    if (events.count('clear')) events.emit('clear', {});
    this.#idle.closeAll('cleared');
  }

  /** Refuses and closes everything, at the latest in `graceMs`; resolves when nothing is left. */
  close(graceMs: number): Promise<void> {
    this.#shutdown ??= this.#shutDown();
    this.#shutdown.cutWithin(graceMs);
    return this.#shutdown.done;
  }

  #enter(request: AcquireRequest<PoolSlot>, limits: WaitLimits): Waiter<PoolSlot> | undefined {
    const slot = this.#waiters.length === 0 ? this.#idle.take(this.#now()) : undefined;
    // A listener may have closed the pool, when an expired connection was found and closed.
    if (!slot) this.#refuseIfClosed();
    let waiter: Waiter<PoolSlot> | undefined;
    if (slot && !this.#isCheckDue(slot)) {
      request.served(slot, 0);
    } else if (slot) {
      waiter = this.#waiters.add(request, limits.timeoutMs, limits.signal);
      void this.#validateFor(waiter, slot);
    } else {
      waiter = this.#wait(request, limits);
    }
    if (this.#wantedDials() > 0) this.#dialMore();
    this.#notify();
    return waiter;
  }

  /** Puts `request` at the end of the queue; throws what refuses it. */
  #wait(request: AcquireRequest<PoolSlot>, { timeoutMs, signal, maxWaiting }: WaitLimits): Waiter<PoolSlot> {
    const { errors, events, options } = this.#context;
    const { excess, unreachable } = this;
    if (unreachable) throw errors.connectFailed(unreachable);
    if (excess >= (options.wait ? maxWaiting : 0)) {
      const why = options.wait ? `${maxWaiting} callers wait already (maxWaiting)` : 'wait is false';
      throw errors.exhausted(`no connection is free, and ${why}`);
    }
    const waiter = this.#waiters.add(request, timeoutMs, signal);
    const queued = excess >= 0;
    this.#waiters.enqueue(waiter, queued);
    if (queued) {
      if (events.count('wait')) events.emit('wait', { waiting: excess + 1 });
      this.#onWaiting(excess + 1);
    }
    return waiter;
  }

  /** Serves whoever can be served, in order, and dials for the rest. */
  #processWaitQueue(now = this.#now()): void {
    while (this.#waiters.first) {
      const slot = this.#idle.take(now);
      // Looked up only now: a listener may have ended a waiter when `take` closed an expired connection.
      const waiter = this.#waiters.first;
      if (slot && waiter && this.#isCheckDue(slot)) void this.#validateFor(waiter, slot);
      else if (slot && waiter) this.#waiters.serve(waiter, slot);
      else if (slot) this.#idle.putBack(slot, slot.since - slot.idleMs);
      else break;
    }
    this.#dialMore();
  }

  /** Validates the connection first. If it is no good, the waiter is first in the queue for another. */
  async #validateFor(waiter: Waiter<PoolSlot>, slot: PoolSlot): Promise<void> {
    this.#waiters.holdBack(waiter);
    const valid = await this.#validate(slot);
    slot.since = this.#now(); // it is held from now on, not since the check
    if (valid && !waiter.settled && !this.#whyUnfit(slot)) {
      this.#waiters.serve(waiter, slot);
    } else {
      if (!waiter.settled) this.#waiters.requeue(waiter);
      if (valid) this.release(slot);
      this.#processWaitQueue();
    }
  }

  /** Whether `slot`, just taken from the idle ones, must be validated before it is lent. A fresh one needs none. */
  #isCheckDue({ idleMs, uses }: PoolSlot): boolean {
    const { checkAfterIdleMs, testOnBorrow } = this.#context.options;
    // The user's own test is for what somebody has used; so an acquire ends, even if the test always fails.
    return idleMs >= checkAfterIdleMs || (uses > 0 && testOnBorrow !== undefined);
  }

  /** Whether `slot` may be lent; if not, it is closed. */
  async #validate(slot: PoolSlot): Promise<boolean> {
    const idleSince = slot.since - slot.idleMs;
    const verdict: Verdict = await this.#validator.validate(slot);
    if (slot.state !== 'inUse') return false; // cut off when the pool was closed
    const valid = verdict === 'valid';
    if (valid && !slot.stale) return true;
    this.#dialer.close(slot, this.#shutdown ? 'poolClosed' : valid ? 'cleared' : 'broken');
    if (verdict === 'silent') this.#validateSuspects(idleSince);
    return false;
  }

  /** What fell silent was not alone: everything that was idle as long is validated now, in the background. */
  #validateSuspects(idleSince: number): void {
    for (const suspect of this.#idle.idleSince(idleSince)) {
      const { since, idleMs } = this.#idle.borrow(suspect, this.#now());
      this.#suspects++;
      void this.#validate(suspect).then((valid) => {
        this.#suspects--;
        if (valid) this.#acquitted(suspect, since - idleMs);
      });
    }
  }

  /** A suspect is valid: it goes to whoever is first in the queue, or back to its place. */
  #acquitted(slot: PoolSlot, idleSince: number): void {
    const waiter = this.#waiters.first;
    if (this.#whyUnfit(slot)) {
      this.release(slot);
    } else if (waiter) {
      slot.since = this.#now();
      this.#waiters.serve(waiter, slot);
      this.#dialMore(); // a later dial may be wanted for minIdle alone now
    } else {
      this.#idle.putBack(slot, idleSince);
      this.#becameIdle();
    }
  }

  /** A connection that nobody has used goes to the first in the queue, and needs no validation. */
  #arrived(slot: PoolSlot): void {
    const unfit = this.#whyUnfit(slot);
    const waiter = this.#waiters.first;
    if (unfit) {
      this.#dialer.close(slot, unfit);
    } else if (waiter) {
      this.#context.slots.move(slot, 'inUse', this.#now());
      this.#waiters.serve(waiter, slot);
    } else {
      this.#idle.put(slot);
      this.#becameIdle();
    }
    this.#dialMore();
  }

  /** With no connection left, everyone hears of it; while some are open, the first in the queue alone. */
  #dialFailed(cause: Error): void {
    const { errors } = this.#context;
    const failed = (): Error => errors.connectFailed(cause);
    const { first } = this.#waiters;
    this.#ready?.reject(failed);
    this.#oneIdle?.reject(failed);
    if (!this.#dialer.hasOpen) this.#waiters.failAll(failed);
    else if (first) this.#waiters.fail(first, failed());
    this.#dialMore();
  }

  /** A connection died. One in use is noticed when it comes back, unless a lane holds it. */
  #lost(slot: PoolSlot, cause: Error | undefined): void {
    if (slot.state === 'idle') this.#idle.close(slot, 'broken');
    else slot.lane?.lost(cause);
    this.#failIfUnreachable();
  }

  /** With the last connection, the hope of those in the queue may have gone: then they hear of it at once. */
  #failIfUnreachable(): void {
    const { unreachable } = this;
    if (!unreachable) return;
    this.#waiters.failAll(() => this.#context.errors.connectFailed(unreachable));
    this.#dialMore();
  }

  /** One more is idle. `ready()` counts it before it is found to be one too many, as with maxIdle 0. */
  #becameIdle(): void {
    this.#notify();
    this.#idle.trim();
  }

  #isReady(): boolean {
    const { openCount, count, maxActive } = this.#context.slots;
    return (
      openCount > 0 && this.#idle.length >= Math.min(this.#context.options.minIdle, maxActive - count.inUse)
    );
  }

  #notify(): void {
    this.#ready?.notify();
    this.#oneIdle?.notify();
  }

  /** Why a connection must neither be lent nor kept, however young it is. */
  #whyUnfit(slot: PoolSlot): CloseReason | undefined {
    if (this.#shutdown) return 'poolClosed';
    if (!slot.connection?.alive) return 'broken';
    return slot.stale ? 'cleared' : undefined;
  }

  #refuseIfClosed(): void {
    if (this.#shutdown) throw this.#context.errors.closed();
  }

  /** Starts as many dials as are wanted and allowed; those that the back-off delays start later by themselves. */
  #dialMore(): void {
    const { slots, options } = this.#context;
    const most = this.#dialer.begin();
    while (slots.count.connecting < Math.min(this.#wantedDials(), most) && slots.total < options.maxActive) {
      const { delay } = this.#dialer;
      if (delay > 0) {
        const urgent = this.#waiters.length > 0 || this.#ready !== undefined;
        this.#dialer.retryAfter(delay, () => this.#dialMore(), urgent ? undefined : 'background');
        return;
      }
      this.#dialer.dial();
    }
  }

  /** How many dials, those under way included, somebody has a use for: those who wait, or else those kept idle. */
  #wantedDials(): number {
    if (this.#shutdown) return 0;
    if (this.#waiters.length > 0) return this.#waiters.length;
    return Math.max(0, this.#wantedIdle() - this.#idle.length - this.#suspects);
  }

  /** How many are to be idle: `minIdle`, and one where somebody only wants to know whether Redis can be reached. */
  #wantedIdle(): number {
    const one =
      this.#oneIdle !== undefined ||
      (this.#ready !== undefined && this.#context.slots.openCount === 0) ||
      (this.#watched && this.#dialer.isFailing);
    return Math.max(this.#context.options.minIdle, one ? 1 : 0);
  }

  #shutDown(): Shutdown {
    const { slots, errors } = this.#context;
    const closed = (): Error => errors.closed();
    this.#dialer.stop();
    this.#idle.stop();
    const shutdown = new Shutdown(this.#context, this.#dialer);
    this.#shutdown = shutdown;
    this.#validator.stop();
    this.#ready?.reject(closed);
    this.#oneIdle?.reject(closed);
    this.#waiters.failAll(closed, 'everyone');
    this.#idle.closeAll('poolClosed');
    for (const slot of slots.all) if (slot.state === 'connecting') this.#dialer.close(slot, 'poolClosed');
    shutdown.check();
    return shutdown;
  }
}
