import { getKeyIndexes, hasFlag } from '@ioredis/commands';
import type { Command } from 'ioredis';
import { isListed, isReadOnly, keyIndexes } from '../ioredis/command-kinds.ts';
import { CommandGroup } from './command-group.ts';
import type { Touch } from './command-order.ts';

/** They touch no key, but may show others, or the caller, that earlier writes have taken effect. */
const KEYLESS: ReadonlySet<string> = new Set(
  'publish spublish ping echo time info role lastsave command pubsub lolwut'.split(' '),
);
/** They touch more than their first key: patterns among their arguments name others. */
const PATTERNED: ReadonlySet<string> = new Set(['sort', 'sort_ro']);
/** They have keys in other places than the table says. */
const ELSEWHERE: ReadonlySet<string> = new Set(['migrate']);
/** They enclose a transaction; by themselves they touch nothing. */
const FRAME: ReadonlySet<string> = new Set(['multi', 'exec', 'discard']);

const NOTHING: Touch = { reads: true, keys: [], scope: 'keys' };
const WRITERS: Touch = { reads: true, keys: [], scope: 'writers' };
const ALL: Touch = { reads: false, keys: [], scope: 'all' };

/** Commands whose only key is their first argument; and whether they only read. */
const oneKeyFirst = new Map<string, boolean | undefined>();

/** The keys and the scope of a command, or of a group. */
export function touchOf(unit: Command | CommandGroup): Touch {
  if (!(unit instanceof CommandGroup)) return touchOfOne(unit);
  let reads = true;
  let scope: Touch['scope'] = 'keys';
  const keys: string[] = [];
  for (const command of unit.commands) {
    const one = touchOfOne(command);
    reads &&= one.reads;
    if (one.scope === 'all' || scope === 'keys') scope = one.scope;
    for (const key of one.keys) keys.push(key);
  }
  return { reads, keys, scope };
}

function touchOfOne({ name, args }: Command): Touch {
  const reads = oneKeyFirst.get(name);
  if (reads !== undefined && args.length > 0) return { reads, keys: [textOf(args[0])], scope: 'keys' };
  const lower = name.toLowerCase();
  if (lower !== name) return touchOfOne({ name: lower, args } as Command);
  if (KEYLESS.has(name)) return WRITERS;
  if (FRAME.has(name)) return NOTHING;
  if (!isListed(name)) return ALL;
  if (!oneKeyFirst.has(name))
    oneKeyFirst.set(name, hasOneKeyFirst(name) ? isReadOnly(name, args) : undefined);
  const keys = keysOf(name, args);
  if (keys.length > 0) return { reads: isReadOnly(name, args), keys, scope: 'keys' };
  return isReadOnly(name, args) ? WRITERS : ALL;
}

/** The keys of a command; none if they are unknown. */
function keysOf(name: string, args: readonly unknown[]): string[] {
  if (ELSEWHERE.has(name) || (PATTERNED.has(name) && args.length > 1)) return [];
  return keyIndexes(name, args).map((index) => textOf(args[index]));
}

function hasOneKeyFirst(name: string): boolean {
  if (hasFlag(name, 'movablekeys')) return false;
  return [1, 2, 9].every((length) => String(getKeyIndexes(name, Array(length).fill('x'))) === '0');
}

/** Keys that are no valid UTF-8 may become equal here; they are then kept in order needlessly. */
function textOf(key: unknown): string {
  return typeof key === 'string' ? key : String(key);
}
