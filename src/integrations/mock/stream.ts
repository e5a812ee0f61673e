/** The ID of an entry: milliseconds in the upper 64 bits, a number in the lower. */
export type Id = bigint;

const HALF = 64n;
const MOST = 2n ** HALF - 1n;
export const LAST_ID: Id = (MOST << HALF) | MOST;

export interface Entry {
  readonly id: Id;
  /** Fields and values in turn. */
  readonly fields: readonly string[];
}

/** An entry that a consumer has got and not acknowledged. */
export interface Pending {
  consumer: string;
  /** When it got it. Milliseconds since 1970. */
  at: number;
  times: number;
}

export interface Group {
  last: Id;
  /** How many entries were read; `undefined`: that is not known. */
  read: number | undefined;
  readonly pending: Map<Id, Pending>;
  /** When each consumer was last seen. Milliseconds since 1970. */
  readonly consumers: Map<string, number>;
}

export interface Stream {
  /** By ID. */
  entries: Entry[];
  last: Id;
  deleted: Id;
  added: number;
  readonly groups: Map<string, Group>;
}

export function newStream(): Stream {
  return { entries: [], last: 0n, deleted: 0n, added: 0, groups: new Map() };
}

export const idText = (id: Id): string => `${id >> HALF}-${id & MOST}`;

export const idOf = (ms: bigint, number: bigint): Id => (ms << HALF) | number;

export const msOf = (id: Id): bigint => id >> HALF;

/** Reads an ID; without its second part that is `rest`. `undefined` if it is none. */
export function parseId(text: string, rest: 'first' | 'last' = 'first'): Id | undefined {
  const [, ms = '', number] = /^(\d{1,20})(?:-(\d{1,20}))?$/.exec(text) ?? [];
  if (ms === '') return undefined;
  const [upper, lower] = [BigInt(ms), number === undefined ? (rest === 'last' ? MOST : 0n) : BigInt(number)];
  return upper > MOST || lower > MOST ? undefined : idOf(upper, lower);
}

/** The ID of a new entry; `undefined` if there is none left. */
export function nextId(last: Id, now: number): Id | undefined {
  const fresh = idOf(BigInt(now), 0n);
  if (fresh > last) return fresh;
  return last === LAST_ID ? undefined : last + 1n;
}

/** Entries per node, as Redis stores them by default: approximate trimming removes whole nodes. */
const NODE = 100;

/** How many entries to remove, so that `kept` are left. */
export function excess(length: number, kept: number, approximate: boolean): number {
  if (!approximate) return Math.max(0, length - kept);
  let removed = 0;
  for (let node = Math.min(NODE, length); node > 0 && length - removed - node >= kept; ) {
    removed += node;
    node = Math.min(NODE, length - removed);
  }
  return removed;
}

/** The number of nodes that Redis would have. */
export const nodesOf = (stream: Stream): number => Math.ceil(stream.entries.length / NODE);

/** How many of all entries that ever were came up to `id`; `undefined` if that is not known. */
export function distance(stream: Stream, id: Id): number | undefined {
  const { entries, added, last, deleted } = stream;
  const first = entries[0]?.id;
  if (added === 0) return 0;
  if (first === undefined && id <= last) return added;
  if (id === last) return added;
  if (first === undefined || id > last || deleted >= first) return undefined;
  if (id < first) return added - entries.length;
  return id === first ? added - entries.length + 1 : undefined;
}

/** How many entries the group has not got; `null` if that is not known. */
export function lagOf(stream: Stream, { read, last }: Group): number | null {
  if (stream.added === 0) return 0;
  const done = read !== undefined && stream.deleted <= last ? read : distance(stream, last);
  return done === undefined ? null : stream.added - done;
}
