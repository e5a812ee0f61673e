import { getKeyIndexes, hasFlag } from '@ioredis/commands';
import type { Command } from 'ioredis';
import { isListed, keyIndexes } from '../ioredis/command-kinds.ts';
import { slotOf } from './slot.ts';

/** Where a command without a key goes, and what is made of the replies of several nodes. */
export type Keyless = 'any' | 'scan' | Join;
/** What is made of the replies of all masters: their sum, all in one list, whether each says yes, or that of one. */
export type Join = 'sum' | 'list' | 'and' | 'one';

const SORTS: ReadonlySet<string> = new Set(['sort', 'sort_ro']);

/** By name, or by name and subcommand. What is not here goes to any node. */
const KEYLESS: Readonly<Record<string, Keyless>> = {
  ...{ flushall: 'one', flushdb: 'one', dbsize: 'sum', keys: 'list', scan: 'scan' },
  ...{ 'script load': 'one', 'script flush': 'one', 'script exists': 'and', 'script kill': 'one' },
  ...{ 'function load': 'one', 'function delete': 'one', 'function flush': 'one', 'function restore': 'one' },
  ...{ 'config set': 'one', 'config resetstat': 'one', 'config rewrite': 'one', 'slowlog reset': 'one' },
  ...{ 'latency reset': 'sum', 'memory purge': 'one' },
};
const CONTAINERS: ReadonlySet<string> = new Set(
  Object.keys(KEYLESS).map((name) => name.split(' ')[0] as string),
);

/** Commands whose keys may be in several slots, and are then done for each: how many arguments a key has. */
const SPLIT: Readonly<Record<string, { readonly step: 1 | 2; readonly join: Join | 'order' }>> = {
  mget: { step: 1, join: 'order' },
  mset: { step: 2, join: 'one' },
  ...{ del: { step: 1, join: 'sum' }, unlink: { step: 1, join: 'sum' } },
  ...{ exists: { step: 1, join: 'sum' }, touch: { step: 1, join: 'sum' } },
};

/** How a command of a name is routed, as far as the name tells it. */
interface Kind {
  /** Its first argument is its only key. */
  readonly oneKeyFirst: boolean;
  readonly split: { readonly step: 1 | 2; readonly join: Join | 'order' } | undefined;
}

const kinds = new Map<string, Kind>();

/** Where a command goes: its slot; or how it is done without one; or that its keys are in several slots. */
export type Route = number | Keyless | 'split' | 'crossslot';

/** Where a command goes. Its keys have their prefix already. */
export function routeOf({ name, args }: Pick<Command, 'name' | 'args'>): Route {
  const kind = kinds.get(name);
  if (kind?.oneKeyFirst && args.length > 0) return slotOf(args[0] as string | Buffer);
  return routeByKeys(name, args as (string | Buffer)[]);
}

function routeByKeys(written: string, args: readonly (string | Buffer)[]): Route {
  const name = written.toLowerCase();
  if (!isListed(name)) {
    // Nobody knows it. What modules add has its key first, as nearly all have; if not, the node it goes to says so.
    return args.length > 0 ? slotOf(args[0] as string | Buffer) : 'any';
  }
  let kind = kinds.get(name);
  if (kind === undefined) {
    kind = { oneKeyFirst: hasOneKeyFirst(name), split: splitOf(name) };
    kinds.set(name, kind);
  }
  if (written !== name) kinds.set(written, kind);
  const keys = keyIndexesOf(name, args);
  if (keys.length === 0) return keylessRoute(name, args);
  const slot = slotOf(args[keys[0] as number] as string | Buffer);
  for (let i = 1; i < keys.length; i++) {
    if (slotOf(args[keys[i] as number] as string | Buffer) === slot) continue;
    return kind.split ? 'split' : 'crossslot';
  }
  return slot;
}

/** The slot of a transaction's command; nothing, if it does not matter; several, if it cannot be in one. */
export function slotWithin(command: Pick<Command, 'name' | 'args'>): number | undefined | 'crossslot' {
  const route = routeOf(command);
  if (typeof route === 'number') return route;
  return route === 'split' || route === 'crossslot' ? 'crossslot' : undefined;
}

/** A command as it is done in one slot: its arguments, and which of the keys these are. */
export interface Part {
  readonly slot: number;
  readonly args: (string | Buffer)[];
  readonly at: number[];
}

/**
 * The parts of a command whose route is `split`, in order of their first keys. If a value is missing, nothing of it may be
 * done: a key alone, which the server refuses as it would the whole.
 */
export function partsOf({ name, args }: Pick<Command, 'name' | 'args'>): Part[] {
  const { step } = splitOf(name.toLowerCase()) ?? { step: 1 };
  const [first] = args as readonly (string | Buffer)[];
  if (first !== undefined && args.length % step > 0) return [{ slot: slotOf(first), args: [first], at: [0] }];
  const parts = new Map<number, Part>();
  for (let i = 0, key = 0; i < args.length; i += step, key++) {
    const slot = slotOf(args[i] as string | Buffer);
    const part = parts.get(slot) ?? { slot, args: [], at: [] };
    parts.set(slot, part);
    part.args.push(...(args.slice(i, i + step) as (string | Buffer)[]));
    part.at.push(key);
  }
  return [...parts.values()];
}

/** What a command whose route is `split` answers, of the replies to its parts. */
export function joinParts(name: string, parts: readonly Part[], replies: readonly unknown[]): unknown {
  const join = splitOf(name.toLowerCase())?.join ?? 'one';
  if (join !== 'order') return joinReplies(join, replies);
  const all: unknown[] = [];
  for (const [i, { at }] of parts.entries()) {
    for (const [k, key] of at.entries()) all[key] = (replies[i] as unknown[] | undefined)?.[k] ?? null;
  }
  return all;
}

/** What is made of the replies of all masters. */
export function joinReplies(join: Join, replies: readonly unknown[]): unknown {
  const [first] = replies;
  if (join === 'sum') return replies.reduce<number>((sum, one) => sum + Number(one), 0);
  if (join === 'list') return replies.flat();
  if (join === 'one' || !Array.isArray(first)) return first;
  return first.map((_, i) => ((replies as number[][]).every((one) => one[i] === 1) ? 1 : 0));
}

function splitOf(name: string): (typeof SPLIT)[string] | undefined {
  return Object.hasOwn(SPLIT, name) ? SPLIT[name] : undefined;
}

function keylessRoute(name: string, args: readonly (string | Buffer)[]): Keyless {
  const full = CONTAINERS.has(name) && args.length > 0 ? `${name} ${String(args[0]).toLowerCase()}` : name;
  return (
    Object.hasOwn(KEYLESS, full) ? KEYLESS[full] : Object.hasOwn(KEYLESS, name) ? KEYLESS[name] : 'any'
  ) as Keyless;
}

function keyIndexesOf(name: string, args: readonly (string | Buffer)[]): number[] {
  if (SORTS.has(name)) return sortKeys(args); // the table takes the pattern after BY for a key
  return keyIndexes(name, args);
}

function sortKeys(args: readonly (string | Buffer)[]): number[] {
  const store = args.findIndex((arg, i) => i > 0 && /^store$/i.test(String(arg)));
  return [0, store + 1].filter((index, i) => index < args.length && (i === 0 || store > 0));
}

function hasOneKeyFirst(name: string): boolean {
  if (hasFlag(name, 'movablekeys')) return false;
  return [1, 2, 9].every((length) => String(getKeyIndexes(name, Array(length).fill('x'))) === '0');
}
