import { type Address, nameOf, readAddress } from './address.ts';
import { SLOTS } from './slot.ts';

/** Who serves what, as one node sees it. */
export interface Topology {
  /** The masters, by name, and their replicas. */
  readonly masters: ReadonlyMap<string, Shard>;
  /** The master of each slot; `undefined` where nobody serves it. */
  readonly slots: readonly (string | undefined)[];
  /** How many slots are served. */
  readonly covered: number;
  /** The node itself says that the cluster is well. */
  readonly ok: boolean;
  /** It grows with every change that the masters agreed upon. */
  readonly epoch: number;
}

/** A master and its replicas. */
export interface Shard {
  readonly address: Address;
  readonly replicas: readonly Address[];
}

/**
 * Reads the replies to CLUSTER SLOTS and CLUSTER INFO of the node at `asked`. CLUSTER SHARDS tells no more that is of use
 * here, and older servers have not got it. All of it comes from the wire: what cannot be is passed over, and so is what
 * contradicts what was told before.
 */
export function readTopology(
  slotsReply: unknown,
  info: string,
  asked: Address,
  translated: (address: Address) => Address = (address) => address,
): Topology {
  const masters = new Map<string, { address: Address; replicas: readonly Address[] }>();
  const slots = new Array<string | undefined>(SLOTS).fill(undefined);
  let covered = 0;
  // No slot is told twice, unless to keep us busy.
  let left = SLOTS;
  for (const range of listOf(slotsReply)) {
    if (left <= 0) break;
    const [from, to, first, ...others] = listOf(range);
    const told = addressOf(first, asked);
    if (!isSlot(from) || !isSlot(to) || from > to || told === undefined) continue;
    left -= to - from + 1;
    const address = translated(told);
    const name = nameOf(address);
    const before = covered;
    for (let slot = from; slot <= to; slot++) {
      if (slots[slot] !== undefined) continue;
      slots[slot] = name;
      covered++;
    }
    if (covered > before && !masters.has(name)) {
      masters.set(name, { address, replicas: replicasOf(others, asked, translated) });
    }
  }
  const epoch = Number(/^cluster_current_epoch:(\d{1,15})\b/m.exec(info)?.[1] ?? 0);
  return { masters, slots, covered, epoch, ok: /^cluster_state:ok\b/m.test(info) };
}

/**
 * Whether `one` is to be believed rather than `other`: a node that was cut off from the others, or has left them, may not
 * know of what they agreed upon since.
 */
export function isBetter(one: Topology, other: Topology | undefined): boolean {
  if (other === undefined) return true;
  if (one.ok !== other.ok) return one.ok;
  if (one.epoch !== other.epoch) return one.epoch > other.epoch;
  return one.covered > other.covered;
}

/** Each once. One that cannot be translated is not needed. */
function replicasOf(
  told: readonly unknown[],
  asked: Address,
  translated: (address: Address) => Address,
): Address[] {
  const replicas = new Map<string, Address>();
  for (const one of told) {
    try {
      const address = addressOf(one, asked);
      const reached = address && translated(address);
      if (reached) replicas.set(nameOf(reached), reached);
    } catch {}
  }
  return [...replicas.values()];
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

const isSlot = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < SLOTS;

/** `[host, port, id, [name, value, …]]`. Who prefers names, and has none for a node, tells its IP besides. */
function addressOf(node: unknown, asked: Address): Address | undefined {
  const [host, port, , more] = listOf(node);
  const metadata = listOf(more);
  const at = host === '?' ? metadata.indexOf('ip') : -1;
  return readAddress(at >= 0 ? metadata[at + 1] : host, port, asked);
}
