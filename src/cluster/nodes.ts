import type { PoolStats } from '../api/stats.ts';
import type { Pool } from '../pool.ts';
import type { Clock } from '../util/clock.ts';
import { type Address, nameOf } from './address.ts';
import { addPast, NO_STATS } from './cluster-stats.ts';
import { Node } from './node.ts';
import { SLOTS } from './slot.ts';
import type { Topology } from './topology-reply.ts';

/** For so long what is under way at a node may go on that is no master any more. Milliseconds. */
const RETIRE_MS = 2000;

/** So often in a row it is not believed what contradicts what MOVED has told since. */
const MOST_DOUBTS = 5;
/** A master that has no slot yet, and is being given some, is kept for so long after it was named. Milliseconds. */
const ASKED_MS = 3000;
/** A node from which nothing has come for so long is given no more time. Milliseconds. */
const SILENT_MS = 1000;

/** The masters of the cluster, and which slots they have, as far as is known. */
export class Nodes {
  /** The owner of each slot. Replaced whole; only MOVED changes a single one. */
  slots: (Node | undefined)[] = new Array<Node | undefined>(SLOTS).fill(undefined);
  masters: readonly Node[] = [];
  topology: Topology | undefined;
  readonly #clock: Clock;
  readonly #withReplicas: boolean;
  /** Those of each master, if commands may go there. */
  #replicas = new Map<Node, readonly Node[]>();
  /** Masters, and replicas that commands may go to. */
  #kept = new Set<string>();
  readonly #make: (address: Address) => Pool;
  readonly #changed: () => void;
  readonly #known = new Map<string, Node>();
  /** Those that are closing their connections. One that comes back gets none before: together they might be too many. */
  readonly #leaving = new Map<string, Node>();
  #past: PoolStats = NO_STATS;
  /** Where slots went by what MOVED has told since. */
  readonly #news = new Map<number, string>();
  #doubts = 0;
  #closed = false;

  /** `changed` is told when other nodes can be reached than before. */
  constructor(clock: Clock, withReplicas: boolean, make: (address: Address) => Pool, changed: () => void) {
    this.#clock = clock;
    this.#withReplicas = withReplicas;
    this.#make = make;
    this.#changed = changed;
  }

  /** All that have a place. */
  get all(): Iterable<Node> {
    return this.#known.values();
  }

  /** The node at `address`; nothing while one that was there is still being closed. */
  at(address: Address): Node | undefined {
    const name = nameOf(address);
    if (this.#leaving.has(name) || this.#closed) return undefined;
    let node = this.#known.get(name);
    if (node === undefined) {
      node = new Node(address, this.#make);
      this.#known.set(name, node);
    }
    return node;
  }

  /** Whose name it is. */
  named(name: string): Node | undefined {
    return this.#known.get(name);
  }

  /** The replicas of `master` that can be reached, and answer. */
  replicasOf(master: Node): readonly Node[] {
    return (this.#replicas.get(master) ?? []).filter(({ unreachable, silent }) => !unreachable && !silent);
  }

  /** Takes over what a node told. Returns whether that is in doubt, and another should be asked. */
  apply(topology: Topology): boolean {
    if (this.#closed) return false;
    const doubtful = [...this.#news].some(([slot, name]) => topology.slots[slot] !== name);
    // Who has just told where a slot went knows better; but nodes agree before long.
    if (doubtful && ++this.#doubts < MOST_DOUBTS) return true;
    this.#doubts = 0;
    this.#news.clear();
    this.topology = topology;
    const masters = new Map<string, Node>();
    for (const [name, { address }] of topology.masters) {
      const node = this.at(address);
      if (node) masters.set(name, node);
    }
    this.slots = topology.slots.map((name) => (name === undefined ? undefined : masters.get(name)));
    this.masters = [...masters.values()];
    this.#replicas = new Map();
    this.#kept = new Set(masters.keys());
    for (const [name, { replicas }] of this.#withReplicas ? topology.masters : []) {
      const master = masters.get(name);
      const nodes = replicas.flatMap((address) => this.at(address) ?? []);
      for (const node of nodes) this.#kept.add(node.name);
      if (master) this.#replicas.set(master, nodes);
    }
    const now = this.#clock.now();
    for (const [name, node] of this.#known) {
      if (!this.#kept.has(name) && now - node.askedAt >= ASKED_MS) void this.#retire(name, node);
    }
    this.#changed();
    return false;
  }

  /** The node at `address`, of which another says that it has a key already, though the slot is not there yet. */
  asked(address: Address): Node | undefined {
    const node = this.at(address);
    if (node) node.askedAt = this.#clock.now();
    return node;
  }

  /** A node says that `slot` is at `address`. Returns whether that is news. */
  moved(slot: number, address: Address): boolean {
    const node = this.at(address);
    if (this.slots[slot] === node) return false;
    this.slots[slot] = node;
    if (node) this.#news.set(slot, node.name);
    return true;
  }

  /** Whether one is kept that is no master, and was not named for long. */
  isOneOverdue(now: number): boolean {
    for (const [name, { askedAt }] of this.#known) {
      if (now - askedAt >= ASKED_MS && !this.#kept.has(name)) return true;
    }
    return false;
  }

  stats(): Map<string, PoolStats> {
    const all = new Map<string, PoolStats>();
    for (const node of this.#known.values()) if (node.stats) all.set(node.name, node.stats);
    return all;
  }

  /** The numbers of those that are leaving. */
  get leaving(): PoolStats[] {
    return [...this.#leaving.values()].flatMap(({ stats }) => stats ?? []);
  }

  /** The counts of pools that are gone. */
  get past(): PoolStats {
    return this.#past;
  }

  /** A pool is gone. */
  gone(stats: PoolStats): void {
    this.#past = addPast(this.#past, stats);
  }

  clear(): void {
    for (const node of this.#known.values()) node.opened?.clear();
  }

  /** Closes all; those that were never needed too, or the next command would open them. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    const all = [...this.#known.values(), ...this.#leaving.values()];
    await Promise.all(all.map(({ pool }) => pool.close({ graceMs })));
  }

  async #retire(name: string, node: Node): Promise<void> {
    this.#known.delete(name);
    if (node.opened === undefined) return;
    this.#leaving.set(name, node);
    const silent = this.#clock.now() - node.opened.backend.silentSince >= SILENT_MS;
    await node.opened.close({ graceMs: silent ? 0 : RETIRE_MS });
    this.#leaving.delete(name);
    if (node.stats) this.gone(node.stats);
    if (this.topology) this.apply(this.topology); // it may have come back
  }
}
