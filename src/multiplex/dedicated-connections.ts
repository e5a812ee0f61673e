import type { Socket } from 'node:net';
import type { Command } from 'ioredis';
import { another } from '../api/errors.ts';
import type { Lease } from '../api/lease.ts';
import type { ConnectionPool } from '../core/connection-pool.ts';
import type { PoolContext, PoolSlot } from '../core/context.ts';
import { noReplyWithin } from '../core/pool-errors.ts';
import { type AcquireRequest, WaitQueue } from '../core/wait-queue.ts';
import { blocksForMs } from '../ioredis/command-kinds.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import { bytesOf } from '../ioredis/lean-command.ts';
import { handOver } from '../ioredis/watched-command.ts';
import type { LeaseManager } from '../lease/lease-manager.ts';
import { MOST_QUARTERS } from './timeouts.ts';

/** Commands that go together, over a connection that is theirs until all are answered. */
class Errand {
  /** What their arguments weigh. */
  readonly bytes: number;
  /** How many of them are answered. */
  answered = 0;
  ended = false;
  slot: PoolSlot | undefined;
  lease: Lease | undefined;
  /** What they are written to, once they are. */
  stream: Pick<Socket, 'writableLength'> | undefined;
  /** When bytes came last. */
  heardAt = 0;
  /** Cancels the look at whether the next reply is overdue. */
  cancel: () => void = () => {};

  constructor(
    readonly commands: readonly Command[],
    readonly mayBlock: boolean,
    readonly over: () => void,
  ) {
    this.bytes = commands.reduce((sum, command) => sum + bytesOf(command), 0);
  }

  fail(error: unknown): void {
    for (const command of this.commands) rejectSafely(command, another(error));
  }
}

/**
 * Gives commands of `pool.redis` that may block, or that nobody knows, a connection of their own for their time. Those
 * that may block always leave one connection for others, so that what they wait for can come to pass.
 */
export class DedicatedConnections {
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  readonly #lending: LeaseManager;
  readonly #most: number;
  /** Those who wait until fewer are at it. */
  readonly #line: WaitQueue<undefined>;
  #busy = 0;
  readonly #errands = new Set<Errand>();
  /** What the arguments of those weigh that are not answered. */
  bytes = 0;

  constructor(context: PoolContext, connections: ConnectionPool, lending: LeaseManager) {
    this.#context = context;
    this.#connections = connections;
    this.#lending = lending;
    this.#most = Math.max(1, context.options.maxActive - 1);
    const { acquireTimeoutMs: timeoutMs } = context.options; // the time that was given, not what was left of it
    this.#line = new WaitQueue(context.deps.clock, ({ since, signal }, why) =>
      context.errors.gaveUp({ since, signal, timeoutMs }, why),
    );
  }

  /** How many wait until fewer are at it. */
  get waiting(): number {
    return this.#line.length;
  }

  /** Of `bytes`, what is not written yet. */
  get unwritten(): number {
    let bytes = 0;
    for (const errand of this.#errands) bytes += errand.stream?.writableLength ?? errand.bytes;
    return bytes;
  }

  get waitMs(): number {
    return this.#line.waitMs;
  }

  /** Sends `commands` together, which came `since`; `over` is called when all are answered, or cannot be sent. */
  send(commands: readonly Command[], since: number, mayBlock: boolean, over: () => void): void {
    const errand = new Errand(commands, mayBlock, over);
    this.bytes += errand.bytes;
    this.#errands.add(errand);
    const { deps, options } = this.#context;
    const { maxWaiting, wait } = options;
    const timeoutMs = Math.max(0, options.acquireTimeoutMs - (deps.clock.now() - since));
    if (!mayBlock || this.#busy < this.#most) {
      this.#begin(errand, timeoutMs);
    } else if (this.#line.length >= (wait ? maxWaiting : 0)) {
      const why = `${this.#most} connections run commands that may block, and ${this.#line.length} wait for one`;
      this.#end(errand, this.#context.errors.exhausted(why));
    } else {
      const served = (_: undefined, waitedMs: number): void =>
        this.#begin(errand, Math.max(0, timeoutMs - waitedMs));
      const failed = (error: unknown): void => this.#end(errand, error);
      this.#line.enqueue(this.#line.add({ served, failed }, timeoutMs, undefined), true);
      const { events } = this.#context;
      if (events.count('wait')) events.emit('wait', { waiting: events.stats().waiting });
    }
  }

  /** Refuses those who wait; the pool is closed. */
  stop(): void {
    this.#line.failAll(() => this.#context.errors.closed());
  }

  #begin(errand: Errand, timeoutMs: number): void {
    if (errand.mayBlock) this.#busy++;
    const failed = (error: unknown): void => {
      this.#end(errand, error);
      this.#leave(errand);
    };
    const served: AcquireRequest<PoolSlot>['served'] = (slot, waitedMs) => {
      const lease = this.#lending.create(slot, waitedMs, undefined);
      // A command that somebody has changed may never settle; its connection comes back all the same.
      slot.lane = { lost: () => this.#over(errand) };
      errand.slot = slot;
      errand.lease = lease;
      this.#listen(errand);
      const answered = (): void => this.#answered(errand);
      const stream = slot.connection?.client.stream;
      stream?.cork();
      for (const command of errand.commands) {
        command.promise.then(answered, answered);
        try {
          handOver(command, lease);
        } catch (error) {
          command.reject(error as Error); // a client of the user's own class
        }
      }
      stream?.uncork();
      errand.stream = stream ?? { writableLength: 0 };
      this.#watch(errand);
    };
    try {
      this.#connections.acquire({ timeoutMs }, { served, failed });
    } catch (error) {
      failed(error);
    }
  }

  #answered(errand: Errand): void {
    errand.answered++;
    errand.cancel();
    if (errand.answered === errand.commands.length) this.#over(errand);
    else if (!errand.ended) this.#watch(errand);
  }

  /** All is answered, or lost. */
  #over(errand: Errand): void {
    if (errand.ended) return;
    errand.ended = true;
    errand.cancel();
    this.#letGo(errand);
    errand.lease?.release();
    this.#end(errand);
    this.#leave(errand);
  }

  /** Sees to it that the next reply comes in its time. */
  #watch(errand: Errand): void {
    const next = errand.commands[errand.answered];
    if (next === undefined) return;
    const ms = this.#context.options.replyTimeoutMs + blocksForMs(next.name, next.args);
    this.#lookIn(errand, ms, this.#context.deps.clock.now() + ms);
  }

  #lookIn(errand: Errand, ms: number, heardAfter: number, more = MOST_QUARTERS): void {
    const { deps, options } = this.#context;
    errand.cancel = deps.clock.after(ms, () => {
      // As for lanes: what has come just now, after a block, may be the beginning.
      const talking = more > 0 && errand.heardAt > heardAfter;
      if (talking) this.#lookIn(errand, options.replyTimeoutMs / 4, deps.clock.now(), more - 1);
      else this.#giveUp(errand);
    });
  }

  /** Notes when bytes come. */
  #listen(errand: Errand): void {
    const intake = errand.slot?.connection?.intake;
    if (!intake?.inFront) return;
    const { clock } = this.#context.deps;
    intake.listener = (chunk) => {
      errand.heardAt = clock.now();
      intake.read(chunk);
    };
  }

  #letGo({ slot }: Errand): void {
    if (slot === undefined) return;
    slot.lane = undefined;
    if (slot.connection?.intake) slot.connection.intake.listener = undefined;
  }

  /** No reply has come for too long. */
  #giveUp(errand: Errand): void {
    const why = `connection lost: ${noReplyWithin(this.#context.options.replyTimeoutMs)}; the command may have run`;
    errand.fail(this.#context.errors.make('POOL_CONNECTION_LOST', why));
    this.#letGo(errand);
    errand.lease?.destroy();
    this.#over(errand);
  }

  #end(errand: Errand, error?: unknown): void {
    if (error !== undefined) errand.fail(error);
    this.bytes -= errand.bytes;
    this.#errands.delete(errand);
    errand.over();
  }

  /** Lets the next one in. */
  #leave({ mayBlock }: Errand): void {
    if (!mayBlock) return;
    this.#busy--;
    const next = this.#line.first;
    if (next) this.#line.serve(next, undefined);
  }
}
