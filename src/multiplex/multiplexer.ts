import type { Command } from 'ioredis';
import { another } from '../api/errors.ts';
import { DEFAULTS } from '../api/resolve-options.ts';
import type { ConnectionPool } from '../core/connection-pool.ts';
import { type PoolContext, type PoolSlot, whyLost } from '../core/context.ts';
import type { Connection } from '../core/dependencies.ts';
import { whyExpired } from '../core/slot.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import { bytesOf } from '../ioredis/lean-command.ts';
import { deadline } from '../util/clock.ts';
import { Condition } from '../util/condition.ts';
import type { CommandGroup } from './command-group.ts';
import type { Touch } from './command-order.ts';
import { CommandQueue } from './command-queue.ts';
import type { DedicatedConnections } from './dedicated-connections.ts';
import { Dispatch, type DispatchOwner } from './dispatcher.ts';
import { type InFlight, Lane, type LaneOwner, type QueueEntry } from './lane.ts';
import { isFree } from './lane-choice.ts';
import { LargeReplies } from './lane-meter.ts';
import { RefusedCommands } from './refused-commands.ts';
import { toResend } from './resend.ts';
import { CommandTimeouts } from './timeouts.ts';

/** For at least this long the dispatcher is used, after more than one lane was busy. Milliseconds. */
const DISPATCH_MS = 50;

/**
 * The multiplexed commands: collected until they are many, or the tick ends, and sent over as few connections as the load
 * needs. A lane holds a connection while it has commands in flight, and waits for it in the same wait queue as leases.
 */
export class Multiplexer implements DispatchOwner, LaneOwner {
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  /** Sends commands that need a dedicated connection. */
  readonly dedicated: DedicatedConnections;
  readonly queue = new CommandQueue();
  readonly #large = new LargeReplies();
  readonly open: Lane[] = [];
  /** The lane of each connection that has ever been one. */
  readonly #known = new WeakMap<Connection, Lane>();
  /** Keeps the order of commands while more than one lane is busy. */
  #dispatch: Dispatch | undefined;
  /** Until when the dispatcher is used at least: when it starts, it has to record all that is in flight. */
  #dispatchUntil = 0;
  /** The bytes that sockets had not written at the end of the last tick. */
  #unwritten = 0;
  #flushDue = false;
  #flushing = false;
  /** A part of this tick's commands was sent over the only lane; that no reply was read since does not make it slow. */
  #inLine = false;
  /** Why a connection that was requested meanwhile is refused. */
  #refusal: unknown;
  /** Cancels the pending request for another connection. */
  #withdraw: (() => void) | undefined;
  /** The lane that was opened last. */
  #granted: Lane | undefined;
  /** Asks for a connection: the same each time, since a single caller needs one for each command. */
  readonly #request = {
    served: (slot: PoolSlot): void => {
      this.#withdraw = undefined;
      this.#granted = this.#opened(slot);
    },
    failed: (error: unknown): void => {
      this.#withdraw = undefined;
      this.#failed(error);
    },
  };
  readonly #timeouts: CommandTimeouts;
  /** Cancel the next look at what waits for a lane, and at the lanes that wait for replies: a timer each, for all. */
  #cancelQueueCheck: (() => void) | undefined;
  #cancelLaneCheck: (() => void) | undefined;
  /** Commands that Redis refused to run for now. */
  #refused: RefusedCommands | undefined;
  #stopped = false;
  #ended = false;
  /** `stop()` was called during a flush, and is due when that ends. */
  #stopDue = false;
  /** `true` if a client with a replaced sendCommand was seen; `undefined` while none was. */
  #watched: boolean | undefined;
  /** Nothing is waiting or in flight; as soon as somebody asks for that. */
  #quiet: Condition | undefined;

  constructor(context: PoolContext, connections: ConnectionPool, dedicated: DedicatedConnections) {
    this.#context = context;
    this.#connections = connections;
    this.dedicated = dedicated;
    this.#timeouts = new CommandTimeouts(context.options, this.queue, this.open);
  }

  /** Somebody may have wrapped the sendCommand of single clients. */
  get watched(): boolean {
    const { createClient, onConnect } = this.#context.options;
    return this.#watched ?? (createClient !== DEFAULTS.createClient || onConnect !== undefined);
  }

  /** Since when nothing has come over the lane that has waited longest for a reply; `Infinity`: none waits. */
  get silentSince(): number {
    return Math.min(...this.open.map(({ waitingSince, heardAt }) => Math.max(waitingSince, heardAt)));
  }

  /** Queues a command that may share a connection. */
  send(command: Command): void {
    const bytes = bytesOf(command);
    const refusal = this.#whyNot(this.#brought, this.queue.bytes, bytes);
    if (refusal) {
      rejectSafely(command, refusal);
      return;
    }
    this.queue.add(command, bytes);
    this.#flushSoon();
    if (this.queue.isDue) this.#sendEarly();
  }

  /** Queues a group; its commands follow synchronously, with a call of `added` for each. */
  sendGroup(group: CommandGroup): void {
    this.queue.addGroup(group);
    this.#flushSoon();
  }

  /** To be called for each command of `group`. A group that is alone may be of any size. */
  added(group: CommandGroup): void {
    const { commands } = group;
    const bytes = bytesOf(commands.at(-1) as Command);
    if (!group.refusal) {
      const brought = this.#brought;
      const length = brought === commands.length - 1 ? 0 : brought;
      const refusal = this.#whyNot(length, this.queue.bytes - group.bytes, group.bytes + bytes);
      if (refusal) group.refuse(refusal);
    }
    this.queue.addedTo(group, bytes);
  }

  /** To be called when all commands of `group` are added. */
  ended(group: CommandGroup): void {
    group.ended = true;
    if (this.queue.isDue) this.#sendEarly();
  }

  /** `waiting` callers wait for a connection: as many lanes have to release theirs. */
  makeRoom(waiting: number): void {
    if (waiting <= 0) return;
    const busy = this.open.filter(({ draining }) => !draining).sort((a, b) => a.inFlight - b.inFlight);
    for (const lane of busy.slice(0, Math.max(0, waiting - (this.open.length - busy.length)))) {
      this.#drain(lane);
    }
  }

  /** Resolves when nothing is queued or in flight. */
  quiet(): Promise<void> {
    this.#quiet ??= new Condition(
      this.#context.deps.clock,
      () => this.queue.length === 0 && this.open.every(({ inFlight }) => inFlight === 0),
    );
    return this.#quiet.wait(Number.POSITIVE_INFINITY, () => undefined);
  }

  /** Sends what can be sent at once, and refuses the rest. What is in flight is still answered. */
  stop(): void {
    if (this.#stopped) return;
    if (this.#flushing) {
      this.#stopDue = true; // called by a listener: first the current flush has to end
      return;
    }
    this.#stopDue = false;
    this.#flush();
    this.#stopped = true;
    this.#refused?.stop();
    this.#rejectAll(this.queue.length > 0 ? this.#context.errors.closed() : undefined);
    for (const lane of [...this.open]) this.#drain(lane);
  }

  /** Cancels its timers, when the pool is closed. */
  end(): void {
    this.#ended = true;
    this.#cancelQueueCheck?.();
    this.#cancelLaneCheck?.();
  }

  get maxLanes(): number {
    return this.#context.options.maxLanes;
  }

  get maxInFlight(): number {
    return this.#context.options.maxInFlight;
  }

  get spare(): boolean {
    return this.#connections.hasSpare;
  }

  /** How many commands would be queued, had none been sent before the end of the tick. */
  get #brought(): number {
    const { length, sentEarly } = this.queue;
    if (length + sentEarly < this.#context.options.maxQueuedCommands) return length + sentEarly;
    // It matters now: callers may have gone round within this tick, so that only what is in flight counts.
    let inFlight = 0;
    for (const lane of this.open) inFlight += lane.inFlight;
    return length + Math.min(sentEarly, inFlight);
  }

  /** Why `bytes` more are refused, if they are: `length` commands and `others` bytes are queued already. */
  #whyNot(length: number, others: number, bytes: number): Error | undefined {
    const { maxQueuedBytes, maxQueuedCommands } = this.#context.options;
    const { errors } = this.#context;
    if (this.#stopped) return errors.closed();
    if (length >= maxQueuedCommands) {
      return errors.exhausted(`${maxQueuedCommands} commands wait for a lane already (maxQueuedCommands)`);
    }
    if (others + this.#unwritten + this.dedicated.bytes + bytes <= maxQueuedBytes) return undefined;
    this.#lookAtSockets(); // they may have written some of it since
    const held = others + this.#unwritten + this.dedicated.unwritten;
    if (held === 0 || held + bytes <= maxQueuedBytes) return undefined; // alone it may be of any size
    return errors.exhausted(
      `${held} bytes of arguments are queued already (maxQueuedBytes ${maxQueuedBytes})`,
    );
  }

  #lookAtSockets(): void {
    let bytes = 0;
    for (const lane of this.open) {
      bytes += lane.unwritten;
      this.#watched ||= lane.watched;
    }
    this.#unwritten = bytes;
  }

  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#context.deps.clock.soon(this.#flush);
  }

  /** Sends what this tick has brought so far, if one connection that is at hand is all that it needs. */
  #sendEarly(): void {
    if (this.#flushing) return;
    const now = this.#context.deps.clock.now();
    this.#flushing = true;
    this.queue.sendEarly(() => {
      this.#inLine = this.#isAtHand(now);
      if (this.#inLine) this.#sendInLine(now);
    });
    this.#flushing = false;
    this.#lookAtSockets();
  }

  /** Whether one connection takes all, and is there. */
  #isAtHand(now: number): boolean {
    if (now < this.#dispatchUntil || !this.#calm(now)) return false;
    const [lane] = this.open;
    return lane ? !isOutdated(lane, now) : this.#connections.topIdle !== undefined;
  }

  readonly #flush = (): void => {
    this.#flushDue = false;
    const now = this.#context.deps.clock.now();
    this.queue.endBatch(now);
    this.#flushing = true;
    // From the end, here and below: those that are released are removed from the list.
    for (let i = this.open.length - 1; i >= 0; i--) {
      const lane = this.open[i];
      if (lane && isOutdated(lane, now)) this.#drain(lane);
    }
    if (this.queue.batches.length > 0) this.#send(now);
    this.#flushing = false;
    this.#inLine = false;
    const refusal = this.#refusal;
    this.#refusal = undefined;
    if (refusal !== undefined) this.#failed(refusal);
    this.#lookAtSockets();
    this.makeRoom(this.#connections.excess);
    for (let i = this.open.length - 1; i >= 0; i--) {
      const lane = this.open[i];
      if (lane?.inFlight === 0) this.#release(lane);
    }
    this.#dispatch?.sendAlone();
    this.#watchTime(now);
    this.#quiet?.notify();
    if (this.#stopDue) this.stop();
  };

  /** Starts the timers for what may be overdue first. */
  #watchTime(now: number): void {
    if (this.#ended) return;
    const { clock } = this.#context.deps;
    this.#cancelQueueCheck ??= deadline(
      clock,
      this.#timeouts.untilExpired(now),
      this.#checkQueue,
      'background',
    );
    this.#cancelLaneCheck ??= clock.after(this.#timeouts.untilSilent(now), this.#checkLanes, 'background');
  }

  readonly #checkQueue = (): void => {
    const { deps, errors, options } = this.#context;
    const now = deps.clock.now();
    this.#cancelQueueCheck = undefined;
    const expired = this.#timeouts.expiredBefore(now);
    if (expired) this.#reject(expired.moment, errors.timedOut(expired.oldest, options.acquireTimeoutMs));
    if (this.queue.length > 0 || this.open.length > 0) this.#watchTime(now);
  };

  readonly #checkLanes = (): void => {
    const now = this.#context.deps.clock.now();
    this.#cancelLaneCheck = undefined;
    for (const lane of this.#timeouts.silentLanes(now)) this.#giveUp(lane);
    if (this.queue.length > 0 || this.open.length > 0) this.#watchTime(now);
  };

  #send(now: number): void {
    if (!this.#calm(now)) {
      this.#dispatch ??= new Dispatch(this, this.queue, this.#large);
      this.#dispatchUntil = Math.max(this.#dispatchUntil, now + DISPATCH_MS);
      this.#dispatch.pass(now);
    } else if (now >= this.#dispatchUntil) {
      this.#dispatch = undefined;
      this.#sendInLine(now);
    } else {
      this.#dispatch?.pass(now);
    }
  }

  /** Whether everything can be sent over one lane in the order given, without the dispatcher. */
  #calm(now: number): boolean {
    if (this.queue.dedicatedGroups > 0 || this.#dispatch?.waits || this.#refused?.any) return false;
    if (this.maxLanes === 1) return true;
    if (this.open.length > 1 || this.#large.wary(now)) return false;
    const [lane] = this.open;
    if (lane === undefined) return true;
    return lane.takes(this.maxInFlight) && (this.#inLine || !this.spare || isFree(lane, now, false));
  }

  /** Sends over the only lane, as much as it accepts. */
  #sendInLine(now: number): void {
    const { batches } = this.queue;
    for (let batch = batches[0]; batch !== undefined; batch = batches[0]) {
      const lane = this.open[0] ?? this.ask(now);
      if (!lane?.takes(this.maxInFlight)) return;
      this.queue.sent(batch, lane.send(batch.units, batch.sent, this.maxInFlight, now));
      if (batches[0] === batch) return;
    }
  }

  sendAlone(commands: readonly Command[], since: number, mayBlock: boolean, over: () => void): void {
    this.dedicated.send(commands, since, mayBlock, () => {
      over();
      if (this.queue.batches.length > 0) this.#flushSoon();
    });
  }

  /** Asks for one more connection, unless one is under way. It comes at once, or in its time, or not. */
  ask(now: number): Lane | undefined {
    if (this.#refusal !== undefined || this.#withdraw) return undefined; // it was just asked for
    this.#granted = undefined;
    try {
      this.#withdraw = this.#connections.acquireForLane(this.#request, now);
    } catch (error) {
      this.#failed(error);
    }
    const lane = this.#granted;
    this.#granted = undefined;
    return lane;
  }

  #opened(slot: PoolSlot): Lane {
    const { connection } = slot;
    const { clock } = this.#context.deps;
    if (!connection) throw new Error('bug: a slot without a connection was lent');
    let lane = this.#known.get(connection);
    if (lane === undefined) {
      lane = new Lane(connection, clock, this.#large, this);
      this.#known.set(connection, lane);
    }
    slot.uses++;
    slot.lane = lane;
    lane.open(slot);
    this.open.push(lane);
    // It may have come while a pipeline is being filled, which is flushed at the end of the tick.
    if (!this.#flushing && this.queue.isWhole) this.#flush();
    return lane;
  }

  /** The request for a connection failed. With a lane left, that one sends everything. */
  #failed(error: unknown): void {
    // During a flush, the queue must not lose what is not sent.
    if (this.#flushing) this.#refusal = error;
    else if (this.open.every(({ draining }) => draining)) this.#rejectAll(error);
  }

  answered(lane: Lane, now: number, replies = 0): void {
    if (this.#refused?.any) this.#refused.answered(lane);
    const waiting = this.queue.length - this.queue.held.commands;
    this.queue.answered(replies, lane.inFlight);
    if (lane.inFlight === 0 && (lane.draining || waiting === 0)) this.#release(lane, undefined, now);
    else if (this.queue.batches.length > 0) this.#flushSoon();
    this.#quiet?.notify();
  }

  refused(lane: Lane, item: InFlight, error: Error): boolean {
    if (this.#stopped) return false;
    // Of a cluster's node, the router of the cluster sees to it: the node may never be able to run it.
    if (this.#context.deps.events) return false;
    this.#refused ??= new RefusedCommands(this.#context, this.#connections, this);
    return this.#refused.take(lane, item, error);
  }

  mustWait(touch: Touch): boolean {
    return this.#refused?.comesBefore(touch) ?? false;
  }

  sendAgain(units: readonly QueueEntry[], since: number): void {
    this.queue.putFirst(units, since);
    if (this.queue.batches.length > 0) this.#flushSoon();
    this.#quiet?.notify();
  }

  /** Sends commands once more whose connection, a lease's, was lost; returns whether it does. */
  sendOnceMore(commands: readonly Command[]): boolean {
    if (this.#stopped) return false;
    const items = commands.map((command) => ({ command, stream: undefined }));
    this.sendAgain(
      toResend(items, () => this.#context.errors.lost(undefined)),
      this.#context.deps.clock.now(),
    );
    return true;
  }

  /** Makes a lane release its connection, as soon as everything is answered. */
  #drain(lane: Lane): void {
    lane.draining = true;
    if (lane.inFlight === 0) this.#release(lane);
  }

  /** Releases a lane's connection. */
  #release(lane: Lane, reason?: 'broken', now?: number): void {
    const { slot } = lane;
    if (slot === undefined) return;
    if (this.open.at(-1) === lane) this.open.pop();
    else this.open.splice(this.open.indexOf(lane), 1);
    lane.close();
    slot.lane = undefined;
    this.#refused?.closed(lane);
    this.#connections.release(slot, reason, undefined, now);
    if (this.queue.batches.length > 0) this.#flushSoon();
  }

  lost(lane: Lane, cause: Error | undefined): void {
    const again = toResend(lane.takeUnanswered(), () =>
      this.#context.errors.lost(cause ?? (lane.slot && whyLost(lane.slot))),
    );
    this.queue.putFirst(again, this.#context.deps.clock.now());
    this.#release(lane, 'broken');
  }

  #rejectAll(error: unknown): void {
    this.queue.endBatch(this.#context.deps.clock.now());
    this.#reject(Number.POSITIVE_INFINITY, error);
  }

  /** Rejects what was queued at `moment` or before. */
  #reject(moment: number, error: unknown): void {
    this.queue.reject(moment, error as Error);
    this.#quiet?.notify();
    if (this.queue.length > 0) return;
    this.#withdraw?.();
    this.#withdraw = undefined;
  }

  /** The reply is overdue. */
  #giveUp(lane: Lane): void {
    const error = this.#context.errors.unanswered('replyTimeoutMs');
    for (const { command } of lane.takeUnanswered()) rejectSafely(command, another(error));
    this.#release(lane, 'broken');
  }
}

/**
 * Whether it must not be used any more. A new connection sends its first batch, however short its lifetime, or dialling
 * would never end.
 */
function isOutdated({ slot, used }: Lane, now: number): boolean {
  return slot !== undefined && (used || slot.stale !== undefined) && whyExpired(slot, now) !== undefined;
}
