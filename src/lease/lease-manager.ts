import type { Redis } from 'ioredis';
import type { Lease } from '../api/lease.ts';
import type { ConnectionPool } from '../core/connection-pool.ts';
import { type PoolContext, type PoolSlot, whyLost } from '../core/context.ts';
import type { Connection } from '../core/dependencies.ts';
import type { PoolErrors } from '../core/pool-errors.ts';
import { withoutSecrets } from '../ioredis/redact.ts';
import { Taint, undoFor } from '../ioredis/taint.ts';
import { type LeaseOwner, leaseMaker } from './lease.ts';
import { resetConnection } from './reset-connection.ts';

/**
 * Hands out leases, and decides what a connection is worth that comes back. What does not, the `LeakDetector` finds.
 */
export class LeaseManager implements LeaseOwner {
  readonly leaks: LeakDetector;
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  #make: ((slot: PoolSlot) => Lease) | undefined;

  constructor(context: PoolContext, connections: ConnectionPool) {
    this.#context = context;
    this.#connections = connections;
    this.leaks = new LeakDetector(context, (slot) => this.release(slot, Taint.dirty, 'keep'));
  }

  /** `stack`: where it was acquired; without one the lease is not timed. */
  create(slot: PoolSlot, waitedMs: number, stack: string | undefined): Lease {
    const { events } = this.#context;
    if (!slot.connection) throw new Error('bug: a slot without a connection was lent');
    const connected = slot.uses === 0;
    slot.uses++;
    slot.leased = true;
    const lease = this.#leaseOf(slot, slot.connection);
    if (stack !== undefined) this.leaks.begin(slot, lease, stack);
    events.took('acquire', waitedMs);
    if (events.count('acquire')) events.emit('acquire', { connectionId: slot.id, waitedMs, connected });
    return lease;
  }

  /** A client of a user's class may throw when its properties are read; its slot must not be lost then. */
  #leaseOf(slot: PoolSlot, { client }: Connection): Lease {
    try {
      this.#make ??= leaseMaker(client, this);
      return this.#make(slot);
    } catch (error) {
      slot.leased = false;
      this.#connections.release(slot, 'broken');
      throw error;
    }
  }

  release(slot: PoolSlot, taint: number, fate: 'keep' | 'destroy'): void {
    if (slot.state !== 'inUse') return; // closed together with the pool
    const { events, deps } = this.#context;
    const { connection, since } = slot;
    const heldMs = deps.clock.now() - since;
    this.leaks.end(slot);
    slot.leased = false;
    events.took('release', heldMs);
    const reason = fate === 'destroy' ? 'destroyed' : connection?.alive ? undefined : 'broken';
    const left =
      reason === undefined && connection && (taint !== Taint.none || connection.pendingReplies > 0);
    if (left) {
      this.#connections.emitRelease(slot, heldMs);
      void this.#clean(slot, connection, taint);
    } else {
      this.#connections.release(slot, reason, heldMs);
    }
  }

  get errors(): PoolErrors {
    return this.#context.errors;
  }

  hush(error: Error, { options }: Redis): Error {
    return withoutSecrets(error, options);
  }

  lost(slot: PoolSlot, consequence: string): Error {
    return this.#context.errors.make(
      'POOL_CONNECTION_LOST',
      `connection lost: ${consequence}`,
      whyLost(slot),
    );
  }

  /** The slow path of a release, for a connection that has to be reset. */
  async #clean(slot: PoolSlot, connection: Connection, taint: number): Promise<void> {
    const undo = undoFor(taint, connection.db);
    const clean = undo !== 'close' && (await resetConnection(connection, undo, this.#context.deps.clock));
    if (slot.state !== 'inUse') return;
    this.#connections.release(slot, clean ? undefined : connection.alive ? 'dirty' : 'broken');
  }
}

/** Leases younger than this are not registered with the garbage collector, so that ordinary ones cost nothing. */
const SWEEP_MS = 1000;

/** A lease that was garbage-collected: the connection, and the number of its use. */
interface Dropped {
  readonly slot: PoolSlot;
  readonly uses: number;
}

/** What is known of a lease that was not released. */
interface Watched {
  readonly stack: string;
  readonly cancel: () => void;
  reported: boolean;
}

/**
 * Finds leases that are not released: held for longer than `leakThresholdMs`, or dropped without release, which only
 * the garbage collector can detect.
 */
class LeakDetector {
  readonly #context: PoolContext;
  readonly #dropped: (slot: PoolSlot) => void;
  readonly #timed: boolean;
  readonly #watched = new Map<PoolSlot, Watched>();
  readonly #registry = new FinalizationRegistry<Dropped>((lease) => this.#collected(lease));
  /** Garbage-collected leases whose connections have pending replies. */
  readonly #owing = new Set<Dropped>();
  #cancelSweep: (() => void) | undefined;

  /** `dropped` is called with the connection of a lease that was garbage-collected. */
  constructor(context: PoolContext, dropped: (slot: PoolSlot) => void) {
    this.#context = context;
    this.#dropped = dropped;
    this.#timed = Number.isFinite(context.options.leakThresholdMs);
  }

  /** The stack of `acquire`'s caller, if leaks are timed. */
  stack(acquire: (...args: never[]) => unknown): string {
    if (!this.#timed) return '';
    const at: { stack?: string } = {};
    Error.captureStackTrace(at, acquire);
    return at.stack ?? '';
  }

  begin(slot: PoolSlot, lease: object, stack: string): void {
    slot.lease = lease;
    if (this.#cancelSweep === undefined) this.#lookLater();
    if (!this.#timed) return;
    const { deps, options } = this.#context;
    const late = (): void => this.#report(slot);
    const cancel = deps.clock.after(options.leakThresholdMs, late, 'background');
    this.#watched.set(slot, { stack, cancel, reported: false });
  }

  end(slot: PoolSlot): void {
    // Without a lease here: it is registered with the garbage collector by now.
    if (slot.lease === undefined) this.#registry.unregister(slot);
    slot.lease = undefined;
    if (!this.#timed) return;
    const watched = this.#forget(slot);
    if (watched?.reported && this.#context.events.heard('leak')) this.#tell(slot, watched.stack, true);
  }

  stop(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    for (const slot of this.#watched.keys()) this.#forget(slot);
  }

  #forget(slot: PoolSlot): Watched | undefined {
    const watched = this.#watched.get(slot);
    watched?.cancel();
    this.#watched.delete(slot);
    return watched;
  }

  #lookLater(): void {
    this.#cancelSweep = this.#context.deps.clock.after(SWEEP_MS, () => this.#sweep(), 'background');
  }

  /** Stops referring to leases that are held for a while, and registers them with the garbage collector. */
  #sweep(): void {
    const { deps, slots } = this.#context;
    const now = deps.clock.now();
    let young = false;
    for (const slot of slots.all) {
      if (slot.lease === undefined) continue;
      if (now - slot.since < SWEEP_MS) {
        young = true;
      } else {
        this.#registry.register(slot.lease, { slot, uses: slot.uses }, slot);
        slot.lease = undefined;
      }
    }
    this.#cancelSweep = undefined;
    const owing = [...this.#owing];
    this.#owing.clear();
    for (const lease of owing) this.#collected(lease);
    if (young && this.#cancelSweep === undefined) this.#lookLater();
  }

  #collected(lease: Dropped): void {
    const { slot, uses } = lease;
    if (!slot.leased || slot.uses !== uses || slot.state !== 'inUse') return;
    if (slot.connection?.alive && slot.connection.pendingReplies > 0) {
      // The lease is gone, but somebody may still wait for the reply to one of its commands.
      this.#owing.add(lease);
      if (this.#cancelSweep === undefined) this.#lookLater();
      return;
    }
    if (!this.#watched.get(slot)?.reported) this.#report(slot);
    this.#forget(slot);
    this.#dropped(slot);
  }

  #report(slot: PoolSlot): void {
    const watched = this.#watched.get(slot);
    if (watched) watched.reported = true;
    if (this.#context.events.count('leak')) this.#tell(slot, watched?.stack ?? '', false);
  }

  #tell(slot: PoolSlot, stack: string, returned: boolean): void {
    const { events, deps } = this.#context;
    const heldMs = deps.clock.now() - slot.since;
    events.emit('leak', { connectionId: slot.id, heldMs, stack, returned });
  }
}
