import type { Command, Redis } from 'ioredis';
import { another, invalidOption } from '../api/errors.ts';
import type { Lease } from '../api/lease.ts';
import type { AcquireOptions, RedisPool } from '../api/redis-pool.ts';
import type { ConnectionPool } from '../core/connection-pool.ts';
import { type PoolContext, type PoolSlot, whyLost } from '../core/context.ts';
import type { Connection } from '../core/dependencies.ts';
import type { PoolErrors } from '../core/pool-errors.ts';
import { blocksForMs, isReadOnly } from '../ioredis/command-kinds.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import { hasOwnBytes } from '../ioredis/lean-command.ts';
import { withoutSecrets } from '../ioredis/redact.ts';
import { Taint, undoFor } from '../ioredis/taint.ts';
import { type DefinedCommands, type LeaseOwner, leaseMaker } from './lease.ts';
import { resetConnection } from './reset-connection.ts';

/**
 * Hands out leases, and decides what a connection is worth that comes back. What does not, the `LeakDetector` finds.
 */
export class LeaseManager implements LeaseOwner {
  readonly leaks: LeakDetector;
  readonly timeouts: LeaseTimeouts;
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  readonly #sendOnceMore: (commands: readonly Command[]) => boolean;
  #make: ((slot: PoolSlot) => Lease) | undefined;
  /** Replaced, never modified. */
  #defined: DefinedCommands = new Map();

  /** `sendOnceMore` sends commands over other connections, unless the pool is being closed. */
  constructor(
    context: PoolContext,
    connections: ConnectionPool,
    sendOnceMore: (commands: readonly Command[]) => boolean,
  ) {
    this.#context = context;
    this.#connections = connections;
    this.#sendOnceMore = sendOnceMore;
    this.timeouts = new LeaseTimeouts(context);
    this.leaks = new LeakDetector(context, (slot) => this.release(slot, Taint.dirty, 'keep'));
  }

  /** Leases made from now on have this command. */
  define(name: string, definition: Parameters<Redis['defineCommand']>[1]): void {
    this.#defined = new Map([...this.#defined, [name, definition]]);
    this.#make = undefined;
  }

  /** `stack`: where it was acquired; without one the lease is not timed. */
  create(slot: PoolSlot, waitedMs: number, stack: string | undefined): Lease {
    const { events } = this.#context;
    if (!slot.connection) throw new Error('bug: a slot without a connection was lent');
    const connected = slot.uses === 0;
    slot.uses++;
    slot.leased = true;
    slot.tainted = false;
    const lease = this.#leaseOf(slot, slot.connection);
    if (!this.timeouts.running) this.timeouts.begin();
    if (stack !== undefined) this.leaks.begin(slot, lease, stack);
    events.took('acquire', waitedMs);
    if (events.count('acquire')) events.emit('acquire', { connectionId: slot.id, waitedMs, connected });
    return lease;
  }

  /** A client of a user's class may throw when its properties are read; its slot must not be lost then. */
  #leaseOf(slot: PoolSlot, { client }: Connection): Lease {
    try {
      this.#make ??= leaseMaker(client, this, this.#defined);
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
    const now = deps.clock.now();
    const heldMs = now - since;
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
      this.#connections.release(slot, reason, heldMs, now);
    }
  }

  /**
   * The connection of a lease is lost. If all that is in flight there only reads, and does not depend on what was sent
   * before, it is sent once more over other connections, as with `pool.redis`. The lease ends then, since those may need
   * its place.
   */
  connectionLost(slot: PoolSlot): void {
    const queue = slot.connection?.client.commandQueue;
    if (slot.tainted || !queue?.length) return;
    const commands = Array.from({ length: queue.length }, (_, i) => queue.peekAt(i)?.command as Command);
    const repeatable = commands.every((one) => isReadOnly(one.name, one.args) && hasOwnBytes(one));
    if (!repeatable || !this.#sendOnceMore(commands)) return;
    while (queue.shift()) {}
    this.release(slot, Taint.none, 'keep');
  }

  get errors(): PoolErrors {
    return this.#context.errors;
  }

  hush(error: Error, { options }: Redis): Error {
    return withoutSecrets(error, options);
  }

  lost(slot: PoolSlot, consequence: string): Error {
    return this.errors.lost(whyLost(slot), consequence, 'acquire another lease');
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
    if (this.#cancelSweep === undefined) this.#scheduleSweep();
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

  #scheduleSweep(): void {
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
    if (young && this.#cancelSweep === undefined) this.#scheduleSweep();
  }

  #collected(lease: Dropped): void {
    const { slot, uses } = lease;
    if (!slot.leased || slot.uses !== uses || slot.state !== 'inUse') return;
    if (slot.connection?.alive && slot.connection.pendingReplies > 0) {
      // The lease is gone, but somebody may still wait for the reply to one of its commands.
      this.#owing.add(lease);
      if (this.#cancelSweep === undefined) this.#scheduleSweep();
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

/** The longest time between two looks; a tenth of what is allowed, if that is shorter. */
const LONGEST_STEP_MS = 1000;

/** What a lease waits for. */
interface Owed {
  /** The command whose reply comes next. */
  readonly command: Command;
  /** When it was found to be that. */
  readonly since: number;
  /** Bytes that had come over the connection at the last look. */
  readonly heard: number | undefined;
}

/**
 * Gives up leases that wait for too long for the next reply. One timer looks at all that are out, and notes what they wait
 * for, so that a command costs nothing; it is there while some are out.
 */
class LeaseTimeouts {
  readonly #context: PoolContext;
  readonly #stepMs: number;
  #owed = new Map<PoolSlot, Owed>();
  /** Its timer is set, or must not be. A field, since it is read for each lease. */
  running: boolean;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(context: PoolContext) {
    this.#context = context;
    const { leaseReplyTimeoutMs } = context.options;
    this.#stepMs = Math.min(LONGEST_STEP_MS, Math.ceil(leaseReplyTimeoutMs / 10));
    this.running = leaseReplyTimeoutMs === Number.POSITIVE_INFINITY;
  }

  /** Since when nothing has come over the lease that has waited longest for a reply; `Infinity`: none is known of. */
  get silentSince(): number {
    let since = Number.POSITIVE_INFINITY;
    for (const [{ connection }, { command, since: waits }] of this.#owed) {
      if (nextOf(connection) !== command) continue; // it was answered
      since = Math.min(since, waits + blocksForMs(command.name, command.args));
    }
    return since;
  }

  /** A lease is out. */
  begin(): void {
    if (this.running) return;
    this.running = true;
    this.#cancel = this.#context.deps.clock.after(this.#stepMs, () => this.#checkReplies(), 'background');
  }

  stop(): void {
    this.#stopped = true;
    this.running = true;
    this.#cancel?.();
  }

  #checkReplies(): void {
    const { deps, slots, options } = this.#context;
    const { leaseReplyTimeoutMs } = options;
    const now = deps.clock.now();
    const owed = new Map<PoolSlot, Owed>();
    let out = false;
    for (const slot of slots.all) {
      if (!slot.leased) continue;
      out = true;
      const before = this.#owed.get(slot);
      const next = this.#nextOf(slot, now, before);
      if (next === undefined) continue;
      const { command, since, heard } = next;
      const overdue = now - since - leaseReplyTimeoutMs - blocksForMs(command.name, command.args);
      // What has come since the last look may be the beginning of a long reply; that has as long again to come.
      const talking = heard !== before?.heard && overdue < leaseReplyTimeoutMs;
      // A command of pool.redis that has a connection of its own is given up by who sent it.
      if (overdue < 0 || talking || slot.lane) owed.set(slot, next);
      else if (slot.connection) this.#giveUp(slot.connection);
    }
    this.#owed = owed;
    if (this.#stopped) return;
    this.running = false;
    if (out) this.begin();
  }

  #nextOf({ connection }: PoolSlot, now: number, before: Owed | undefined): Owed | undefined {
    const command = nextOf(connection);
    if (command === undefined) return undefined;
    const since = before?.command === command ? before.since : now;
    return { command, since, heard: connection?.client.stream?.bytesRead };
  }

  /** Nothing that comes over its connection can be trusted any more. */
  #giveUp(connection: Connection): void {
    const error = this.#context.errors.unanswered('leaseReplyTimeoutMs');
    const { commandQueue } = connection.client;
    for (let item = commandQueue.shift(); item; item = commandQueue.shift()) {
      rejectSafely(item.command, another(error));
    }
    connection.cut(error.cause as Error);
  }
}

/** Implements `use()` of a pool. */
export async function useLease<T>(
  pool: Pick<RedisPool, 'acquire'>,
  work: (redis: Lease) => T | PromiseLike<T>,
  options: AcquireOptions | undefined,
): Promise<T> {
  if (typeof work !== 'function') throw invalidOption(`use() takes a function, got ${typeof work}`);
  const lease = await pool.acquire(options);
  try {
    return await work(lease);
  } finally {
    lease.release();
  }
}

/** The command whose reply comes next over `connection`. */
function nextOf(connection: Connection | undefined): Command | undefined {
  return connection?.client.commandQueue.peekFront()?.command as Command | undefined;
}
