import { Admission } from './admission.ts';
import { Checker } from './checker.ts';
import { Connections } from './connections.ts';
import { whyExpired } from './core/reap.ts';
import type { House, PoolSlot } from './house.ts';
import { IdleConnections } from './idle.ts';
import type { AcquireOptions, CloseReason, PoolStats } from './redis-pool.ts';
import { Shutdown } from './shutdown.ts';
import { takeSnapshot } from './snapshot.ts';
import { type Request, type Waiter, Waiters } from './waiters.ts';

/**
 * Where those who want a connection and the connections meet: first come, first served, idle ones first, dials for
 * the rest.
 */
export class Exchange {
  readonly #house: House;
  readonly #waiters: Waiters<PoolSlot>;
  readonly #connections: Connections;
  readonly #idle: IdleConnections;
  readonly #checker: Checker;
  readonly #admission: Admission;
  /** A `ready()` under way. */
  #ready: Promise<void> | undefined;
  /** What `ready()` has asked for, and holds until all of it is there. */
  #held = 0;
  #shutdown: Shutdown | undefined;

  constructor(house: House) {
    this.#house = house;
    this.#connections = new Connections(house, {
      wanted: () => this.#wanted(),
      urgent: () => this.#waiters.length > 0,
      arrived: (slot) => this.#arrived(slot),
      failed: (error) => this.#dialFailed(error),
      lost: (slot) => this.#lost(slot),
      gone: () => (this.#shutdown ? this.#shutdown.check() : this.#serve()),
    });
    this.#idle = new IdleConnections(house, (slot, reason) => this.#connections.retire(slot, reason));
    this.#checker = new Checker(house, this.#connections, this.#idle, (slot, restedSince) =>
      this.#passed(slot, restedSince),
    );
    const admission = new Admission(house, this.#connections);
    this.#admission = admission;
    this.#waiters = new Waiters(house.hands.clock, (waiter, why) => {
      // With the last one gone, dials are wanted for minIdle alone, and the next one is nobody's concern.
      if (this.#waiters.length === 0) this.#connections.dialMore();
      return admission.gaveUp(waiter, why);
    });
    // In a moment, so that listeners added right after the pool was made hear of it too.
    if (house.options.minIdle > 0) queueMicrotask(() => this.#connections.dialMore());
  }

  /** Serves `request` at once, or lets it wait; throws what refuses it. */
  request(options: AcquireOptions | undefined, request: Request<PoolSlot>): void {
    const slot = this.take(options);
    if (slot && !this.doubts(slot)) request.served(slot, 0);
    else this.wait(options, request, slot);
  }

  /** Takes an idle connection, if there is one and nobody waits; throws what refuses the caller in any case. */
  take(options: AcquireOptions | undefined): PoolSlot | undefined {
    this.#admission.mayCome(options, this.#shutdown !== undefined);
    if (this.#waiters.length > 0) return undefined;
    const slot = this.#idle.take(this.#now());
    if (this.#wanted() > 0) this.#connections.dialMore();
    return slot;
  }

  /** Whether `slot`, just taken, must be looked at before it is lent. */
  doubts(slot: PoolSlot): boolean {
    return this.#checker.due(slot);
  }

  /** Lets `request` wait: for a check of `slot`, or in the queue; throws what refuses it. */
  wait(options: AcquireOptions | undefined, request: Request<PoolSlot>, slot: PoolSlot | undefined): void {
    const { options: defaults, ledger, events } = this.#house;
    const excess = this.#waiters.length - ledger.room;
    if (!slot) this.#admission.mayWait(excess);
    const { timeoutMs = defaults.acquireTimeoutMs, signal } = options ?? {};
    const waiter = this.#waiters.admit(request, timeoutMs, signal);
    if (slot) {
      void this.#checkFor(waiter, slot);
    } else {
      this.#waiters.enqueue(waiter, excess >= 0);
      if (excess >= 0 && events.count('wait')) events.emit('wait', { waiting: excess + 1 });
      this.#connections.dialMore();
    }
  }

  /** Resolves when `minIdle` connections, or at least one, stand besides those in use. */
  ready(): Promise<void> {
    this.#ready ??= this.#fill().finally(() => {
      this.#ready = undefined;
    });
    return this.#ready;
  }

  async #fill(): Promise<void> {
    this.#admission.mayCome(undefined, this.#shutdown !== undefined);
    const { ledger, options } = this.#house;
    const { inUse } = ledger.count;
    const missing = Math.min(Math.max(options.minIdle, 1 - inUse), options.maxActive - inUse);
    const take = (): Promise<PoolSlot> =>
      new Promise((served, failed) => this.request(undefined, { served, failed }));
    this.#held += missing;
    // All at once, so that each is another connection.
    const taken = await Promise.allSettled(Array.from({ length: missing }, take));
    this.#held -= missing;
    for (const one of taken) if (one.status === 'fulfilled') this.rest(one.value);
    this.#connections.dialMore();
    for (const one of taken) if (one.status === 'rejected') throw one.reason;
  }

  /** Serves waiters with idle connections, in order, and dials for the rest. */
  #serve(): void {
    for (let waiter = this.#waiters.first; waiter; waiter = this.#waiters.first) {
      const slot = this.#idle.take(this.#now());
      if (!slot) break;
      if (this.#checker.due(slot)) void this.#checkFor(waiter, slot);
      else this.#waiters.serve(waiter, slot);
    }
    this.#connections.dialMore();
  }

  /** Looks at the connection first. If it is no good, the waiter is first in line for another. */
  async #checkFor(waiter: Waiter<PoolSlot>, slot: PoolSlot): Promise<void> {
    this.#waiters.setAside(waiter);
    const passed = await this.#checker.run(slot);
    slot.since = this.#now(); // it is held from now on, not since the check
    if (passed && !waiter.settled && !this.#whyUnfit(slot)) {
      this.#waiters.serve(waiter, slot);
    } else {
      if (!waiter.settled) this.#waiters.requeue(waiter);
      if (passed) this.rest(slot);
      this.#serve();
    }
  }

  /** A doubted connection has answered: to whoever is first in line, or back to its place. */
  #passed(slot: PoolSlot, restedSince: number): void {
    const waiter = this.#waiters.first;
    if (this.#whyUnfit(slot)) {
      this.rest(slot);
    } else if (waiter) {
      slot.since = this.#now();
      this.#waiters.serve(waiter, slot);
    } else {
      this.#idle.putBack(slot, restedSince);
    }
  }

  /** Where a connection goes that nobody uses any more; with a `reason`, it is closed. */
  rest(slot: PoolSlot, reason?: CloseReason): void {
    if (slot.state !== 'idle') this.#house.ledger.move(slot, 'idle', this.#now());
    const why = reason ?? this.#whyUnfit(slot) ?? whyExpired(slot, slot.since);
    if (why) {
      this.#connections.retire(slot, why);
    } else {
      this.#idle.put(slot);
      if (this.#waiters.length > 0) this.#serve();
      this.#idle.trim();
    }
  }

  /** A connection that nobody has used goes to the first in line, and needs no check. */
  #arrived(slot: PoolSlot): void {
    const unfit = this.#whyUnfit(slot);
    const waiter = this.#waiters.first;
    if (unfit) {
      this.#connections.retire(slot, unfit);
    } else if (waiter) {
      this.#house.ledger.move(slot, 'inUse', this.#now());
      this.#waiters.serve(waiter, slot);
    } else {
      this.#idle.put(slot);
      this.#idle.trim();
    }
    this.#connections.dialMore();
  }

  /** Why a connection must neither be lent nor kept, however young it is. */
  #whyUnfit(slot: PoolSlot): CloseReason | undefined {
    if (this.#shutdown) return 'poolClosed';
    if (!slot.connection?.alive) return 'broken';
    return slot.stale ? 'cleared' : undefined;
  }

  #dialFailed(cause: Error): void {
    const first = this.#waiters.first;
    if (this.#house.ledger.live === 0) this.#waiters.failAll(() => this.#admission.connectFailed(cause));
    else if (first) this.#waiters.fail(first, this.#admission.connectFailed(cause));
    this.#connections.dialMore();
  }

  /** A connection died. One in use is noticed when it comes back. */
  #lost(slot: PoolSlot): void {
    if (slot.state === 'idle') this.#idle.close(slot, 'broken');
  }

  /** How many dials someone has a use for. */
  #wanted(): number {
    if (this.#shutdown) return 0;
    const resting = this.#idle.length + this.#checker.doubted + this.#held;
    return this.#waiters.length || this.#house.options.minIdle - resting;
  }

  stats(): PoolStats {
    const { ledger, events } = this.#house;
    return takeSnapshot(ledger, events, this.#waiters);
  }

  /** Makes all present connections stale. */
  clear(): void {
    const { ledger, events } = this.#house;
    for (const slot of ledger.slots) slot.stale = true;
    this.#idle.closeAll('cleared');
    if (events.count('clear')) events.emit('clear', {});
  }

  /** Refuses and closes everything, at the latest in `graceMs`; resolves when nothing is left. */
  close(graceMs: number): Promise<void> {
    this.#shutdown ??= this.#shutDown();
    this.#shutdown.cutWithin(graceMs);
    return this.#shutdown.done;
  }

  #shutDown(): Shutdown {
    this.#connections.stop();
    this.#idle.stop();
    this.#checker.stop();
    const shutdown = new Shutdown(this.#house, this.#connections);
    this.#shutdown = shutdown;
    this.#waiters.failAll(() => this.#admission.closed(), 'everyone');
    this.#idle.closeAll('poolClosed');
    for (const slot of this.#house.ledger.slots) {
      if (slot.state === 'connecting') this.#connections.retire(slot, 'poolClosed');
    }
    shutdown.check();
    return shutdown;
  }

  #now(): number {
    return this.#house.hands.clock.now();
  }
}
