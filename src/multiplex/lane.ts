import type { Command, Redis } from 'ioredis';
import type { PoolSlot } from '../core/context.ts';
import type { Connection, Intake } from '../core/dependencies.ts';
import { hasPlainOptions, isWrapped, rejectSafely } from '../ioredis/internals.ts';
import { SentCommand } from '../ioredis/lean-command.ts';
import { handOver, isUntold, isWatched } from '../ioredis/watched-command.ts';
import { WriteBuffer } from '../ioredis/write-buffer.ts';
import type { Clock } from '../util/clock.ts';
import { CommandGroup } from './command-group.ts';
import { LaneMeter, type LargeReplies } from './lane-meter.ts';

/** What is sent as a whole. */
export type QueueEntry = Command | CommandGroup;

/** A command that was sent, as ioredis queues it until its reply comes. */
export interface InFlight {
  readonly command: Command;
  /** Its group. */
  readonly stream: CommandGroup | undefined;
  /** Somebody may have replaced its methods: it is resolved with Buffers, as by ioredis. */
  readonly watched?: boolean;
}

/** What a lane reports. */
export interface LaneOwner {
  /** So many replies have arrived, as far as they were counted. */
  answered(lane: Lane, now: number, replies?: number): void;
  /** The reply to `item` is an error. Returns whether the owner settles the command. */
  refused(lane: Lane, item: InFlight, error: Error): boolean;
  /** The lane's connection was lost. */
  lost(lane: Lane, cause: Error | undefined): void;
}

/** A socket with more than this to write, because the other end does not read, gets no more commands. Bytes. */
const MOST_UNWRITTEN = 1 << 20;

/**
 * One connection of the pool, multiplexed: commands of many callers are sent together, and their replies come in
 * that order. Everything is written through the lane, pipelines too, or bytes would overtake each other.
 */
export class Lane {
  /** Its slot, while it is open. */
  slot: PoolSlot | undefined;
  /** It accepts no more commands, and closes with its last reply. */
  draining = false;
  /** It accepts no more commands until all are answered: only then is it known which refused ones may be sent again. */
  settling = false;
  readonly meter = new LaneMeter();
  /** When bytes arrived last. */
  heardAt = 0;
  readonly #client: Redis;
  readonly #large: LargeReplies;
  readonly #owner: LaneOwner;
  readonly #refused: (item: object, error: Error) => boolean;
  /** Reads replies before ioredis' own decoder, if this version of ioredis allows that. */
  readonly #intake: Connection['intake'];
  /** ioredis' sendCommand would do nothing else, so it need not be called for each command. */
  readonly #plain: boolean;
  readonly #clock: Clock;
  /** How many commands were sent by when, in order; entries that are answered are removed with the next write. */
  #sent = 0;
  #writes: { readonly upTo: number; readonly at: number }[] = [];
  readonly #buffer: WriteBuffer;
  /** Commands that were passed to the client, and were not put into ioredis' queue at once. */
  readonly #late = new Set<Command>();
  /** A `drain` listener is added to the socket. */
  #awaitsDrain = false;

  /** `large` is called with the command of each large reply. */
  constructor(connection: Connection, clock: Clock, large: LargeReplies, owner: LaneOwner) {
    const { client, intake } = connection;
    this.#large = large;
    this.#owner = owner;
    this.#client = client;
    this.#buffer = new WriteBuffer(client);
    this.#clock = clock;
    this.#refused = (item, error) => owner.refused(this, item as InFlight, error);
    this.#intake = intake?.inFront ? intake : undefined;
    this.#plain = this.#intake !== undefined && hasPlainOptions(client);
  }

  /** Whether it accepts more, if `most` commands may be in flight. */
  takes(most: number): boolean {
    if (this.draining || this.settling) return false;
    return this.inFlight < most && this.room > 0 && this.slot?.connection?.alive === true;
  }

  /** The bytes that its socket has not written yet. */
  get unwritten(): number {
    return this.#client.stream?.writableLength ?? 0;
  }

  /** How many more bytes its socket accepts. */
  get room(): number {
    const room = MOST_UNWRITTEN - this.unwritten;
    if (room <= 0) this.#awaitDrain();
    return room;
  }

  /** The number of commands that it has ever sent; and of those that are answered. */
  get sent(): number {
    return this.#sent;
  }

  get answered(): number {
    return this.#sent - this.inFlight;
  }

  /** The commands in flight, in order. */
  *inFlightItems(): Iterable<InFlight> {
    const { commandQueue } = this.#client;
    for (let i = 0; i < commandQueue.length; i++) yield commandQueue.peekAt(i) as unknown as InFlight;
    for (const command of this.#late) yield { command, stream: undefined };
  }

  /** Whether its client has a replaced sendCommand. */
  get watched(): boolean {
    return isWrapped(this.#client);
  }

  /** Commands that are not answered. */
  get inFlight(): number {
    return this.#client.commandQueue.length + this.#late.size;
  }

  /** The expected size of the replies to what is in flight. Bytes. */
  get bytesDue(): number {
    return this.meter.bytesDue(this.inFlight, this.#intake?.scanner.due ?? 0);
  }

  /** Whether it has sent something. */
  get used(): boolean {
    return this.#sent > 0;
  }

  /** When the oldest unanswered command was sent. */
  get waitingSince(): number {
    this.#forgetAnswered(this.inFlight);
    return this.#writes[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  open(slot: PoolSlot): void {
    this.slot = slot;
    this.draining = false;
    this.#listen(this.#take, this.#refused);
  }

  close(): void {
    this.slot = undefined;
    this.#listen(undefined, undefined);
    while (this.#writes.length > 0) this.#writes.pop(); // `length = 0` takes V8 much longer
  }

  /** Its connection was lost. */
  lost(cause: Error | undefined): void {
    this.#owner.lost(this, cause);
  }

  #listen(listener: Intake['listener'], refused: Intake['refused']): void {
    if (this.#intake === undefined) return;
    this.#intake.listener = listener;
    this.#intake.refused = refused;
  }

  /**
   * Sends `units` from `from` on, together, while fewer than `most` commands are in flight and the socket has
   * `room`; returns where it stopped.
   */
  send(units: readonly QueueEntry[], from: number, most: number, now: number, room = this.room): number {
    const { commandQueue } = this.#client;
    const before = this.inFlight;
    if (before === 0) this.meter.begin(now);
    const direct = this.#plain && !this.watched;
    let next = from;
    for (let unit = units[next]; unit !== undefined; unit = units[++next]) {
      const { length } = commandQueue;
      if (this.#buffer.gathered >= room) break;
      if (!(unit instanceof CommandGroup)) {
        if (length >= most) break;
        this.#put(unit, undefined, direct);
      } else if (unit.refusal === undefined) {
        // A group that exceeds the limit of a lane is sent when the lane is empty.
        if (length > 0 && length + unit.commands.length > most) break;
        if (direct && !isUntold(unit.commands[0] as Command)) this.#putWhole(unit);
        else for (const command of unit.commands) this.#put(command, unit, false);
      }
    }
    this.#buffer.flush();
    if (this.#intake === undefined) this.#watchLast();
    const { inFlight } = this;
    this.#sent += inFlight - before;
    this.#forgetAnswered(inFlight);
    this.#writes.push({ upTo: this.#sent, at: now });
    return next;
  }

  /** Removes and returns what was sent and will not be answered, before ioredis rejects it. */
  takeUnanswered(): InFlight[] {
    const { commandQueue } = this.#client;
    const all: InFlight[] = [];
    for (let item = commandQueue.shift(); item; item = commandQueue.shift())
      all.push(item as unknown as InFlight);
    return all;
  }

  #put(command: Command, group: CommandGroup | undefined, direct: boolean): void {
    const client = this.#client;
    const watched = isWatched(command);
    if (!direct || (watched && isUntold(command))) {
      this.#buffer.cork();
      handOver(command, client);
      const last = client.commandQueue.peekBack() as unknown as InFlight;
      if (last?.command === command) Object.assign(last, { stream: group, watched: true });
      else if (client.stream !== undefined) this.#awaitLate(command);
      return;
    }
    try {
      const { condition, stream } = client;
      command.setReplyContext?.(condition);
      this.#buffer.append(command.toWritable(stream));
      this.#push(command, group, watched);
    } catch (error) {
      rejectSafely(command, error); // it cannot be encoded, as a string that is too long
    }
  }

  #putWhole(group: CommandGroup): void {
    try {
      this.#buffer.appendAll(group.commands);
    } catch (error) {
      group.refuse(error as Error);
      return;
    }
    for (const command of group.commands) this.#push(command, group, isWatched(command));
  }

  /** Queues a command as ioredis does, with additional fields. */
  #push(command: Command, group: CommandGroup | undefined, watched: boolean): void {
    const { commandQueue, condition } = this.#client;
    const item = new SentCommand(command, group, condition?.select);
    commandQueue.push((watched ? Object.assign(item, { watched }) : item) as never);
  }

  /** What wraps sendCommand sends it later, or has refused it: until it is settled, it counts as in flight. */
  #awaitLate(command: Command): void {
    this.#late.add(command);
    const settled = (): void => {
      this.#late.delete(command);
      this.#owner.answered(this, this.#clock.now());
    };
    command.promise.then(settled, settled);
  }

  /** Where incoming bytes cannot be observed, the last reply shows that replies have arrived. */
  #watchLast(): void {
    const told = (): void => {
      this.heardAt = this.#clock.now();
      this.#owner.answered(this, this.heardAt);
    };
    const last = this.#client.commandQueue.peekBack()?.command as Command | undefined;
    Promise.resolve(last?.promise).then(told, told);
  }

  #awaitDrain(): void {
    if (this.#awaitsDrain) return;
    this.#awaitsDrain = true;
    this.#client.stream.once('drain', () => {
      this.#awaitsDrain = false;
      this.#owner.answered(this, this.#clock.now());
    });
  }

  #forgetAnswered(inFlight: number): void {
    const answered = this.#sent - inFlight;
    let first = this.#writes[0];
    while (first !== undefined && first.upTo <= answered) {
      this.#writes.shift();
      first = this.#writes[0];
    }
  }

  /** Called with each chunk that arrives. */
  readonly #take = (chunk: Buffer): void => {
    const before = this.answered;
    const first = this.#client.commandQueue.peekFront()?.command as Command | undefined;
    this.#intake?.read(chunk);
    this.meter.received(chunk.length);
    const now = this.#clock.now();
    this.heardAt = now;
    const replies = this.answered - before;
    if (replies > 0 && this.meter.answered(replies, now) && first) {
      this.#large.note(first.name, first.args, now);
    }
    this.#owner.answered(this, now, replies);
  };
}
