import { getKeyIndexes, hasFlag, list } from '@ioredis/commands';
import { Taint, taintAfter } from './taint.ts';

/**
 * How `pool.redis` may send a command. `shared`: over a connection with others. `dedicated`: over a dedicated connection,
 * since the command is unknown. `blocking`: over a dedicated connection, since it may wait for another command.
 * `stateful`: not at all, since it leaves state on its connection, or refers to it.
 */
export type CommandKind = 'shared' | 'dedicated' | 'blocking' | 'stateful';

/** Besides commands that leave state on a connection: those that undo it, or refer to earlier commands there. */
const STATEFUL: ReadonlySet<string> = new Set(
  'unwatch exec discard unsubscribe punsubscribe sunsubscribe wait waitaof'.split(' '),
);
/** `exists` would also return `true` for names that every object has, such as `constructor`. */
const LISTED: ReadonlySet<string> = new Set(list);
/** Supported by ioredis, but not in the list of commands. */
const UNLISTED: ReadonlySet<string> = new Set(['sentinel']);
/** The subcommands that only read, of containers, which have no flags themselves; `undefined`: all of them. */
const READING = new Map<string, RegExp | undefined>([
  ['object', undefined],
  ['xinfo', undefined],
  ['memory', /^usage$/i],
]);
/** Containers whose kind depends on the subcommand. */
const CONTAINERS: ReadonlySet<string> = new Set(['client', 'script']);

const kinds = new Map<string, CommandKind>();

/** The kind of a command; `name` may be in any case. */
export function kindOf(name: string, args: readonly unknown[]): CommandKind {
  const kind = kinds.get(name);
  if (kind !== undefined) return kind;
  const lower = name.toLowerCase();
  if (lower !== name) return kindOf(lower, args);
  if (CONTAINERS.has(name)) return taintAfter(Taint.none, name, args) === Taint.none ? 'shared' : 'stateful';
  const found = kindByName(name);
  if (found === 'blocking' && name.startsWith('xread')) {
    return args.some((arg) => /^block$/i.test(String(arg))) ? 'blocking' : 'shared';
  }
  // Names come from callers: the number of unknown ones is unbounded.
  if (found !== 'dedicated') kinds.set(name, found);
  return found;
}

/** Whether a command of this name, in lower case, is `shared` whatever its arguments are. */
export function isAlwaysShared(name: string): boolean {
  return !CONTAINERS.has(name) && kindByName(name) === 'shared';
}

function kindByName(name: string): CommandKind {
  if (STATEFUL.has(name) || taintAfter(Taint.none, name, []) !== Taint.none) return 'stateful';
  if (!LISTED.has(name)) return UNLISTED.has(name) ? 'shared' : 'dedicated';
  return hasFlag(name, 'blocking') ? 'blocking' : 'shared';
}

/** Whether it is in ioredis' list of commands. `name` is in lower case. */
export function isListed(name: string): boolean {
  return LISTED.has(name);
}

/** A number of keys that there are not is one that the table counts up to, or fails at. */
const COUNT = /^\d+$/;

/** Which arguments of a command are keys, by the table; `name` is in its list. */
export function keyIndexes(name: string, args: readonly unknown[]): number[] {
  const counted = hasFlag(name, 'movablekeys') && args.slice(0, 2).some((arg) => isTooMany(arg, args.length));
  const read = counted ? args.map((arg) => (isTooMany(arg, args.length) ? '0' : arg)) : args;
  return getKeyIndexes(name, read as string[]).filter((index) => index >= 0 && index < args.length);
}

const isTooMany = (arg: unknown, most: number): boolean => COUNT.test(String(arg)) && Number(arg) > most;

/** The index of the argument with the time-out, from the end if negative. Seconds. */
const BLOCKS_FOR: Readonly<Record<string, number>> = {
  ...{ blpop: -1, brpop: -1, brpoplpush: -1, blmove: -1, bzpopmin: -1, bzpopmax: -1 },
  ...{ blmpop: 0, bzmpop: 0 },
};

/** How long a command may block, according to its arguments. Milliseconds; `Infinity`: for ever. */
export function blocksForMs(name: string, args: readonly unknown[]): number {
  const lower = name.toLowerCase();
  let ms = 0;
  if (lower === 'xread' || lower === 'xreadgroup') {
    const at = args.findIndex((arg) => /^block$/i.test(String(arg)));
    if (at < 0) return 0;
    ms = Number(String(args[at + 1]));
  } else if (lower === 'wait' || lower === 'waitaof') {
    ms = Number(String(args.at(-1)));
  } else if (lower === 'client') {
    // Without replies, none comes for this one either.
    return /^reply,(off|skip)$/i.test(String(args)) ? Number.POSITIVE_INFINITY : 0;
  } else if (Object.hasOwn(BLOCKS_FOR, lower)) {
    ms = Number(String(args.at(BLOCKS_FOR[lower] as number))) * 1000;
  } else {
    return 0;
  }
  if (ms === 0) return Number.POSITIVE_INFINITY;
  return ms > 0 ? ms : 0; // Redis refuses an invalid one
}

/** Whether the command only reads according to Redis' own flags, so that it may be sent twice. */
export function isReadOnly(name: string, args: readonly unknown[]): boolean {
  const lower = name.toLowerCase();
  if (READING.has(lower)) return READING.get(lower)?.test(String(args[0])) ?? true;
  return LISTED.has(lower) && hasFlag(lower, 'readonly');
}
