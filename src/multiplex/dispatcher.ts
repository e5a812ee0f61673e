import type { Command } from 'ioredis';
import { CommandGroup } from './command-group.ts';
import { touchOf } from './command-keys.ts';
import { Order, type Run, type Touch } from './command-order.ts';
import { type Batch, type CommandQueue, commandsOf, weightOf } from './command-queue.ts';
import type { Lane, QueueEntry } from './lane.ts';
import { chooseLane } from './lane-choice.ts';
import type { LargeReplies } from './lane-meter.ts';

/** What the dispatcher needs from the multiplexer. */
export interface DispatchOwner {
  readonly open: readonly Lane[];
  readonly maxLanes: number;
  readonly maxInFlight: number;
  /** Whether nobody waits for a connection, and one more is available. */
  readonly spare: boolean;
  /** Whether a command that Redis has refused to run for now must run before one with this touch. */
  mustWait(touch: Touch): boolean;
  /** Requests one more lane; returns it if a connection is available at once. */
  ask(now: number): Lane | undefined;
  /** Sends commands over a dedicated connection; calls `over` when all are answered, or cannot be sent. */
  sendAlone(commands: readonly Command[], since: number, mayBlock: boolean, over: () => void): void;
}

/** The commands that a lane got in one pass. */
class LaneRun implements Run {
  /** It is in flight until this many of all commands that its lane has sent are answered. */
  upTo = Number.POSITIVE_INFINITY;

  constructor(readonly carrier: Lane) {}

  get over(): boolean {
    return this.carrier.slot === undefined || this.carrier.answered >= this.upTo;
  }
}

/** Commands with a dedicated connection. */
class DedicatedRun implements Run {
  over = false;
  sent = false;
  readonly commands: Command[] = [];

  get carrier(): object {
    return this;
  }
}

/** The commands that are about to be sent over a lane. */
interface Outgoing {
  readonly run: LaneRun;
  units: QueueEntry[];
  commands: number;
  bytes: number;
}

/** After this many commands that have to wait, a pass looks no further for others that need not. */
const MOST_PASSED_BY = 200;

/** Represents everything that waits. */
const WAITING: Run = { carrier: {}, over: false };

/**
 * Sends commands over several lanes, and keeps their order: a command that shares a key with one in flight uses the
 * same lane, or waits. Commands that do more than read use one lane, as long as one of them is in flight there, which
 * keeps their order with all others at no cost; those that only read use the lane that is free.
 */
export class Dispatch {
  readonly #owner: DispatchOwner;
  readonly #queue: CommandQueue;
  readonly #large: LargeReplies;
  readonly #order = new Order<LaneRun | DedicatedRun>();
  /** What has a dedicated connection, and has to be waited for. */
  #alone: DedicatedRun | undefined;
  #now = 0;
  #outgoing = new Map<Lane, Outgoing>();
  /** Full lanes that a command waits for: no later one may overtake it. */
  readonly #full = new Set<Lane>();
  /** What is sent over dedicated connections after a pass, since that may call listeners. */
  #errands: (() => void)[] = [];
  /** The lane of commands that only read, in this pass. */
  #readers: Lane | undefined;

  constructor(owner: DispatchOwner, queue: CommandQueue, large: LargeReplies) {
    this.#owner = owner;
    this.#queue = queue;
    this.#large = large;
    // What is in flight was not recorded until now.
    for (const lane of owner.open) {
      const run = new LaneRun(lane);
      run.upTo = lane.sent;
      for (const { command } of lane.inFlightItems()) this.#order.note(touchOf(command), run);
    }
  }

  /** Whether something runs over a dedicated connection that others wait for. */
  get waits(): boolean {
    return this.#alone !== undefined;
  }

  /** Sends all commands that need not wait. */
  pass(now: number): void {
    this.#now = now;
    this.#readers = undefined;
    const waiting = new Order<Run>();
    let passedBy = 0;
    const { batches } = this.#queue;
    for (let next = 0; next < batches.length && passedBy < MOST_PASSED_BY; ) {
      const batch = batches[next] as Batch;
      const left: QueueEntry[] = [];
      const { units, sent } = batch;
      let at = sent;
      for (; at < units.length && passedBy < MOST_PASSED_BY; at++) {
        const unit = units[at] as QueueEntry;
        const touch = touchOf(unit);
        if (!waiting.before(touch) && !this.#owner.mustWait(touch) && this.#place(unit, touch, batch.at)) {
          this.#queue.take(batch, unit);
        } else {
          left.push(unit);
          waiting.note(touch, WAITING);
          passedBy = touch.scope === 'all' ? MOST_PASSED_BY : passedBy + 1;
        }
      }
      if (left.length < at - sent) {
        for (; at < units.length; at++) left.push(units[at] as QueueEntry);
        this.#queue.leave(batch, left);
      }
      if (batches[next] === batch) next++;
    }
    for (const lane of this.#outgoing.keys()) this.#send(lane);
    this.#full.clear();
  }

  /** Sends what a pass left for dedicated connections, now that lanes may have become idle. */
  sendAlone(): void {
    for (const errand of this.#errands.splice(0)) errand();
  }

  /** Assigns `unit` to a lane or a dedicated connection; returns `false` if it has to wait. */
  #place(unit: QueueEntry, touch: Touch, since: number): boolean {
    if (unit instanceof CommandGroup && unit.refusal) return true;
    const before = this.#order.before(touch);
    if (unit instanceof CommandGroup && unit.needsDedicated)
      return this.#placeAlone(unit, touch, before, since);
    if (before !== undefined) {
      const lane = this.#owner.open.find((one) => one === before);
      return lane !== undefined && this.#give(lane, unit, touch);
    }
    const reads = touch.reads && touch.scope === 'keys';
    const large = reads && !(unit instanceof CommandGroup) && this.#large.expects(unit.name, unit.args);
    const lane = large ? this.#laneFor(true) : reads ? this.#laneForReaders() : this.#laneForWriters();
    if (lane === undefined || !this.#give(lane, unit, touch)) return false;
    if (large) {
      this.#send(lane); // so that the next choice takes it into account
      lane.meter.large = true;
    }
    return true;
  }

  #give(lane: Lane, unit: QueueEntry, touch: Touch): boolean {
    if (!this.#takes(lane, commandsOf(unit))) {
      this.#full.add(lane);
      return false;
    }
    let out = this.#outgoing.get(lane);
    if (out === undefined) {
      out = { run: new LaneRun(lane), units: [], commands: 0, bytes: 0 };
      this.#outgoing.set(lane, out);
    }
    out.units.push(unit);
    out.commands += commandsOf(unit);
    out.bytes += weightOf(unit);
    this.#order.note(touch, out.run);
    return true;
  }

  /**
   * Whether a lane accepts `commands` more, sent as a whole; over an empty lane, if they exceed the limit of a lane.
   */
  #takes(lane: Lane, commands = 1): boolean {
    const { maxInFlight } = this.#owner;
    if (this.#full.has(lane) || !lane.takes(maxInFlight)) return false;
    const out = this.#outgoing.get(lane);
    if (out && out.bytes >= lane.room) return false;
    const before = lane.inFlight + (out?.commands ?? 0);
    return before === 0 || before + commands <= maxInFlight;
  }

  #send(lane: Lane): void {
    const out = this.#outgoing.get(lane);
    if (out === undefined) return;
    this.#outgoing.delete(lane);
    lane.send(out.units, 0, Number.POSITIVE_INFINITY, this.#now, Number.POSITIVE_INFINITY);
    out.run.upTo = lane.sent;
  }

  #placeAlone(
    group: CommandGroup,
    touch: Touch,
    before: object | string | undefined,
    since: number,
  ): boolean {
    // Nobody waits for a blocking command, which may itself wait for others.
    if (group.blocking) {
      if (before !== undefined) return false;
      this.#errands.push(() => this.#owner.sendAlone(group.commands, since, true, () => {}));
      return true;
    }
    // In sequence, as long as nothing is sent yet.
    if (before !== undefined && (before !== this.#alone || this.#alone.sent)) return false;
    this.#alone ??= this.#newRun(since);
    for (const command of group.commands) this.#alone.commands.push(command);
    this.#order.note(touch, this.#alone);
    return true;
  }

  #newRun(since: number): DedicatedRun {
    const run = new DedicatedRun();
    const over = (): void => {
      run.over = true;
      this.#alone = undefined;
    };
    this.#errands.push(() => {
      run.sent = true;
      this.#owner.sendAlone(run.commands, since, false, over);
    });
    return run;
  }

  /** The same lane for all reads of this tick, as long as it has room. */
  #laneForReaders(): Lane | undefined {
    if (this.#readers === undefined || !this.#takes(this.#readers)) this.#readers = this.#laneFor(false);
    return this.#readers;
  }

  #laneForWriters(): Lane | undefined {
    const writer = this.#order.writer;
    const lane = this.#owner.open.find((one) => one === writer);
    return lane && !lane.draining ? lane : this.#laneFor(false);
  }

  /** Commands with large replies do not use the lane of writers, unless there is no other. */
  #laneFor(large: boolean): Lane | undefined {
    const { open, maxLanes, spare } = this.#owner;
    const usable = open.filter((lane) => this.#takes(lane));
    const { writer } = this.#order;
    const apart = large && maxLanes > 1 ? usable.filter((lane) => lane !== writer) : usable;
    const load = { large, wary: this.#large.wary(this.#now), maxLanes };
    const choice = chooseLane(apart, this.#now, load);
    if (choice?.free || open.length >= maxLanes) return choice?.lane ?? usable[0];
    const more = choice === undefined || spare ? this.#owner.ask(this.#now) : undefined;
    return more ?? choice?.lane ?? usable[0];
  }
}
