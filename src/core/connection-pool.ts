import type { AcquireOptions, ReadyOptions } from '../api/redis-pool.ts';
import type { CloseReason, PoolStats } from '../api/stats.ts';
import { readAcquireOptions } from './acquire-options.ts';
import type { ConnectionPoolOwner, PoolContext, PoolSlot } from './context.ts';
import { Dialer } from './dialer.ts';
import { Failover } from './failover.ts';
import { IdleConnections } from './idle-connections.ts';
import { Outage } from './outage.ts';
import { ReadyCalls } from './ready-calls.ts';
import { Replacer } from './replacer.ts';
import { Shutdown } from './shutdown.ts';
import { whyExpired } from './slot.ts';
import { type LaneLoad, takeSnapshot } from './stats.ts';
import { Validator, type Verdict } from './validator.ts';
import { type AcquireRequest, UNLIMITED, type Waiter, type WaitLimits, WaitQueue } from './wait-queue.ts';

/**
 * The state machine of the pool: who waits, what is idle, and how many dials that needs. First come, first served; idle
 * connections first, dials for the rest. All decisions to lend, keep or close are made here; others carry them out, and
 * report. A listener may call any method, so state that was read before an event is read again after it.
 */
export class ConnectionPool {
  readonly #context: PoolContext;
  readonly #waiters: WaitQueue<PoolSlot>;
  readonly #dialer: Dialer;
  readonly #idle: IdleConnections;
  readonly #validator: Validator;
  readonly #outage: Outage;
  /** Cancels the timer for the end of the time that an outage is waited out. */
  #cancelPatience: () => void = () => {};
  /** Calls of `ready()` and `oneIdle()`; present only while there are some. */
  #readyCalls: ReadyCalls | undefined;
  /** Present where sentinels say which server is the master. */
  readonly #failover: Failover | undefined;
  /** Suspects that are being validated in the background. */
  #suspects = 0;
  /** Somebody observes `status` without acquiring a connection. */
  #watched = false;
  /** Replaces connections that lead to a replica; present once a reply has said so of one. */
  #replacer: Replacer | undefined;
  /** Whether any connection led to a master, as far as INFO tells. */
  hadMaster = false;
  #shutdown: Shutdown | undefined;
  readonly #owner: ConnectionPoolOwner;
  readonly #now: () => number;

  constructor(context: PoolContext, owner: ConnectionPoolOwner) {
    const { options, deps, slots } = context;
    this.#context = context;
    this.#owner = owner;
    this.#now = () => deps.clock.now();
    this.#dialer = new Dialer(context, {
      arrived: (slot) => this.#arrived(slot),
      failed: (error, startedAt) => this.#dialFailed(error, startedAt),
      lost: (slot, cause) => this.#lost(slot, cause),
      unwanted: (slot, why) => {
        if (this.#shutdown) return;
        this.#replacer ??= new Replacer(context, () => this.#idle.closeStale());
        this.#replacer.unwanted(slot, why);
      },
      gone: () => (this.#shutdown ? this.#shutdown.check() : this.#processWaitQueue()),
    });
    this.#idle = new IdleConnections(context, (slot, reason) => this.#dialer.close(slot, reason));
    this.#validator = new Validator(context);
    this.#outage = new Outage(options.wait ? options.outageWaitMs : 0);
    this.#failover = Failover.of(context, this.#dialer, this.#idle, () => this.#dialMore());
    slots.share = deps.total?.join({ slots, owner, idle: this.#idle, dialMore: () => this.#dialMore() });
    this.#waiters = new WaitQueue(deps.clock, (waiter, why) => {
      // After the last waiter, dials are needed for minIdle only, and the timer of the next one is a background timer.
      if (this.#waiters.length === 0) this.#dialMore();
      return context.errors.gaveUp(waiter, why);
    });
    // A moment later, so that listeners that are added right after the constructor are notified too.
    if (options.minIdle > 0) void Promise.resolve().then(() => this.#dialMore());
  }

  /** `end` after `close()`, `connecting` while no connection can be made; else `ready`, whether connected or not. */
  get status(): 'ready' | 'connecting' | 'end' {
    return this.#shutdown ? 'end' : this.#dialer.isFailing ? 'connecting' : 'ready';
  }

  /** The error of the last dial, unless one has succeeded since. */
  get lastConnectError(): Error | undefined {
    return this.#dialer.lastError;
  }

  /** Why no connection can be made for now, if Redis seems to be unavailable. */
  get unreachable(): Error | undefined {
    return this.#dialer.isDown ? this.lastConnectError : undefined;
  }

  /** Since when Redis is away, if it is. */
  get awaySince(): number | undefined {
    return this.#outage.since;
  }

  /** Whether Redis has refused a write as a replica, and no connection to a master was made since. */
  get refusesWrites(): boolean {
    return this.#replacer?.refusesWrites ?? false;
  }

  /** How many callers wait for whom there is no capacity; if negative, the capacity for further callers. */
  get excess(): number {
    return this.#waiters.length - this.#context.slots.freeCapacity;
  }

  /** Since when the first in the wait queue has waited. */
  get waitingSince(): number | undefined {
    return this.#waiters.first?.since;
  }

  /** Whether there is a connection, or capacity to dial one, that nobody waits for. */
  get hasSpare(): boolean {
    return this.#waiters.length === 0 && (this.#idle.length > 0 || this.#context.slots.hasRoom);
  }

  /** The one that became idle last. */
  get topIdle(): PoolSlot | undefined {
    return this.#idle.top;
  }

  stats(lanes: LaneLoad): PoolStats {
    return takeSnapshot(this.#context, this.#waiters, lanes, this.#failover?.sockets ?? 0);
  }

  /** Serves `request` at once, or queues it; throws if it is refused. */
  acquire(options: AcquireOptions | undefined, request: AcquireRequest<PoolSlot>): void {
    this.#refuseIfClosed();
    const { acquireTimeoutMs, maxWaiting } = this.#context.options;
    const { timeoutMs = acquireTimeoutMs, signal } = options === undefined ? {} : readAcquireOptions(options);
    if (signal?.aborted) throw this.#context.errors.aborted(0, signal);
    this.#enter(request, { timeoutMs, signal, maxWaiting });
  }

  /**
   * The same for a lane, which is never one too many, and watches over its time itself. Returns what takes it back,
   * unless `request` was served, or failed, at once.
   */
  acquireForLane(request: AcquireRequest<PoolSlot>, now: number): (() => void) | undefined {
    this.#refuseIfClosed();
    const waiter = this.#enter(request, UNLIMITED, now);
    if (!waiter || waiter.settled) return undefined;
    return () => {
      this.#waiters.cancel(waiter);
      this.#dialMore(); // to cancel a later dial that is not needed any more
    };
  }

  /**
   * Takes back a connection that is not in use any more; with a `reason`, it is closed. `heldMs`: how long a lease held
   * it; then `release` is emitted, after it has become idle and before it is lent again.
   */
  release(slot: PoolSlot, reason?: CloseReason, heldMs?: number, now = this.#now()): void {
    if (slot.state === 'closing' || slot.state === 'gone') return; // closed together with the pool
    if (slot.state !== 'idle') this.#context.slots.move(slot, 'idle', now);
    if (!slot.judged && slot.connection?.alive) this.#dialer.cameBack(slot);
    const { share } = this.#context.slots;
    const why = reason ?? this.#whyUnfit(slot) ?? whyExpired(slot, slot.since) ?? share?.whyGive;
    if (why) {
      if (heldMs !== undefined) this.emitRelease(slot, heldMs);
      this.#dialer.close(slot, why);
      this.#checkReachable();
    } else {
      this.#idle.put(slot);
      if (heldMs !== undefined) this.emitRelease(slot, heldMs);
      // With the time of its release: with idleTimeoutMs 0 it would have been idle for too long.
      if (this.#waiters.length > 0) this.#processWaitQueue(slot.since);
      this.#becameIdle();
    }
  }

  /** Emits `release`. */
  emitRelease({ id: connectionId }: PoolSlot, heldMs: number): void {
    const { events } = this.#context;
    if (events.count('release')) events.emit('release', { connectionId, heldMs });
  }

  /**
   * Resolves when `minIdle` connections are idle, or as many as those in use allow, and at least one is open. With
   * `timeoutMs`, dials that fail with a transient cause are tried again until then.
   */
  async ready(options?: ReadyOptions): Promise<void> {
    this.#refuseIfClosed();
    const limits = readAcquireOptions(options);
    const ready = this.#beginReadyCall().wait(limits, this.unreachable);
    this.#dialMore();
    // Afterwards dials are needed for minIdle only, and their timer must not keep the process alive.
    await ready.finally(() => this.#dialMore());
  }

  /** Resolves when a connection is idle; if necessary one is dialled, which is lent to the first in the queue. */
  oneIdle(): Promise<void> {
    const idle = this.#beginReadyCall().oneIdle();
    this.#dialMore();
    return idle;
  }

  /** From now on somebody observes `status`: while no connection can be made, dials are repeated. */
  keepTrying(): void {
    this.#watched = true;
    this.#dialMore();
  }

  /** Closes `slot`, if it is still idle. */
  closeIdle(slot: PoolSlot, reason: CloseReason): void {
    this.#idle.close(slot, reason);
  }

  /** Marks all present connections as stale: idle ones close now, others when they are released or have connected. */
  clear(): void {
    const { events, slots } = this.#context;
    for (const slot of slots.all) slot.stale ??= 'cleared';
    if (events.count('clear')) events.emit('clear', {});
    this.#idle.closeStale();
  }

  /** Replaces connections that lead to a replica, if there are some and the delay since the last time is over. */
  renew(): void {
    this.#replacer?.renew();
  }

  /** Refuses new requests, and closes all connections, after at most `graceMs`; resolves when nothing is left. */
  close(graceMs: number): Promise<void> {
    this.#shutdown ??= this.#shutDown();
    this.#shutdown.cutWithin(graceMs);
    return this.#shutdown.done.then(() => this.#failover?.stop());
  }

  #enter(request: AcquireRequest<PoolSlot>, limits: WaitLimits, now?: number): Waiter<PoolSlot> | undefined {
    const slot = this.#waiters.length === 0 ? this.#idle.take(now ?? this.#now()) : undefined;
    // A listener may have closed the pool when an expired connection was closed.
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
    this.#readyCalls?.notify();
    return waiter;
  }

  /** Adds `request` to the end of the queue; throws if it is refused. */
  #wait(request: AcquireRequest<PoolSlot>, { timeoutMs, signal, maxWaiting }: WaitLimits): Waiter<PoolSlot> {
    const { errors, events, options } = this.#context;
    // The last connection may have been closed since a dial failed; or a listener of `connectError` is calling.
    if (this.unreachable !== this.#outage.cause) this.#checkReachable();
    const { excess, unreachable } = this;
    if (unreachable && !this.#waitsForReturn) throw errors.connectFailed(unreachable);
    if (excess >= (options.wait ? maxWaiting : 0)) {
      const why = options.wait ? `${maxWaiting} callers wait already (maxWaiting)` : 'wait is false';
      throw errors.exhausted(`no connection is free, and ${why}`);
    }
    const waiter = this.#waiters.add(request, timeoutMs, signal);
    this.#waiters.enqueue(waiter, excess >= 0);
    if (excess >= 0) {
      if (events.count('wait')) events.emit('wait', { waiting: excess + 1 });
      this.#owner.waiting(excess + 1);
    }
    return waiter;
  }

  /** Serves whoever can be served, in order, and dials for the rest. */
  #processWaitQueue(now = this.#now()): void {
    while (this.#waiters.first) {
      const slot = this.#idle.take(now);
      // Read only now: a listener may have ended a waiter when `take` closed an expired connection.
      const waiter = this.#waiters.first;
      if (slot && waiter && this.#isCheckDue(slot)) void this.#validateFor(waiter, slot);
      else if (slot && waiter) this.#waiters.serve(waiter, slot);
      else if (slot) this.#idle.putBack(slot, slot.since - slot.idleMs);
      else break;
    }
    this.#dialMore();
  }

  /** Validates `slot` for the waiter, who keeps its turn: of those who wait by then, the first is served. */
  async #validateFor(waiter: Waiter<PoolSlot>, slot: PoolSlot): Promise<void> {
    this.#waiters.holdBack(waiter);
    const idleSince = slot.since - slot.idleMs;
    const valid = await this.#validate(slot);
    if (!waiter.settled) this.#waiters.requeue(waiter);
    if (valid) this.#validated(slot, idleSince);
    else this.#processWaitQueue();
  }

  /** Whether `slot`, just taken from the idle ones, must be validated before it is lent. A new one needs none. */
  #isCheckDue({ idleMs, uses }: PoolSlot): boolean {
    const { checkAfterIdleMs, testOnBorrow } = this.#context.options;
    // The user's test is for used connections only; so an acquire ends, even if the test always fails.
    return idleMs >= checkAfterIdleMs || (uses > 0 && testOnBorrow !== undefined);
  }

  /** Validates `slot`; if it is invalid, it is closed. Returns whether it may be lent. */
  async #validate(slot: PoolSlot): Promise<boolean> {
    const idleSince = slot.since - slot.idleMs;
    const verdict: Verdict = await this.#validator.validate(slot);
    if (slot.state !== 'inUse') return false; // closed together with the pool
    const valid = verdict === 'valid';
    if (valid && !slot.stale) return true;
    this.#dialer.close(slot, this.#shutdown ? 'poolClosed' : (valid && slot.stale) || 'broken');
    if (verdict === 'silent') this.#validateSuspects(idleSince);
    return false;
  }

  /** After a silent connection, all that were idle for as long are suspect, and are validated in the background. */
  #validateSuspects(idleSince: number): void {
    for (const suspect of this.#idle.idleSince(idleSince)) {
      const { since, idleMs } = this.#idle.borrow(suspect, this.#now());
      this.#suspects++;
      void this.#validate(suspect).then((valid) => {
        this.#suspects--;
        if (valid) this.#validated(suspect, since - idleMs);
        else this.#dialMore(); // it was counted as one that may become idle again
      });
    }
  }

  /** A connection is valid: it is lent to the first in the queue, or becomes idle again. */
  #validated(slot: PoolSlot, idleSince: number): void {
    const waiter = this.#waiters.first;
    if (this.#whyUnfit(slot)) {
      this.release(slot);
    } else if (waiter) {
      slot.since = this.#now(); // it is held from now on, not since the validation
      this.#waiters.serve(waiter, slot);
    } else {
      this.#idle.putBack(slot, idleSince);
      this.#becameIdle();
    }
    this.#dialMore(); // for those who still wait; or a later dial may be needed for minIdle only now
  }

  /** A new connection is lent to the first in the queue, without validation. */
  #arrived(slot: PoolSlot): void {
    this.#outage.connected();
    this.#cancelPatience();
    if (!slot.stale && slot.connection?.role !== 'slave') this.hadMaster = true;
    this.#replacer?.arrived(slot);
    const unfit = this.#whyUnfit(slot);
    const waiter = this.#waiters.first;
    if (!unfit) this.#failover?.begin();
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

  /** With no connection left, this is an outage for all in the queue; while some are open, only the first is rejected. */
  #dialFailed(cause: Error, startedAt: number): void {
    const { first } = this.#waiters;
    this.#readyCalls?.dialFailed(cause);
    if (!this.#dialer.hasOpen) this.#waitOrReject(cause, startedAt);
    else if (first) this.#waiters.fail(first, this.#context.errors.connectFailed(cause));
    this.#dialMore();
  }

  /** Redis is away: all in the queue wait for it to come back, for as long as the outage is waited out. */
  #waitOrReject(cause: Error, startedAt: number): void {
    const { deps, errors } = this.#context;
    this.#outage.failed(cause, startedAt);
    this.#cancelPatience();
    const left = this.#outage.patience(this.#now());
    const again = (): void => {
      this.#waitOrReject(cause, startedAt);
      this.#dialMore(); // nobody waits for the next dial any more
    };
    if (left > 0) this.#cancelPatience = deps.clock.after(left, again, 'background');
    else this.#waiters.failAll(() => errors.connectFailed(cause));
  }

  /** A connection was lost. If a lease has it, that is handled on release. */
  #lost(slot: PoolSlot, cause: Error | undefined): void {
    this.#outage.lost(this.#now());
    if (slot.state === 'idle') this.#idle.close(slot, 'broken');
    else if (slot.lane) slot.lane.lost(cause);
    else if (slot.leased) this.#owner.leaseLost(slot);
    this.#checkReachable();
  }

  /** If the last connection is gone and none may be dialled yet, the outage has begun. */
  #checkReachable(): void {
    const { unreachable } = this;
    if (!unreachable || this.#shutdown) return;
    this.#waitOrReject(unreachable, this.#now());
    this.#dialMore();
  }

  /** One more is idle. `ready()` counts it before it is closed as excess, as with maxIdle 0. */
  #becameIdle(): void {
    this.#readyCalls?.notify();
    this.#idle.trim();
  }

  #beginReadyCall(): ReadyCalls {
    const { slots, options } = this.#context;
    const idleWanted = (): number => Math.min(options.minIdle, slots.maxActive - slots.count.inUse);
    this.#readyCalls ??= new ReadyCalls(this.#context, {
      isReady: () => this.#dialer.hasOpen && this.#idle.length >= idleWanted(),
      hasIdle: () => this.#idle.length > 0,
      lastConnectError: () => this.lastConnectError,
      ended: () => {
        this.#readyCalls = undefined;
      },
    });
    return this.#readyCalls;
  }

  /** Why a connection must neither be lent nor kept, whatever its age. */
  #whyUnfit(slot: PoolSlot): CloseReason | undefined {
    if (!slot.connection?.alive) return 'broken';
    return this.#shutdown ? 'poolClosed' : slot.stale;
  }

  #refuseIfClosed(): void {
    if (this.#shutdown) throw this.#context.errors.closed();
  }

  /** Starts as many dials as are needed and allowed; those that the back-off delays are started later by a timer. */
  #dialMore(): void {
    const { slots, options } = this.#context;
    const most = this.#dialer.begin();
    const urgent = this.#waiters.length > 0 || this.#readyCalls !== undefined;
    while (slots.count.connecting < Math.min(this.#wantedDials(), most) && slots.total < options.maxActive) {
      const delay = this.#dialer.delay(this.#awaited ? 'awaited' : undefined);
      if (delay > 0) {
        this.#dialer.retryAfter(delay, () => this.#dialMore(), urgent ? undefined : 'background');
        break;
      }
      if (slots.share?.isFull(urgent)) return;
      this.#dialer.dial();
    }
    slots.share?.drop();
  }

  /** Whether somebody keeps waiting even if the next dial fails. */
  get #awaited(): boolean {
    if (this.#readyCalls?.anyPatient) return true;
    return this.#waiters.length > 0 && (this.#waitsForReturn || !this.#dialer.refuses);
  }

  /** Whether the outage, if there is one, is being waited out. */
  get #waitsForReturn(): boolean {
    return this.#outage.patience(this.#now()) > 0;
  }

  /** How many dials are needed, including those in progress: for the queue, or else for `minIdle`. */
  #wantedDials(): number {
    if (this.#shutdown) return 0;
    if (this.#waiters.length > 0) return this.#waiters.length;
    return Math.max(0, this.#wantedIdle() - this.#idle.length - this.#suspects);
  }

  /** How many are to be idle: `minIdle`; at least one while somebody only observes whether Redis can be reached. */
  #wantedIdle(): number {
    const one =
      this.#readyCalls?.anyForIdle ||
      (this.#readyCalls && !this.#dialer.hasOpen) ||
      (this.#watched && this.#dialer.isFailing);
    return Math.max(this.#context.options.minIdle, one ? 1 : 0);
  }

  #shutDown(): Shutdown {
    const { slots, errors } = this.#context;
    this.#dialer.stop();
    this.#idle.stop();
    this.#replacer?.stop();
    const shutdown = new Shutdown(this.#context, this.#dialer);
    this.#shutdown = shutdown;
    this.#validator.stop();
    this.#cancelPatience();
    this.#readyCalls?.closed();
    this.#waiters.failAll(() => errors.closed(), 'everyone');
    this.#idle.closeAll('poolClosed');
    for (const slot of slots.all) if (slot.state === 'connecting') this.#dialer.close(slot, 'poolClosed');
    shutdown.check();
    return shutdown;
  }
}
