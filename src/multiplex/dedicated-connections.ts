import type { Socket } from 'node:net';
import type { Command } from 'ioredis';
import { another } from '../api/errors.ts';
import type { Lease } from '../api/lease.ts';
import type { ConnectionPool } from '../core/connection-pool.ts';
import type { PoolContext, PoolSlot } from '../core/context.ts';
import { type AcquireRequest, WaitQueue } from '../core/wait-queue.ts';
import { blocksForMs } from '../ioredis/command-kinds.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import { bytesOf } from '../ioredis/lean-command.ts';
import { handOver } from '../ioredis/watched-command.ts';
import type { LeaseManager } from '../lease/lease-manager.ts';
import { MOST_QUARTERS } from './timeouts.ts';

/** Commands that are sent together, over a connection that is dedicated to them until all are answered. */
class Errand {
  /** The size of their arguments. Bytes. */
  readonly bytes: number;
  /** The number of them that are answered. */
  answered = 0;
  ended = false;
  slot: PoolSlot | undefined;
  lease: Lease | undefined;
  /** The socket, once they are written. */
  stream: Pick<Socket, 'writableLength'> | undefined;
  /** When bytes arrived last. */
  heardAt = 0;
  /** Cancels the timer for the next reply. */
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
 * Gives commands of `pool.redis` that may block, or are unknown, a dedicated connection until they are answered. Those
 * that may block always leave one connection for others, since the command that they wait for needs one.
 */
export class DedicatedConnections {
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  readonly #lending: LeaseManager;
  readonly #most: number;
  /** Blocking commands that wait until fewer others are running. */
  readonly #line: WaitQueue<undefined>;
  #busy = 0;
  readonly #errands = new Set<Errand>();
  /** The size of the arguments of all that are not answered. Bytes. */
  bytes = 0;

  constructor(context: PoolContext, connections: ConnectionPool, lending: LeaseManager) {
    this.#context = context;
    this.#connections = connections;
    this.#lending = lending;
    this.#most = Math.max(1, context.options.maxActive - 1);
    const { acquireTimeoutMs: timeoutMs } = context.options; // for the error: the whole time-out, not the rest of it
    this.#line = new WaitQueue(context.deps.clock, ({ since, signal }, why) =>
      context.errors.gaveUp({ since, signal, timeoutMs }, why),
    );
  }

  /** How many blocking commands wait until fewer others are running. */
  get waiting(): number {
    return this.#line.length;
  }

  /** The part of `bytes` that is not written yet. */
  get unwritten(): number {
    let bytes = 0;
    for (const errand of this.#errands) bytes += errand.stream?.writableLength ?? errand.bytes;
    return bytes;
  }

  get waitMs(): number {
    return this.#line.waitMs;
  }

  /** Sends `commands` together, which are queued `since`; calls `over` when all are answered, or cannot be sent. */
  send(commands: readonly Command[], since: number, mayBlock: boolean, over: () => void): void {
    const errand = new Errand(commands, mayBlock, over);
    this.bytes += errand.bytes;
    this.#errands.add(errand);
    const { deps, options } = this.#context;
    const { maxWaiting, wait } = options;
    const timeoutMs = Math.max(0, Math.ceil(options.acquireTimeoutMs - (deps.clock.now() - since)));
    if (!mayBlock || this.#busy < this.#most) {
      this.#begin(errand, timeoutMs);
    } else if (this.#line.length >= (wait ? maxWaiting : 0)) {
      const why = `${this.#most} connections run commands that may block, and ${this.#line.length} wait for one`;
      this.#end(errand, this.#context.errors.exhausted(why));
    } else {
      const served = (_: undefined, waitedMs: number): void =>
        this.#begin(errand, Math.max(0, Math.ceil(timeoutMs - waitedMs)));
      const failed = (error: unknown): void => this.#end(errand, error);
      this.#line.enqueue(this.#line.add({ served, failed }, timeoutMs, undefined), true);
      const { events } = this.#context;
      if (events.count('wait')) events.emit('wait', { waiting: events.stats().waiting });
    }
  }

  /** Refuses those that wait: the pool is closed. */
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
      // A command that somebody has modified may never settle; its connection is released all the same.
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
          command.reject(error as Error); // thrown by a client of a user's class
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

  /** Everything is answered, or lost. */
  #over(errand: Errand): void {
    if (errand.ended) return;
    errand.ended = true;
    errand.cancel();
    this.#letGo(errand);
    errand.lease?.release();
    this.#end(errand);
    this.#leave(errand);
  }

  /** Starts the timer for the next reply. */
  #watch(errand: Errand): void {
    const next = errand.commands[errand.answered];
    if (next === undefined) return;
    const ms = this.#context.options.replyTimeoutMs + blocksForMs(next.name, next.args);
    this.#lookIn(errand, ms, this.#context.deps.clock.now() + ms);
  }

  #lookIn(errand: Errand, ms: number, heardAfter: number, more = MOST_QUARTERS): void {
    const { deps, options } = this.#context;
    errand.cancel = deps.clock.after(ms, () => {
      // As for lanes: bytes that arrived just now, after the loop was blocked, may be the beginning of the reply.
      const talking = more > 0 && errand.heardAt > heardAfter;
      if (talking) this.#lookIn(errand, options.replyTimeoutMs / 4, deps.clock.now(), more - 1);
      else this.#giveUp(errand);
    });
  }

  /** Records when bytes arrive. */
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

  /** The reply is overdue. */
  #giveUp(errand: Errand): void {
    errand.fail(this.#context.errors.unanswered('replyTimeoutMs'));
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

  /** Lets the next blocking command run. */
  #leave({ mayBlock }: Errand): void {
    if (!mayBlock) return;
    this.#busy--;
    const next = this.#line.first;
    if (next) this.#line.serve(next, undefined);
  }
}
