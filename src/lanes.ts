import type { Command } from 'ioredis';
import { CommandQueue } from './command-queue.ts';
import type { Group } from './commands/group.ts';
import { Lane } from './commands/lane.ts';
import { toResend } from './commands/losses.ts';
import { Condition } from './condition.ts';
import { chooseLane } from './core/lane-choice.ts';
import { LargeReplies } from './core/large-replies.ts';
import { whyExpired } from './core/reap.ts';
import { another } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { Connection } from './hands.ts';
import { type House, type PoolSlot, poolError, whyLost } from './house.ts';
import { DEFAULTS } from './options.ts';
import { Overdue } from './overdue.ts';
import { rejectSafely } from './redis/internals.ts';

/**
 * The multiplexed commands: gathered until the tick is over, and sent over as few connections as the load needs. A
 * lane holds a connection while it has commands in flight, and asks for it in the queue in which all others stand.
 */
export class Lanes {
  readonly #house: House;
  readonly #exchange: Exchange;
  /** Takes groups that need a connection of their own. */
  readonly #elsewhere: (commands: readonly Command[]) => void;
  readonly queue = new CommandQueue();
  readonly #large = new LargeReplies();
  readonly open: Lane[] = [];
  /** One for each connection that has ever been one. */
  readonly #known = new WeakMap<Connection, Lane>();
  #flushDue = false;
  #flushing = false;
  /** Takes back the request for another connection that is under way. */
  #withdraw: (() => void) | undefined;
  readonly #overdue: Overdue;
  #stopped = false;
  /** A client was seen with a sendCommand of its own; `undefined` while none was seen. */
  #watched: boolean | undefined;
  /** Nothing is waiting or in flight. */
  readonly #quiet: Condition;

  constructor(house: House, exchange: Exchange, elsewhere: (commands: readonly Command[]) => void) {
    this.#house = house;
    this.#exchange = exchange;
    this.#elsewhere = elsewhere;
    this.#quiet = new Condition(
      house.hands.clock,
      () => this.queue.length === 0 && this.open.every(({ inFlight }) => inFlight === 0),
    );
    this.#overdue = new Overdue(house, this.queue, this.open, {
      expired: (moment, waited) => this.#reject(moment, exchange.admission.gaveUp(waited, 'timeout')),
      silent: (lane) => this.#giveUp(lane),
    });
  }

  /** Somebody may have put something around the sendCommand of single clients. */
  get watched(): boolean {
    const { createClient, onConnect } = this.#house.options;
    return this.#watched ?? (createClient !== DEFAULTS.createClient || onConnect !== undefined);
  }

  /** Takes a command that may share a connection. */
  send(command: Command): void {
    if (this.#stopped || this.queue.length >= this.#house.options.maxQueuedCommands) {
      rejectSafely(command, this.#refusal());
      return;
    }
    this.queue.add(command);
    this.#flushSoon();
  }

  /** Takes a group; its commands are added in the same go, and `added` is told of each. */
  sendGroup(group: Group): void {
    this.queue.addGroup(group);
    this.#flushSoon();
  }

  /** Tells of one more command in `group`. One that comes alone may be as large as it likes. */
  added(group: Group): void {
    const { length } = this.queue;
    const alone = length === group.commands.length - 1;
    if (this.#stopped || (!alone && length >= this.#house.options.maxQueuedCommands)) {
      group.refuse(this.#refusal());
    }
    this.queue.length++;
  }

  /** `waiting` callers are in line for a connection: as many lanes must come to rest. */
  makeRoom(waiting: number): void {
    if (waiting <= 0) return;
    const busy = this.open.filter(({ draining }) => !draining).sort((a, b) => a.inFlight - b.inFlight);
    for (const lane of busy.slice(0, Math.max(0, waiting - (this.open.length - busy.length)))) {
      this.#drain(lane);
    }
  }

  /** Resolves when nothing is waiting or in flight. */
  quiet(): Promise<void> {
    return this.#quiet.wait(Number.POSITIVE_INFINITY, () => undefined);
  }

  /** Sends what can be sent at once, and refuses the rest. What is in flight comes to its end. */
  stop(): void {
    if (this.#stopped) return;
    this.#flush();
    this.#stopped = true;
    this.#rejectAll(this.queue.length > 0 ? this.#exchange.admission.closed() : undefined);
    for (const lane of [...this.open]) this.#drain(lane);
  }

  /** Lets go of time: all is over. */
  readonly end = (): void => this.#overdue.stop();

  #refusal(): Error {
    const { admission } = this.#exchange;
    if (this.#stopped) return admission.closed();
    const { maxQueuedCommands } = this.#house.options;
    return admission.exhausted(`${maxQueuedCommands} commands wait for a lane already (maxQueuedCommands)`);
  }

  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#house.hands.clock.soon(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushDue = false;
    const now = this.#house.hands.clock.now();
    this.queue.endBatch(now, this.#elsewhere);
    if (this.#large.wary(now)) this.queue.splitLast(this.#large);
    this.#flushing = true;
    for (const lane of [...this.open]) {
      // One that was just dialled takes its first batch, however short its life is, or there would be no end of dials.
      if (lane.slot && whyExpired(lane.slot, now) && (lane.used || lane.slot.stale)) this.#drain(lane);
    }
    while (this.#sendNext(now)) {}
    this.#flushing = false;
    this.makeRoom(this.#exchange.line.excess);
    for (const lane of [...this.open]) if (lane.inFlight === 0) this.#rest(lane);
    this.#overdue.watch(now);
    this.#quiet.look();
  };

  /** Sends of the first batch for which there is a lane; returns whether there was one. */
  #sendNext(now: number): boolean {
    const { maxInFlight } = this.#house.options;
    const held: Lane[] = []; // a group waits until they have room for it, and nobody overtakes it
    for (const batch of this.queue.batches) {
      // The rest of a batch goes where its first part is still under way, or they could overtake each other.
      const lane = batch.lane?.slot ? batch.lane : this.#chooseLane(now, batch.large);
      if (!lane?.takes(maxInFlight) || held.includes(lane)) continue;
      const sent = lane.send(batch.units, batch.sent, maxInFlight);
      if (sent > batch.sent) {
        this.#watched ||= lane.watched;
        if (batch.large) lane.meter.large = true;
        batch.lane = lane;
        this.queue.sent(batch, sent);
        return true;
      }
      held.push(lane);
    }
    return false;
  }

  #chooseLane(now: number, large: boolean): Lane | undefined {
    const { maxInFlight, maxLanes } = this.#house.options;
    const usable = this.open.filter((lane) => lane.takes(maxInFlight));
    const choice = chooseLane(usable, now, { large, wary: this.#large.wary(now), maxLanes });
    const before = this.open.length;
    if (choice?.free || before >= maxLanes) return choice?.lane;
    if (choice === undefined || this.#exchange.line.spare) this.#ask();
    return this.open.length > before ? this.open.at(-1) : choice?.lane;
  }

  /** Asks for one more connection. It comes at once, or in its time, or not. */
  #ask(): void {
    if (this.#withdraw) return;
    let pending = true;
    const answered = (): void => {
      pending = false;
      this.#withdraw = undefined;
    };
    try {
      const withdraw = this.#exchange.requestLane({
        served: (slot) => {
          answered();
          this.#opened(slot);
        },
        failed: (error) => {
          answered();
          this.#failed(error);
        },
      });
      if (pending) this.#withdraw = withdraw;
    } catch (error) {
      this.#failed(error);
    }
  }

  #opened(slot: PoolSlot): void {
    const { connection } = slot;
    const { clock } = this.#house.hands;
    if (!connection) throw new Error('bug: a slot without a connection was lent');
    const lane =
      this.#known.get(connection) ?? new Lane(connection, clock, this.#large, (one) => this.#answered(one));
    this.#known.set(connection, lane);
    slot.uses++;
    slot.lane = { lost: (cause) => this.#lost(lane, cause) };
    lane.open(slot);
    this.open.push(lane);
    if (!this.#flushing) this.#flush();
  }

  /** There is no further connection to be had. With a lane left, all goes on. */
  #failed(error: unknown): void {
    if (this.open.every(({ draining }) => draining)) this.#rejectAll(error);
  }

  #answered(lane: Lane): void {
    if (lane.inFlight === 0 && (lane.draining || this.queue.length === 0)) this.#rest(lane);
    else if (this.queue.batches.length > 0) this.#flushSoon();
    this.#quiet.look();
  }

  /** Has a lane come to rest, as soon as all is answered. */
  #drain(lane: Lane): void {
    lane.draining = true;
    if (lane.inFlight === 0) this.#rest(lane);
  }

  /** Gives a lane's connection back. */
  #rest(lane: Lane, reason?: 'broken'): void {
    const { slot } = lane;
    if (slot === undefined) return;
    this.open.splice(this.open.indexOf(lane), 1);
    lane.close();
    slot.lane = undefined;
    this.#exchange.rest(slot, slot.connection?.alive ? reason : 'broken');
    if (this.queue.batches.length > 0) this.#flushSoon();
  }

  /** A lane's connection died. */
  #lost(lane: Lane, cause: Error | undefined): void {
    const again = toResend(lane.takeUnanswered(), () =>
      poolError(
        this.#house,
        'POOL_CONNECTION_LOST',
        'connection lost: the command may have run',
        cause ?? (lane.slot && whyLost(lane.slot)),
      ),
    );
    this.queue.putFirst(again, this.#house.hands.clock.now());
    this.#rest(lane, 'broken');
  }

  #rejectAll(error: unknown): void {
    this.queue.endBatch(this.#house.hands.clock.now(), this.#elsewhere);
    this.#reject(Number.POSITIVE_INFINITY, error);
  }

  /** Rejects what came at `moment` or before, and has no lane. */
  #reject(moment: number, error: unknown): void {
    this.queue.reject(moment, error as Error);
    this.#quiet.look();
    if (this.queue.length > 0) return;
    this.#withdraw?.();
    this.#withdraw = undefined;
  }

  /** No reply has come for too long. */
  #giveUp(lane: Lane): void {
    const { replyTimeoutMs } = this.#house.options;
    const silence = `no reply within ${replyTimeoutMs} ms (replyTimeoutMs)`;
    const error = poolError(
      this.#house,
      'POOL_CONNECTION_LOST',
      `connection lost: ${silence}; the command may have run`,
      Object.assign(new Error(silence), { code: 'ETIMEDOUT' }),
    );
    for (const { command } of lane.takeUnanswered()) rejectSafely(command, another(error));
    this.#rest(lane, 'broken');
  }
}
