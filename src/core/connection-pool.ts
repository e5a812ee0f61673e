import type { AcquireOptions, CloseReason, PoolStats } from '../api/redis-pool.ts';
import type { PoolContext, PoolSlot } from './context.ts';
import { Dialer } from './dialer.ts';
import { whyExpired } from './expiry.ts';
import { IdleConnections } from './idle-connections.ts';
import { Line, type Patience } from './line.ts';
import { Outage } from './outage.ts';
import { PoolErrors } from './pool-errors.ts';
import { Readiness } from './readiness.ts';
import { Shutdown } from './shutdown.ts';
import { type LaneLoad, takeSnapshot } from './stats.ts';
import { Validator } from './validator.ts';
import { type AcquireRequest, type Waiter, WaitQueue } from './wait-queue.ts';

/**
 * Where those who want a connection and the connections meet: first come, first served, idle ones first, dials for
 * the rest.
 */
export class ConnectionPool {
  readonly #context: PoolContext;
  readonly #waiters: WaitQueue<PoolSlot>;
  readonly #connections: Dialer;
  readonly idle: IdleConnections;
  readonly #checker: Validator;
  /** Who may come in, and what those are told who may not. */
  readonly admission: PoolErrors;
  readonly #outage: Outage;
  readonly readiness: Readiness;
  readonly queue: Line;
  readonly #now: () => number;
  #shutdown: Shutdown | undefined;

  /** `crowded` is told when someone waits for whom there is no room, and how many there are then. */
  constructor(context: PoolContext, crowded: (waiting: number) => void) {
    this.#context = context;
    this.#now = () => context.deps.clock.now();
    this.#connections = new Dialer(context, {
      wanted: () => this.#wanted(),
      urgent: () => this.#waiters.length > 0 || this.readiness.awaited,
      arrived: (slot) => this.#arrived(slot),
      failed: (error) => this.#outage.dialFailed(error),
      lost: (slot, cause) => this.#lost(slot, cause),
      gone: () => (this.#shutdown ? this.#shutdown.check() : this.#serve()),
    });
    this.idle = new IdleConnections(context, (slot, reason) => this.#connections.close(slot, reason));
    this.#checker = new Validator(context, this.#connections, this.idle, (slot, restedSince) =>
      this.#passed(slot, restedSince),
    );
    const admission = new PoolErrors(context, this.#connections);
    this.admission = admission;
    this.readiness = new Readiness(context, this.#connections, this.idle, admission);
    this.#waiters = new WaitQueue(context.deps.clock, (waiter, why) => {
      // With the last one gone, dials are wanted for minIdle alone, and the next one is nobody's concern.
      if (this.#waiters.length === 0) this.#connections.dialMore();
      return admission.gaveUp(waiter, why);
    });
    this.queue = new Line(context, this.#waiters, this.idle, admission, crowded);
    this.#outage = new Outage(this.#connections, this.#waiters, this.readiness, admission);
    // In a moment, so that listeners added right after the pool was made hear of it too.
    if (context.options.minIdle > 0) void Promise.resolve().then(() => this.#connections.dialMore());
  }

  /** Serves `request` at once, or lets it wait; throws what refuses it. */
  acquire(options: AcquireOptions | undefined, request: AcquireRequest<PoolSlot>): void {
    const { acquireTimeoutMs, maxWaiting } = this.#context.options;
    const asked = this.admission.mayCome(options, this.#shutdown !== undefined);
    const { timeoutMs = acquireTimeoutMs, signal } = asked;
    this.#enter(request, { timeoutMs, signal, maxWaiting });
  }

  /** The same for a lane, which is never one too many, and watches over its time itself. Returns what takes it back. */
  acquireForLane(request: AcquireRequest<PoolSlot>): () => void {
    this.admission.mayCome(undefined, this.#shutdown !== undefined);
    const timeoutMs = Number.POSITIVE_INFINITY;
    const waiter = this.#enter(request, { timeoutMs, signal: undefined, maxWaiting: timeoutMs });
    return () => {
      if (waiter) this.#waiters.cancel(waiter);
      this.#connections.dialMore(); // which may be wanted no longer
    };
  }

  #enter(request: AcquireRequest<PoolSlot>, patience: Patience): Waiter<PoolSlot> | undefined {
    const slot = this.#waiters.length === 0 ? this.idle.take(this.#now()) : undefined;
    // A listener may have closed the pool, when an expired connection was found and closed.
    if (this.#shutdown && !slot) throw this.admission.closed();
    let waiter: Waiter<PoolSlot> | undefined;
    if (slot && !this.#checker.isDue(slot)) {
      request.served(slot, 0);
    } else if (slot) {
      waiter = this.#waiters.add(request, patience.timeoutMs, patience.signal);
      void this.#checkFor(waiter, slot);
    } else {
      waiter = this.queue.join(request, patience);
    }
    if (this.#wanted() > 0) this.#connections.dialMore();
    this.readiness.look();
    return waiter;
  }

  /** From now on somebody looks at `status` alone: as long as nobody can connect, it is tried again and again. */
  keepTrying(): void {
    this.readiness.keepTrying();
  }

  /** `end` once it was closed, `connecting` while nobody can connect; `ready` otherwise, whether connected or not. */
  get status(): 'ready' | 'connecting' | 'end' {
    return this.#shutdown ? 'end' : this.#connections.failing ? 'connecting' : 'ready';
  }

  /** Resolves when `minIdle` connections rest, or as many as the borrowers leave, and at least one stands. */
  async ready(): Promise<void> {
    this.admission.mayCome(undefined, this.#shutdown !== undefined);
    await this.readiness.ready();
  }

  /** Serves waiters with idle connections, in order, and dials for the rest. */
  #serve(now = this.#now()): void {
    while (this.#waiters.first) {
      const slot = this.idle.take(now);
      // Looked up only now: a listener may have ended a waiter when `take` closed an expired connection.
      const waiter = this.#waiters.first;
      if (slot && waiter && this.#checker.isDue(slot)) void this.#checkFor(waiter, slot);
      else if (slot && waiter) this.#waiters.serve(waiter, slot);
      else if (slot) this.idle.putBack(slot, slot.since - slot.idleMs);
      else break;
    }
    this.#connections.dialMore();
  }

  /** Looks at the connection first. If it is no good, the waiter is first in line for another. */
  async #checkFor(waiter: Waiter<PoolSlot>, slot: PoolSlot): Promise<void> {
    this.#waiters.holdBack(waiter);
    const passed = await this.#checker.run(slot);
    slot.since = this.#now(); // it is held from now on, not since the check
    if (passed && !waiter.settled && !this.#whyUnfit(slot)) {
      this.#waiters.serve(waiter, slot);
    } else {
      if (!waiter.settled) this.#waiters.requeue(waiter);
      if (passed) this.release(slot);
      this.#serve();
    }
  }

  /** A doubted connection has answered: to whoever is first in line, or back to its place. */
  #passed(slot: PoolSlot, restedSince: number): void {
    const waiter = this.#waiters.first;
    if (this.#whyUnfit(slot)) {
      this.release(slot);
    } else if (waiter) {
      slot.since = this.#now();
      this.#waiters.serve(waiter, slot);
    } else {
      this.idle.putBack(slot, restedSince);
      this.readiness.look();
      this.idle.trim();
    }
  }

  /**
   * Where a connection goes that nobody uses any more; with a `reason`, it is closed. `tell` is called when it has
   * come to rest, and before it moves on.
   */
  release(slot: PoolSlot, reason?: CloseReason, tell?: () => void): void {
    if (slot.state === 'closing' || slot.state === 'gone') return; // cut off when the pool was closed
    if (slot.state !== 'idle') this.#context.slots.move(slot, 'idle', this.#now());
    if (!slot.judged && slot.connection?.alive) this.#connections.cameBack(slot);
    const why = reason ?? this.#whyUnfit(slot) ?? whyExpired(slot, slot.since);
    if (why) {
      tell?.();
      this.#connections.close(slot, why);
      this.#outage.look();
    } else {
      this.idle.put(slot);
      tell?.();
      if (this.#waiters.length > 0) this.#serve(slot.since); // or it might have idled for too long, with idleTimeoutMs 0
      this.readiness.look();
      this.idle.trim();
    }
  }

  /** A connection that nobody has used goes to the first in line, and needs no check. */
  #arrived(slot: PoolSlot): void {
    const unfit = this.#whyUnfit(slot);
    const waiter = this.#waiters.first;
    if (unfit) {
      this.#connections.close(slot, unfit);
    } else if (waiter) {
      this.#context.slots.move(slot, 'inUse', this.#now());
      this.#waiters.serve(waiter, slot);
    } else {
      this.idle.put(slot);
      this.readiness.look(); // before it is found to be one too many, with maxIdle 0
      this.idle.trim();
    }
    this.#connections.dialMore();
  }

  /** Why a connection must neither be lent nor kept, however young it is. */
  #whyUnfit(slot: PoolSlot): CloseReason | undefined {
    if (this.#shutdown) return 'poolClosed';
    if (!slot.connection?.alive) return 'broken';
    return slot.stale ? 'cleared' : undefined;
  }

  /** A connection died. One in use is noticed when it comes back, unless a lane holds it. */
  #lost(slot: PoolSlot, cause: Error | undefined): void {
    if (slot.state === 'idle') this.idle.close(slot, 'broken');
    else slot.lane?.lost(cause);
    this.#outage.look();
  }

  /** How many dials someone has a use for. */
  #wanted(): number {
    if (this.#shutdown) return 0;
    return this.#waiters.length || this.readiness.wanted - this.idle.length - this.#checker.suspects;
  }

  stats(lanes: LaneLoad): PoolStats {
    return takeSnapshot(this.#context, this.#waiters, lanes);
  }

  /** Makes all present connections stale. */
  clear(): void {
    const { slots, events } = this.#context;
    for (const slot of slots.all) slot.stale = true;
    if (events.count('clear')) events.emit('clear', {});
    this.idle.closeAll('cleared');
  }

  /** Refuses and closes everything, at the latest in `graceMs`; resolves when nothing is left. */
  close(graceMs: number): Promise<void> {
    this.#shutdown ??= this.#shutDown();
    this.#shutdown.cutWithin(graceMs);
    return this.#shutdown.done;
  }

  #shutDown(): Shutdown {
    this.#connections.stop();
    this.idle.stop();
    const shutdown = new Shutdown(this.#context, this.#connections);
    this.#shutdown = shutdown;
    this.#checker.stop();
    this.readiness.fail(() => this.admission.closed());
    this.#waiters.failAll(() => this.admission.closed(), 'everyone');
    this.idle.closeAll('poolClosed');
    for (const slot of this.#context.slots.all) {
      if (slot.state === 'connecting') this.#connections.close(slot, 'poolClosed');
    }
    shutdown.check();
    return shutdown;
  }
}
