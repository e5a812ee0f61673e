import { Command, ReplyError } from 'ioredis';
import { another, isPoolError } from '../api/errors.ts';
import type { Events } from '../core/events.ts';
import { isReadOnly, kindOf } from '../ioredis/command-kinds.ts';
import { isAborted } from '../ioredis/error-replies.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import type { LeanCommand } from '../ioredis/lean-command.ts';
import { ignore } from '../ioredis/watched-command.ts';
import type { ClientOwner, Lanes } from '../multiplex/client-backend.ts';
import { type ClientView, ClientViews, type Heard } from '../multiplex/client-views.ts';
import { CommandGroup, frameOf, sendTogether } from '../multiplex/command-group.ts';
import type { Clock } from '../util/clock.ts';
import { type Route, routeOf, slotWithin } from './command-route.ts';
import { sendScan, sendSplit, sendToAll } from './fan-out.ts';
import { type Journey, journeyOf, RoutedCommand, type Router, type Unit, unitOf } from './journey.ts';
import { type ClusterOwner, judge } from './judge.ts';
import type { Node } from './node.ts';
import { WaitingUnits } from './waiting-units.ts';

/** So often in a row a command is sent elsewhere at once; then it waits, as nodes may not agree yet. */
const MOST_HOPS = 3;
/** Whether a transaction is open among the commands of a pipeline, as far as they have come; and its slot. */
interface Gathering {
  inTransaction: boolean;
  slot: number | undefined;
}

/**
 * Where the commands of `cluster.redis` go: each over the lanes of the node that has its key. What a node refuses because
 * the key is elsewhere, or for now, is sent again, until the time is over that an acquire has.
 */
export class ClusterBackend implements ClientOwner, Lanes, Router, Heard {
  readonly lanes = this;
  readonly Command = RoutedCommand as typeof LeanCommand;
  readonly #owner: ClusterOwner;
  readonly #views = new ClientViews(this);
  /** The time in this tick, in whole milliseconds: commands have it for nothing. */
  #now = 0;
  #ticking = false;
  /** The pipelines that are being filled. */
  readonly #gathering = new Map<CommandGroup, Gathering>();
  /** The one of these that nobody will end: it ends with whatever is sent next, or with this turn. */
  #loose: CommandGroup | undefined;
  /** What is sent elsewhere at the end of this turn, all at once. */
  #again: Unit[] = [];
  #againDue = false;
  /** What waits until it may be done. */
  readonly #waiting: WaitingUnits;
  /** Which of the masters has the next command that any of them may have. */
  #turn = 0;
  /** No node has told of any, and those that were asked have failed. */
  #lost = false;
  #stopped = false;

  constructor(owner: ClusterOwner) {
    this.#owner = owner;
    this.#waiting = new WaitingUnits(owner.clock, owner.options, (due, late) => this.#retry(due, late));
  }

  get errors(): Pick<ClusterOwner, 'make'> {
    return this.#owner;
  }

  get leases(): ClusterOwner['leases'] {
    return this.#owner.leases;
  }

  get single(): boolean {
    return this.#owner.options.maxActive === 1;
  }

  get watched(): boolean {
    for (const node of this.#owner.nodes.masters) if (node.opened) return node.lanes.watched;
    return false;
  }

  /** Ready until it is known that nobody can be reached. With one master away the keys of others are served. */
  get status(): 'ready' | 'connecting' | 'end' {
    if (this.#stopped) return 'end';
    const { masters } = this.#owner.nodes;
    const reached = masters.some(({ opened }) => (opened?.backend.status ?? 'ready') === 'ready');
    return reached || (masters.length === 0 && !this.#lost) ? 'ready' : 'connecting';
  }

  get events(): Events {
    return this.#owner.events;
  }

  get clock(): Clock {
    return this.#owner.clock;
  }

  /** Commands that wait until they can be sent. */
  get waiting(): number {
    return this.#waiting.commands;
  }

  send(command: Command): void {
    if (this.#loose) this.ended(this.#loose);
    const journey = journeyOf(command, this);
    journey.since = this.#time();
    const route = routeOf(command);
    const node = typeof route === 'number' ? this.#nodeFor(route, command) : undefined;
    if (node === undefined) {
      this.#route(command, journey);
      return;
    }
    journey.node = node;
    node.lanes.send(command);
  }

  sendGroup(group: CommandGroup): void {
    if (this.#loose) this.ended(this.#loose);
    this.#gathering.set(group, { inTransaction: false, slot: undefined });
    if (!group.loose) return;
    this.#loose = group;
    queueMicrotask(() => this.ended(group));
  }

  added(group: CommandGroup): void {
    const gathering = this.#gathering.get(group);
    if (gathering === undefined || group.refusal) return;
    const command = group.commands.at(-1) as Command;
    const frame = frameOf(command);
    if (frame === 'begin') Object.assign(gathering, { inTransaction: true, slot: undefined });
    else if (frame === 'end') gathering.inTransaction = false;
    else if (gathering.inTransaction) {
      const slot = slotWithin(command);
      gathering.slot ??= slot === 'crossslot' ? undefined : slot;
      if (slot !== undefined && slot !== gathering.slot) {
        group.refuse(crossSlot(`the keys of a transaction must be in one slot`));
      }
    }
  }

  ended(group: CommandGroup): void {
    if (this.#loose === group) this.#loose = undefined;
    if (this.#gathering.delete(group)) this.#scatter(group);
  }

  ready(): Promise<void> {
    return this.#owner.ready();
  }

  async quit(): Promise<void> {
    await this.#owner.quiet();
    await this.#owner.close();
  }

  disconnect(): void {
    void this.#owner.close(0);
  }

  warm(): void {
    this.#views.warm();
  }

  attach(view: ClientView): () => void {
    return this.#views.attach(view);
  }

  hold(view: ClientView, listened: boolean): void {
    this.#views.hold(view, listened);
  }

  /** Nothing is sent any more. What waits is rejected. */
  stop(): void {
    if (this.#loose) this.ended(this.#loose);
    this.#stopped = true;
    const left = [...this.#again.splice(0), ...this.#waiting.takeAll()];
    const closed = left.length > 0 ? this.#owner.closed() : undefined;
    for (const unit of left) failUnit(unit, closed);
  }

  /** Other nodes can be reached than before: what waits may go. */
  changed(): void {
    this.#lost = false;
    for (const unit of this.#waiting.takeAll()) this.#sendAgain(unit);
  }

  /** No node has told where to send anything. Whoever has never heard of any waits no longer. */
  lost(error: unknown): void {
    if (this.#owner.nodes.topology !== undefined) return;
    this.#lost = true;
    for (const unit of this.#waiting.takeAll()) failUnit(unit, error);
  }

  refused(command: Command, journey: Journey, error: unknown): boolean {
    if (this.#stopped) return false;
    const { unit } = journey;
    const last = unit === undefined || unit.commands.at(-1) === command;
    if (unit && !last) return this.#hold(unit, journey, error);
    const why = unit?.held[0] && error instanceof Error && isAborted(error) ? unit.held[0].error : error;
    const alone = unit === undefined || unit.commands.length === 1;
    const verdict = judge(this.#owner, why, journey.node, alone && isReadOnly(command.name, command.args));
    // A command that blocked, or took its time, was not refused until now.
    if (verdict && !isPoolError(why, 'POOL_CONNECT_FAILED') && !(unit?.delays || unit?.hops))
      journey.since = this.#time();
    const late = this.#time() - journey.since >= this.#owner.options.acquireTimeoutMs;
    if (verdict === undefined || late) {
      if (unit) tellHeld(unit);
      const told = verdict === undefined ? why : this.#owner.late(why);
      if (told === why) return false;
      journey.fail(told);
      return true;
    }
    const again = unit ?? unitOf([command]);
    journey.unit = again;
    again.error = why;
    again.held = [];
    again.asked = verdict !== 'later' && verdict.asking ? verdict.to : undefined;
    if (verdict === 'later' || ++again.hops > MOST_HOPS) this.#waitWith(again);
    else this.#sendAgain(again);
    return true;
  }

  /** What is refused of a transaction is told with its EXEC. */
  #hold(unit: Unit, journey: Journey, error: unknown): boolean {
    const exec = unit.commands.at(-1) as Command;
    if (unit.held.length === 0) ignore(exec.promise.then(() => tellHeld(unit)));
    unit.held.push({ journey, error });
    return true;
  }

  #time(): number {
    if (this.#ticking) return this.#now;
    this.#ticking = true;
    this.#now = Math.floor(this.#owner.clock.now());
    this.#owner.clock.soon(this.#endTick);
    return this.#now;
  }

  readonly #endTick = (): void => {
    this.#ticking = false;
  };

  #route(command: Command, journey: Journey): void {
    const route = routeOf(command);
    if (typeof route !== 'number') {
      this.#sendElse(command, journey, route);
      return;
    }
    const node = this.#nodeFor(route, command);
    if (node === undefined) this.#waitWithout(command, journey);
    else this.#sendTo(node, command, journey);
  }

  /** The node that has a command of `slot`: the master, or for what only reads perhaps a replica, each in its turn. */
  #nodeFor(slot: number, command: Command): Node | undefined {
    const { nodes, replicas } = this.#owner;
    const master = nodes.slots[slot];
    if (replicas === 'never' || master === undefined || !isReadOnly(command.name, command.args))
      return master;
    const reachable = nodes.replicasOf(master);
    if (reachable.length > 0) return reachable[this.#turn++ % reachable.length];
    return replicas === 'prefer' ? master : undefined;
  }

  #sendTo(node: Node, command: Command, journey: Journey): void {
    journey.node = node;
    if (kindOf(command.name, command.args) === 'shared') node.lanes.send(command);
    else sendTogether(node.lanes, [command]);
  }

  #sendElse(command: Command, journey: Journey, route: Exclude<Route, number>): void {
    if (route === 'crossslot') {
      rejectSafely(command, crossSlot(`the keys of ${command.name.toUpperCase()} must be in one slot`));
    } else if (route === 'split') {
      sendSplit(command, journey, (part) => {
        const own = journeyOf(part, this);
        own.since = journey.since;
        this.#route(part, own);
      });
    } else if (this.#owner.nodes.masters.length === 0) {
      this.#waitWithout(command, journey);
    } else if (route === 'any') {
      this.#sendTo(this.#any(), command, journey);
    } else if (route === 'scan') {
      sendScan(command, this.#owner.nodes.masters);
    } else {
      sendToAll(command, route, this.#owner.nodes.masters);
    }
  }

  /** One of the masters that can be reached, each in its turn. */
  #any(): Node {
    const { masters } = this.#owner.nodes;
    const reachable = masters.filter(({ unreachable }) => !unreachable);
    const from = reachable.length > 0 ? reachable : masters;
    return from[this.#turn++ % from.length] as Node;
  }

  /** The pipeline is whole: sends its parts to the nodes that they are for, in the order they have there. */
  #scatter(group: CommandGroup): void {
    if (group.refusal) return;
    const groups = new Map<Node, CommandGroup>();
    let transaction: Command[] | undefined;
    for (const command of group.commands) {
      const journey = journeyOf(command, this);
      journey.since = this.#time();
      const frame = frameOf(command);
      if (frame === 'begin') transaction = [];
      if (transaction) {
        transaction.push(command);
        if (frame !== 'end') continue;
        this.#begin(transaction, groups);
        transaction = undefined;
      } else {
        const route = routeOf(command);
        const node = typeof route === 'number' ? this.#nodeFor(route, command) : undefined;
        if (node) this.#addTo(groups, node, command);
        else {
          endAll(groups); // what comes after it in the pipeline must not be sent before it
          this.#route(command, journey);
        }
      }
    }
    endAll(groups);
  }

  #begin(transaction: readonly Command[], groups: Map<Node, CommandGroup>): void {
    const unit = unitOf(transaction);
    for (const command of transaction) journeyOf(command, this).unit = unit;
    const node = this.#nodeOf(unit);
    if (node) for (const command of transaction) this.#addTo(groups, node, command);
    else this.#waitWith(unit);
  }

  #addTo(groups: Map<Node, CommandGroup>, node: Node, command: Command): void {
    let group = groups.get(node);
    if (group === undefined) {
      group = new CommandGroup({}, false);
      groups.set(node, group);
      node.lanes.sendGroup(group);
    }
    journeyOf(command, this).node = node;
    group.add(command);
    node.lanes.added(group);
  }

  /** Where a unit goes now. */
  #nodeOf({ commands, asked }: Unit): Node | undefined {
    if (asked) return asked;
    const { slots, masters } = this.#owner.nodes;
    for (const command of commands) {
      const slot = frameOf(command) ? undefined : slotWithin(command);
      if (typeof slot === 'number') return commands.length === 1 ? this.#nodeFor(slot, command) : slots[slot];
    }
    return masters.length > 0 ? this.#any() : undefined;
  }

  /** There is no node that it could be sent to. */
  #waitWithout(command: Command, journey: Journey): void {
    this.#owner.refresh();
    const unit = journey.unit ?? unitOf([command]);
    journey.unit = unit;
    this.#waitWith(unit);
  }

  #waitWith(unit: Unit): void {
    const { options, make, closed } = this.#owner;
    if (this.#stopped) {
      failUnit(unit, closed());
      return;
    }
    const deadline = journeyOf(unit.commands.at(-1) as Command, this).since + options.acquireTimeoutMs;
    const full = this.#waiting.add(unit, deadline);
    if (full) failUnit(unit, make('POOL_EXHAUSTED', full, unit.error));
  }

  /** Looks at what has waited for long enough, or for too long. */
  #retry(due: readonly Unit[], late: readonly Unit[]): void {
    for (const unit of late) failUnit(unit, this.#owner.late(unit.error ?? this.#owner.nowhere()));
    for (const unit of due) {
      const node = this.#nodeOf(unit);
      if (node === undefined || node.unreachable) this.#waitWith(unit);
      else this.#sendAgain(unit);
    }
    if (this.#waiting.commands > 0) this.#owner.refresh();
  }

  #sendAgain(unit: Unit): void {
    this.#again.push(unit);
    if (this.#againDue) return;
    this.#againDue = true;
    this.#owner.clock.soon(this.#sendAllAgain);
  }

  readonly #sendAllAgain = (): void => {
    this.#againDue = false;
    for (const unit of this.#again.splice(0)) {
      const { commands, asked } = unit;
      const [first] = commands as readonly [Command];
      if (asked === undefined && commands.length === 1) {
        this.#route(first, journeyOf(first, this));
        continue;
      }
      const node = this.#nodeOf(unit);
      if (node) this.#sendWhole(node, unit);
      else this.#waitWith(unit);
    }
  };

  #sendWhole(node: Node, { commands, asked }: Unit): void {
    const asking = asked ? [new Command('asking', [])] : [];
    for (const command of asking) ignore(command.promise);
    for (const command of commands) journeyOf(command, this).node = node;
    sendTogether(node.lanes, [...asking, ...commands]);
  }
}

/** They have all their commands: others belong to others. */
function endAll(groups: Map<Node, CommandGroup>): void {
  for (const [node, group] of groups) node.lanes.ended(group);
  groups.clear();
}

/** Rejects all of it. */
function failUnit(unit: Unit, error: unknown): void {
  for (const command of unit.commands) {
    const journey = journeyOf(command, NOBODY);
    journey.fail(another(error));
  }
}

const NOBODY: Router = { refused: () => false };

/** Tells what was held back of a transaction. */
function tellHeld(unit: Unit): void {
  for (const { journey, error } of unit.held.splice(0)) journey.fail(error);
}

/** As Redis says it, and with what to do. */
function crossSlot(what: string): Error {
  return new ReplyError(
    `CROSSSLOT ${what}: give their keys a common {hash tag}, or send one command for each slot`,
  );
}
