import { Command } from 'ioredis';
import type { ConnectionPool } from '../core/connection-pool.ts';
import type { PoolContext, PoolSlot } from '../core/context.ts';
import {
  didNotRun,
  isAborted,
  noteRefusal,
  refusalOf,
  saysReadOnly,
  wantsAgain,
} from '../ioredis/error-replies.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import { bytesOf } from '../ioredis/lean-command.ts';
import { CommandGroup } from './command-group.ts';
import { touchOf } from './command-keys.ts';
import { Order, type Run, type Touch } from './command-order.ts';
import type { CommandQueue } from './command-queue.ts';
import type { InFlight, Lane, QueueEntry } from './lane.ts';
import { together } from './resend.ts';

/** How long one waits before it sends something again that Redis did not run: so long at first, and at most. */
const FIRST_MS = 50;
const LONGEST_MS = 500;

/** What a lane had in flight when a command of it was refused, until all of it is answered; then, what is sent again. */
class Wave implements Run {
  /** Those that did not run. */
  readonly refused = new Set<Command>();
  /** Groups that some of them belong to. */
  readonly groups = new Set<CommandGroup>();
  /** It is not sent over the same connection once more. */
  elsewhere = false;
  /** What is sent again, in order, once that is decided; when, at the earliest. */
  units: QueueEntry[] | undefined;
  dueAt = 0;
  /** Nothing has to wait for it any more. */
  over = false;

  constructor(
    readonly slot: PoolSlot,
    readonly items: readonly InFlight[],
  ) {}

  get carrier(): object {
    return this;
  }
}

/** What is needed of the lanes. */
export interface RefusedOwner {
  readonly queue: CommandQueue;
  /** Sends `units` before all that waits; they have been at it `since` then. */
  sendAgain(units: readonly QueueEntry[], since: number): void;
}

/**
 * Commands that Redis answered and did not run, since it is a replica (READONLY), loading (LOADING), or in the midst of
 * a change (MASTERDOWN, CLUSTERDOWN, TRYAGAIN): they are sent again, with a back-off, for as long as a command may wait
 * for a connection, counted from the first such answer; then that answer is theirs. Groups go whole, or not at all. What
 * comes later and touches the same keys waits; where something did run that was in flight behind, it is too late.
 */
export class RefusedCommands {
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  readonly #owner: RefusedOwner;
  readonly #open = new Map<Lane, Wave>();
  readonly #decided = new Set<Wave>();
  readonly #order = new Order<Wave>();
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(context: PoolContext, connections: ConnectionPool, owner: RefusedOwner) {
    this.#context = context;
    this.#connections = connections;
    this.#owner = owner;
  }

  /** Whether there is one at all. */
  get any(): boolean {
    return this.#open.size > 0 || this.#decided.size > 0;
  }

  /** Whether one has to take effect before what has `touch`. */
  comesBefore(touch: Touch): boolean {
    return this.#order.before(touch) !== undefined;
  }

  /** Takes a command that was answered with an error, if it did not run and may still be sent again. */
  take(lane: Lane, item: InFlight, error: Error): boolean {
    const { command, stream: group } = item;
    if (this.#stopped || lane.slot === undefined || !this.#mayRunLater(lane, item, error)) return false;
    const { deps, options } = this.#context;
    const { queue } = this.#owner;
    const bytes = bytesOf(command);
    const now = deps.clock.now();
    if (now - (refusalOf(command)?.since ?? now) >= options.acquireTimeoutMs) return false;
    if (queue.length >= options.maxQueuedCommands || queue.bytes + bytes > options.maxQueuedBytes)
      return false;
    let wave = this.#open.get(lane);
    if (wave === undefined) {
      wave = new Wave(lane.slot, [item, ...lane.inFlightItems()]);
      this.#open.set(lane, wave);
      lane.settling = true;
    }
    noteRefusal(command, error, now);
    wave.refused.add(command);
    wave.elsewhere ||= saysReadOnly(error) || wantsAgain(error);
    queue.hold(1, bytes);
    if (group === undefined || !wave.groups.has(group)) this.#order.note(touchOf(group ?? command), wave);
    if (group) wave.groups.add(group);
    return true;
  }

  /** Looks whether all is answered that `lane` had in flight. */
  answered(lane: Lane): void {
    const wave = this.#open.get(lane);
    if (wave && lane.inFlight === 0) this.#decide(lane, wave);
  }

  /** `lane` is closed: what it had in flight may have run. */
  closed(lane: Lane): void {
    const wave = this.#open.get(lane);
    if (wave) this.#decide(lane, wave);
  }

  /** Lets go of all. */
  stop(): void {
    this.#stopped = true;
    for (const [lane, wave] of this.#open) this.#decide(lane, wave);
    for (const wave of this.#decided) {
      this.#rejectUnits(wave, wave.units ?? []);
      this.#end(wave);
    }
    this.#cancel?.();
  }

  #mayRunLater({ slot }: Lane, { stream: group }: InFlight, error: Error): boolean {
    // A server that was never seen to be a master, or need not be one, is the one that was meant.
    if (saysReadOnly(error) && !wantsAgain(error)) {
      if (!(slot?.unwanted && this.#connections.replacer.hadMaster)) return false;
    }
    if (didNotRun(error)) return true;
    return isAborted(error) && group?.commands.some((one) => this.#isRefused(one)) === true;
  }

  #isRefused(command: Command): boolean {
    for (const wave of this.#open.values()) if (wave.refused.has(command)) return true;
    return false;
  }

  /** All is known that can be: what is sent again, and what it is too late for. */
  #decide(lane: Lane, wave: Wave): void {
    this.#open.delete(lane);
    lane.settling = false;
    const again: QueueEntry[] = [];
    const ran = new Order<Run>();
    const run = { carrier: wave, over: false };
    for (const { group, commands } of together(wave.items).reverse()) {
      const refused = commands.filter((one) => wave.refused.has(one));
      const touch = touchOf(group ?? (commands[0] as Command));
      const whole = group ? ranNothing(group.commands, wave.refused) : refused.length > 0;
      if (!whole) ran.note(touch, run);
      if (refused.length === 0) continue;
      if (whole && !this.#stopped && ran.before(touch) === undefined)
        again.push(group ? anew(group, wave.refused) : (refused[0] as Command));
      else this.#reject(refused);
    }
    wave.units = again.reverse();
    if (again.length === 0) {
      wave.over = true;
      return;
    }
    let times = 1;
    for (const one of wave.refused) times = Math.max(times, refusalOf(one)?.times ?? 1);
    this.#postpone(wave, this.#context.deps.clock.now() + delayOf(times));
    this.#decided.add(wave);
    this.#lookLater();
  }

  #lookLater(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#decided.size === 0) return;
    const { clock } = this.#context.deps;
    const first = Math.min(...[...this.#decided].map(({ dueAt }) => dueAt));
    this.#cancel = clock.after(Math.max(0, first - clock.now()), () => this.#look());
  }

  #look(): void {
    const now = this.#context.deps.clock.now();
    for (const wave of [...this.#decided]) {
      if (wave.dueAt > now || !this.#decided.has(wave)) continue;
      const { acquireTimeoutMs } = this.#context.options;
      const over = (unit: QueueEntry): boolean =>
        sinceOf([unit]) + acquireTimeoutMs <= now || isSettled(unit);
      this.#rejectUnits(wave, wave.units?.filter(over) ?? []);
      const { units = [] } = wave;
      if (units.length === 0) this.#end(wave);
      else if (wave.elsewhere && !this.#isReplaced(wave.slot)) this.#postpone(wave, now + FIRST_MS);
      else this.#sendAgain(wave, units);
    }
    this.#lookLater();
  }

  #postpone(wave: Wave, dueAt: number): void {
    wave.dueAt = Math.min(dueAt, sinceOf(wave.units ?? []) + this.#context.options.acquireTimeoutMs);
  }

  #isReplaced(slot: PoolSlot): boolean {
    this.#connections.replacer.renew();
    return slot.stale !== undefined || slot.state === 'closing' || slot.state === 'gone';
  }

  #sendAgain(wave: Wave, units: readonly QueueEntry[]): void {
    for (const unit of units) this.#letGo(refusedOf(unit, wave));
    this.#end(wave);
    this.#owner.sendAgain(units, sinceOf(units));
  }

  #end(wave: Wave): void {
    wave.over = true;
    this.#decided.delete(wave);
    this.#owner.sendAgain([], 0); // what has waited for it
  }

  #rejectUnits(wave: Wave, units: readonly QueueEntry[]): void {
    if (units.length === 0) return;
    const gone = new Set(units);
    wave.units = wave.units?.filter((unit) => !gone.has(unit));
    for (const unit of units) this.#reject(refusedOf(unit, wave));
  }

  /** With what Redis said last. */
  #reject(commands: readonly Command[]): void {
    this.#letGo(commands);
    for (const command of commands) rejectSafely(command, refusalOf(command)?.error);
  }

  #letGo(commands: readonly Command[]): void {
    for (const command of commands) this.#owner.queue.hold(-1, -bytesOf(command));
  }
}

function delayOf(times: number): number {
  return Math.min(FIRST_MS * 2 ** (times - 1), LONGEST_MS);
}

/** ioredis' own `commandTimeout` may have ended it. */
function isSettled(unit: QueueEntry): boolean {
  return (unit as { isSettled?: boolean }).isSettled === true;
}

function commandsIn(unit: QueueEntry): readonly Command[] {
  return unit instanceof CommandGroup ? unit.commands : [unit];
}

/** When the first of them was refused first. */
function sinceOf(units: readonly QueueEntry[]): number {
  let since = Number.POSITIVE_INFINITY;
  for (const unit of units) {
    for (const one of commandsIn(unit)) since = Math.min(since, refusalOf(one)?.since ?? since);
  }
  return since;
}

function refusedOf(unit: QueueEntry, { refused }: Wave): Command[] {
  return commandsIn(unit).filter((one) => refused.has(one));
}

/** Whether none of a group ran: each command was refused, or is part of a transaction whose EXEC was. */
function ranNothing(commands: readonly Command[], refused: ReadonlySet<Command>): boolean {
  let begun = false;
  for (const command of commands) {
    const name = command.name.toLowerCase();
    if (name === 'multi') begun = true;
    else if (name === 'exec' && begun) begun = false;
    else if (begun) continue;
    if (name !== 'multi' && !refused.has(command)) return false;
  }
  return !begun;
}

/** A group to be sent again, of which some may have had their answer: that a transaction has begun, or that they are in it. */
function anew(group: CommandGroup, refused: ReadonlySet<Command>): CommandGroup {
  const commands = group.commands.map((one) => (refused.has(one) ? one : standIn(one)));
  return CommandGroup.of(group.stream, commands);
}

/** Is written as `command`, whose promise is settled, and wants no reply. */
function standIn(command: Command): Command {
  const { name, args } = command;
  return Object.assign(Object.create(Command.prototype) as Command, {
    name,
    args,
    promise: Promise.resolve(),
    toWritable: (stream: object) => command.toWritable(stream),
    setReplyContext() {},
    resolve() {},
    reject() {},
  });
}
