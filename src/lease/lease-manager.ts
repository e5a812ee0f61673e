import type { Redis } from 'ioredis';
import type { Lease } from '../api/lease.ts';
import type { ConnectionPool } from '../core/connection-pool.ts';
import { type PoolContext, type PoolSlot, whyLost } from '../core/context.ts';
import type { Connection } from '../core/dependencies.ts';
import type { PoolErrors } from '../core/pool-errors.ts';
import { withoutSecrets } from '../ioredis/server-greeting.ts';
import { Taint, undoFor } from '../ioredis/taint.ts';
import { LeakDetector } from './leak-detector.ts';
import { type LeaseOwner, leaseMaker } from './lease.ts';
import { pendingReplies, resetConnection } from './reset-connection.ts';

/** Hands out leases, and decides what a connection is worth that comes back. */
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

  /** `stack`: where it was acquired; without one nobody watches whether it comes back. */
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

  /** A client of the user's own class may throw when it is looked at; its place must not be lost with that. */
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
    if (slot.state !== 'inUse') return; // cut off when the pool was closed
    const { events, deps } = this.#context;
    const { connection, since } = slot;
    const heldMs = deps.clock.now() - since;
    this.leaks.end(slot);
    slot.leased = false;
    events.took('release', heldMs);
    const reason = fate === 'destroy' ? 'destroyed' : connection?.alive ? undefined : 'broken';
    const left =
      reason === undefined && connection && (taint !== Taint.none || pendingReplies(connection) > 0);
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

  /** The slow way back: only for a borrower that left something behind. */
  async #clean(slot: PoolSlot, connection: Connection, taint: number): Promise<void> {
    const undo = undoFor(taint, connection.db);
    const clean = undo !== 'close' && (await resetConnection(connection, undo, this.#context.deps.clock));
    if (slot.state !== 'inUse') return;
    this.#connections.release(slot, clean ? undefined : connection.alive ? 'dirty' : 'broken');
  }
}
