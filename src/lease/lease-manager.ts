import type { Redis } from 'ioredis';
import type { PoolErrorCode } from '../api/errors.ts';
import type { CloseReason, Lease } from '../api/redis-pool.ts';
import { type PoolContext, type PoolSlot, whyLost } from '../core/context.ts';
import type { Connection } from '../core/dependencies.ts';
import { withoutSecrets } from '../ioredis/server-greeting.ts';
import { Taint, undoFor } from '../ioredis/taint.ts';
import { LeakDetector } from './leak-detector.ts';
import type { LeaseOwner } from './lease.ts';
import { leaseMaker } from './lease-class.ts';
import { pendingReplies, resetConnection } from './reset-connection.ts';

/** Takes a connection whose lease is over; with a `reason`, to be closed. `tell` is called once it rests. */
type CameBack = (slot: PoolSlot, reason?: CloseReason, tell?: () => void) => void;

/** Hands out leases, and decides what a connection is worth that comes back. */
export class LeaseManager implements LeaseOwner {
  readonly leaks: LeakDetector;
  readonly #context: PoolContext;
  readonly #cameBack: CameBack;
  #make: ((slot: PoolSlot) => Lease) | undefined;

  constructor(context: PoolContext, cameBack: CameBack) {
    this.#context = context;
    this.#cameBack = cameBack;
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
      this.#cameBack(slot, 'broken');
      throw error;
    }
  }

  release(slot: PoolSlot, taint: number, fate: 'keep' | 'destroy'): void {
    if (slot.state !== 'inUse') return; // cut off when the pool was closed
    const { events, deps } = this.#context;
    const { connection, since, id: connectionId } = slot;
    const now = deps.clock.now();
    this.leaks.end(slot);
    slot.leased = false;
    events.took('release', now - since);
    const reason = fate === 'destroy' ? 'destroyed' : connection?.alive ? undefined : 'broken';
    const left =
      reason === undefined && connection && (taint !== Taint.none || pendingReplies(connection) > 0);
    const tell = events.count('release')
      ? () => events.emit('release', { connectionId, heldMs: now - since })
      : undefined;
    if (left) {
      tell?.();
      void this.#clean(slot, connection, taint);
    } else {
      this.#cameBack(slot, reason, tell);
    }
  }

  error(code: PoolErrorCode, message: string): Error {
    return this.#context.errors.make(code, message);
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
    this.#cameBack(slot, clean ? undefined : connection.alive ? 'dirty' : 'broken');
  }
}
