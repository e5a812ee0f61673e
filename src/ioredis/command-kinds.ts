import { hasFlag, list } from '@ioredis/commands';
import { Taint, taintAfter } from './taint.ts';

/**
 * How `pool.redis` may send a command: `shared` with others over one connection; `own`, over a connection of its own
 * for its time, since nobody knows what it does; `blocking`, the same, since it may wait for another command;
 * `stateful` not at all, since what it leaves behind, or speaks about, belongs to one connection.
 */
export type CommandKind = 'shared' | 'own' | 'blocking' | 'stateful';

/** Beyond what leaves a trace on its connection: what undoes one, or speaks about what its connection did before. */
const STATEFUL: ReadonlySet<string> = new Set(
  'unwatch exec discard unsubscribe punsubscribe sunsubscribe wait waitaof'.split(' '),
);
/** `exists` would also know the names that every JavaScript object has, as `constructor`. */
const LISTED: ReadonlySet<string> = new Set(list);
/** Known to ioredis, but not in the list of commands. */
const UNLISTED: ReadonlySet<string> = new Set(['sentinel']);
/** Of containers, which have no flags of their own, the subcommands that only read; `undefined`: all of them. */
const READING = new Map<string, RegExp | undefined>([
  ['object', undefined],
  ['xinfo', undefined],
  ['memory', /^usage$/i],
]);
/** Containers in which the subcommand decides. */
const CONTAINERS: ReadonlySet<string> = new Set(['client', 'script']);

const kinds = new Map<string, CommandKind>();

/** The kind of a command, whatever the case of its name. */
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
  // Names come from callers, and there is no end to those that nobody knows.
  if (found !== 'own') kinds.set(name, found);
  return found;
}

/** Whether a command of this name, in lower case, is `shared` whatever its arguments are. */
export function isAlwaysShared(name: string): boolean {
  return !CONTAINERS.has(name) && kindByName(name) === 'shared';
}

function kindByName(name: string): CommandKind {
  if (STATEFUL.has(name) || taintAfter(Taint.none, name, []) !== Taint.none) return 'stateful';
  if (!LISTED.has(name)) return UNLISTED.has(name) ? 'shared' : 'own';
  return hasFlag(name, 'blocking') ? 'blocking' : 'shared';
}

/** Whether it is in ioredis' list of commands. `name` is in lower case. */
export function isListed(name: string): boolean {
  return LISTED.has(name);
}

/** Which argument says for how long a command may block, from the end if below 0; in seconds. */
const BLOCKS_FOR: Readonly<Record<string, number>> = {
  ...{ blpop: -1, brpop: -1, brpoplpush: -1, blmove: -1, bzpopmin: -1, bzpopmax: -1 },
  ...{ blmpop: 0, bzmpop: 0 },
};

/** For how long a command may wait for another one, by its own words. Milliseconds; `Infinity`: for ever. */
export function blocksForMs(name: string, args: readonly unknown[]): number {
  const lower = name.toLowerCase();
  let ms = 0;
  if (lower === 'xread' || lower === 'xreadgroup') {
    const at = args.findIndex((arg) => /^block$/i.test(String(arg)));
    if (at < 0) return 0;
    ms = Number(String(args[at + 1]));
  } else if (lower === 'wait' || lower === 'waitaof') {
    ms = Number(String(args.at(-1)));
  } else if (Object.hasOwn(BLOCKS_FOR, lower)) {
    ms = Number(String(args.at(BLOCKS_FOR[lower] as number))) * 1000;
  } else {
    return 0;
  }
  if (ms === 0) return Number.POSITIVE_INFINITY;
  return ms > 0 ? ms : 0; // Redis refuses what is none
}

/** Whether Redis itself says that the command only reads, so that sending it twice does no harm. */
export function isReadOnly(name: string, args: readonly unknown[]): boolean {
  const lower = name.toLowerCase();
  if (READING.has(lower)) return READING.get(lower)?.test(String(args[0])) ?? true;
  return LISTED.has(lower) && hasFlag(lower, 'readonly');
}
