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

/** The shortest and the longest delay before a command is sent again. Milliseconds. */
const FIRST_MS = 50;
const LONGEST_MS = 400;

/** What a lane had in flight when one of its commands was refused; when all is answered, what of it is sent again. */
class RetryBatch implements Run {
  /** Those that Redis refused to run. */
  readonly refused = new Set<Command>();
  /** Groups that some of them belong to. */
  readonly groups = new Set<CommandGroup>();
  /** They must be sent over another connection. */
  elsewhere = false;
  /** What is sent again, in order, as soon as that is decided, and not before when. */
  units: QueueEntry[] | undefined;
  dueAt = 0;
  /** No other command has to wait for it. */
  over = false;

  constructor(
    readonly slot: PoolSlot,
    readonly items: readonly InFlight[],
  ) {}

  get carrier(): object {
    return this;
  }
}

/** What is needed of the multiplexer. */
export interface RefusedOwner {
  readonly queue: CommandQueue;
  /** Sends `units` before all that is queued; they count as queued `since` then. */
  sendAgain(units: readonly QueueEntry[], since: number): void;
}

/**
 * Commands that Redis answered but did not run, because it is a replica (READONLY), is loading its data (LOADING), or
 * has no complete set of servers (MASTERDOWN, CLUSTERDOWN, TRYAGAIN). They are sent again, with a back-off, until they run
 * or `acquireTimeoutMs` has passed since the first such reply; then they reject with the last one. Groups are sent again
 * as a whole or not at all. Later commands that touch the same keys wait; if one that was in flight already has run, the
 * refused one is not sent again.
 */
export class RefusedCommands {
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  readonly #owner: RefusedOwner;
  readonly #open = new Map<Lane, RetryBatch>();
  readonly #decided = new Set<RetryBatch>();
  readonly #order = new Order<RetryBatch>();
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(context: PoolContext, connections: ConnectionPool, owner: RefusedOwner) {
    this.#context = context;
    this.#connections = connections;
    this.#owner = owner;
  }

  /** Whether there are any. */
  get any(): boolean {
    return this.#open.size > 0 || this.#decided.size > 0;
  }

  /** Whether one of them must run before a command with this touch. */
  comesBefore(touch: Touch): boolean {
    return this.#order.before(touch) !== undefined;
  }

  /** Keeps a command with an error reply, if it may be sent again; returns whether it does. */
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
    let batch = this.#open.get(lane);
    if (batch === undefined) {
      batch = new RetryBatch(lane.slot, [item, ...lane.inFlightItems()]);
      this.#open.set(lane, batch);
      lane.settling = true;
    }
    noteRefusal(command, error, now);
    batch.refused.add(command);
    batch.elsewhere ||= saysReadOnly(error) || wantsAgain(error);
    queue.hold(1, bytes);
    if (group === undefined || !batch.groups.has(group)) this.#order.note(touchOf(group ?? command), batch);
    if (group) batch.groups.add(group);
    return true;
  }

  /** Replies have arrived over this lane. */
  answered(lane: Lane): void {
    const batch = this.#open.get(lane);
    if (batch && lane.inFlight === 0) this.#decide(lane, batch);
  }

  /** The lane is closed; what is not answered may have run. */
  closed(lane: Lane): void {
    const batch = this.#open.get(lane);
    if (batch) this.#decide(lane, batch);
  }

  /** Rejects all, and keeps no more. */
  stop(): void {
    this.#stopped = true;
    for (const [lane, batch] of this.#open) this.#decide(lane, batch);
    for (const batch of this.#decided) {
      this.#rejectUnits(batch, batch.units ?? []);
      this.#end(batch);
    }
    this.#cancel?.();
  }

  #mayRunLater({ slot }: Lane, { stream: group }: InFlight, error: Error): boolean {
    // If no master was ever seen, or option readOnly is set, another connection would lead to a replica too.
    if (saysReadOnly(error) && !wantsAgain(error)) {
      if (!(slot?.unwanted && this.#connections.hadMaster)) return false;
    }
    if (didNotRun(error)) return true;
    return isAborted(error) && group?.commands.some((one) => this.#isRefused(one)) === true;
  }

  #isRefused(command: Command): boolean {
    for (const batch of this.#open.values()) if (batch.refused.has(command)) return true;
    return false;
  }

  /** Everything is answered: decides which commands are sent again, and rejects the others. */
  #decide(lane: Lane, batch: RetryBatch): void {
    this.#open.delete(lane);
    lane.settling = false;
    const again: QueueEntry[] = [];
    const ran = new Order<Run>();
    const run = { carrier: batch, over: false };
    for (const { group, commands } of together(batch.items).reverse()) {
      const refused = commands.filter((one) => batch.refused.has(one));
      const touch = touchOf(group ?? (commands[0] as Command));
      const whole = group ? ranNothing(group.commands, batch.refused) : refused.length > 0;
      if (!whole) ran.note(touch, run);
      if (refused.length === 0) continue;
      if (whole && !this.#stopped && ran.before(touch) === undefined)
        again.push(group ? anew(group, batch.refused) : (refused[0] as Command));
      else this.#reject(refused);
    }
    batch.units = again.reverse();
    if (again.length === 0) {
      batch.over = true;
      return;
    }
    let times = 1;
    for (const one of batch.refused) times = Math.max(times, refusalOf(one)?.times ?? 1);
    this.#postpone(batch, this.#context.deps.clock.now() + delayOf(times));
    this.#decided.add(batch);
    this.#schedule();
  }

  #schedule(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#decided.size === 0) return;
    const { clock } = this.#context.deps;
    const first = Math.min(...[...this.#decided].map(({ dueAt }) => dueAt));
    this.#cancel = clock.after(Math.max(0, first - clock.now()), () => this.#retryDue());
  }

  #retryDue(): void {
    const now = this.#context.deps.clock.now();
    for (const batch of [...this.#decided]) {
      if (batch.dueAt > now || !this.#decided.has(batch)) continue;
      const { acquireTimeoutMs } = this.#context.options;
      const over = (unit: QueueEntry): boolean =>
        sinceOf([unit]) + acquireTimeoutMs <= now || isSettled(unit);
      this.#rejectUnits(batch, batch.units?.filter(over) ?? []);
      const { units = [] } = batch;
      if (units.length === 0) this.#end(batch);
      else if (batch.elsewhere && !this.#isReplaced(batch.slot)) this.#postpone(batch, now + FIRST_MS);
      else this.#sendAgain(batch, units);
    }
    this.#schedule();
  }

  #postpone(batch: RetryBatch, dueAt: number): void {
    batch.dueAt = Math.min(dueAt, sinceOf(batch.units ?? []) + this.#context.options.acquireTimeoutMs);
  }

  #isReplaced(slot: PoolSlot): boolean {
    this.#connections.renew();
    return slot.stale !== undefined || slot.state === 'closing' || slot.state === 'gone';
  }

  #sendAgain(batch: RetryBatch, units: readonly QueueEntry[]): void {
    for (const unit of units) this.#letGo(refusedOf(unit, batch));
    this.#end(batch);
    this.#owner.sendAgain(units, sinceOf(units));
  }

  #end(batch: RetryBatch): void {
    batch.over = true;
    this.#decided.delete(batch);
    this.#owner.sendAgain([], 0); // only what has waited for it
  }

  #rejectUnits(batch: RetryBatch, units: readonly QueueEntry[]): void {
    if (units.length === 0) return;
    const gone = new Set(units);
    batch.units = batch.units?.filter((unit) => !gone.has(unit));
    for (const unit of units) this.#reject(refusedOf(unit, batch));
  }

  /** Rejects with the last error replies. */
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

/** Whether ioredis' `commandTimeout` has rejected it. */
function isSettled(unit: QueueEntry): boolean {
  return (unit as { isSettled?: boolean }).isSettled === true;
}

function commandsIn(unit: QueueEntry): readonly Command[] {
  return unit instanceof CommandGroup ? unit.commands : [unit];
}

/** When the first of them was refused for the first time. */
function sinceOf(units: readonly QueueEntry[]): number {
  let since = Number.POSITIVE_INFINITY;
  for (const unit of units) {
    for (const one of commandsIn(unit)) since = Math.min(since, refusalOf(one)?.since ?? since);
  }
  return since;
}

function refusedOf(unit: QueueEntry, { refused }: RetryBatch): Command[] {
  return commandsIn(unit).filter((one) => refused.has(one));
}

/** Whether nothing of a group ran: each command was refused, or is in a transaction whose EXEC was. */
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

/** The same group, to be sent again. Commands of a transaction may be settled already, with `OK` or `QUEUED`. */
function anew(group: CommandGroup, refused: ReadonlySet<Command>): CommandGroup {
  const commands = group.commands.map((one) => (refused.has(one) ? one : standIn(one)));
  return CommandGroup.of(group.stream, commands);
}

/** A command that is written as `command`, whose promise is settled, and ignores its reply. */
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
