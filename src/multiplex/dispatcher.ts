import type { Command } from 'ioredis';
import { CommandGroup } from './command-group.ts';
import { touchOf } from './command-keys.ts';
import { Order, type Run, type Touch } from './command-order.ts';
import { type Batch, type CommandQueue, commandsOf, weightOf } from './command-queue.ts';
import type { Lane, QueueEntry } from './lane.ts';
import { chooseLane } from './lane-choice.ts';
import type { LargeReplies } from './lane-meter.ts';

/** What is needed of the lanes. */
export interface DispatchOwner {
  readonly open: readonly Lane[];
  readonly maxLanes: number;
  readonly maxInFlight: number;
  /** Nobody waits for a connection, and there is one to be had. */
  readonly spare: boolean;
  /** Asks for one more lane; returns it, if it comes at once. */
  ask(): Lane | undefined;
  /** Sends commands over a connection of their own; `over` is called when all are answered, or cannot be sent. */
  sendAlone(commands: readonly Command[], since: number, mayBlock: boolean, over: () => void): void;
}

/** What a lane was given in one pass. */
class LaneRun implements Run {
  /** It is in flight until so many of all that its lane has sent are answered. */
  upTo = Number.POSITIVE_INFINITY;

  constructor(readonly carrier: Lane) {}

  get over(): boolean {
    return this.carrier.slot === undefined || this.carrier.answered >= this.upTo;
  }
}

/** Commands that have a connection of their own. */
class OwnRun implements Run {
  over = false;
  sent = false;
  readonly commands: Command[] = [];

  get carrier(): object {
    return this;
  }
}

/** What a lane is about to be sent. */
interface Outgoing {
  readonly run: LaneRun;
  units: QueueEntry[];
  commands: number;
  bytes: number;
}

/** Beyond so many that have to wait, one looks no further for some that need not. */
const MOST_PASSED_BY = 200;

/** Stands for all that waits. */
const WAITING: Run = { carrier: {}, over: false };

/**
 * Sends over several lanes what keeps its order all the same: what touches what is in flight goes the same way, or
 * waits. What does more than read goes over one lane, as long as something of it is in flight there, so that its order
 * with all is had for nothing; what only reads takes the lane that is free.
 */
export class Dispatch {
  readonly #owner: DispatchOwner;
  readonly #queue: CommandQueue;
  readonly #large: LargeReplies;
  readonly #order = new Order<LaneRun | OwnRun>();
  /** What has a connection of its own, and others must wait for. */
  #alone: OwnRun | undefined;
  #now = 0;
  #outgoing = new Map<Lane, Outgoing>();
  /** Lanes that something waits for because they are full: nobody overtakes it. */
  readonly #full = new Set<Lane>();
  /** What goes over connections of their own after a pass: listeners may hear of it. */
  #errands: (() => void)[] = [];
  /** Where what only reads goes in this pass. */
  #readers: Lane | undefined;

  constructor(owner: DispatchOwner, queue: CommandQueue, large: LargeReplies) {
    this.#owner = owner;
    this.#queue = queue;
    this.#large = large;
    // Nobody kept book until now.
    for (const lane of owner.open) {
      const run = new LaneRun(lane);
      run.upTo = lane.sent;
      for (const command of lane.commandsInFlight()) this.#order.note(touchOf(command), run);
    }
  }

  /** Others must wait for what runs over a connection of its own. */
  get waits(): boolean {
    return this.#alone !== undefined;
  }

  /** Sends all that need not wait. */
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
        if (!waiting.before(touch) && this.#place(unit, touch, batch.at)) {
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

  /** Sends what a pass left for connections of their own, now that lanes may have become idle. */
  sendAlone(): void {
    for (const errand of this.#errands.splice(0)) errand();
  }

  /** Puts `unit` where it goes; returns whether it need not wait. */
  #place(unit: QueueEntry, touch: Touch, since: number): boolean {
    if (unit instanceof CommandGroup && unit.refusal) return true;
    const before = this.#order.before(touch);
    if (unit instanceof CommandGroup && unit.own) return this.#placeAlone(unit, touch, before, since);
    if (before !== undefined) {
      const lane = this.#owner.open.find((one) => one === before);
      return lane !== undefined && this.#give(lane, unit, touch);
    }
    const reads = touch.reads && touch.scope === 'keys';
    const large = reads && !(unit instanceof CommandGroup) && this.#large.expects(unit.name, unit.args);
    const lane = large ? this.#laneFor(true) : reads ? this.#laneForReaders() : this.#laneForWriters();
    if (lane === undefined || !this.#give(lane, unit, touch)) return false;
    if (large) {
      this.#send(lane); // so that the next choice knows of it
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
   * Whether a lane may be given `commands` more, which go whole: over an empty lane, if they are more than it may have.
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
    lane.send(out.units, 0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    out.run.upTo = lane.sent;
  }

  #placeAlone(
    group: CommandGroup,
    touch: Touch,
    before: object | string | undefined,
    since: number,
  ): boolean {
    // Nobody waits for what may itself wait for others.
    if (group.blocking) {
      if (before !== undefined) return false;
      this.#errands.push(() => this.#owner.sendAlone(group.commands, since, true, () => {}));
      return true;
    }
    // One behind the other, as long as nothing is sent yet.
    if (before !== undefined && (before !== this.#alone || this.#alone.sent)) return false;
    this.#alone ??= this.#newRun(since);
    for (const command of group.commands) this.#alone.commands.push(command);
    this.#order.note(touch, this.#alone);
    return true;
  }

  #newRun(since: number): OwnRun {
    const run = new OwnRun();
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

  /** One for all that this tick has to read, as long as it goes. */
  #laneForReaders(): Lane | undefined {
    if (this.#readers === undefined || !this.#takes(this.#readers)) this.#readers = this.#laneFor(false);
    return this.#readers;
  }

  #laneForWriters(): Lane | undefined {
    const writer = this.#order.writer;
    const lane = this.#owner.open.find((one) => one === writer);
    return lane && !lane.draining ? lane : this.#laneFor(false);
  }

  /** Large replies do not go where writers are, unless there is no other way. */
  #laneFor(large: boolean): Lane | undefined {
    const { open, maxLanes, spare } = this.#owner;
    const usable = open.filter((lane) => this.#takes(lane));
    const { writer } = this.#order;
    const apart = large && maxLanes > 1 ? usable.filter((lane) => lane !== writer) : usable;
    const load = { large, wary: this.#large.wary(this.#now), maxLanes };
    const choice = chooseLane(apart, this.#now, load);
    if (choice?.free || open.length >= maxLanes) return choice?.lane ?? usable[0];
    const more = choice === undefined || spare ? this.#owner.ask() : undefined;
    return more ?? choice?.lane ?? usable[0];
  }
}
