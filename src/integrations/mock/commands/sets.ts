import {
  atLeast,
  type Command,
  type Context,
  exactly,
  readOptions,
  syntaxError,
  takeKeys,
  toInt,
} from '../command.ts';
import { Failure, Members, type Reply } from '../reply.ts';
import { pick } from './hashes.ts';
import { scanAll } from './scan-all.ts';

function read({ db }: Context, key: string): ReadonlySet<string> {
  return db.get('set', key) ?? new Set();
}

/** Removes members from a set, and returns those that were in it. */
function take({ db }: Context, key: string, members: readonly string[]): string[] {
  const set = db.get('set', key);
  const taken = set ? members.filter((one) => set.delete(one)) : [];
  if (taken.length > 0) db.changed(key);
  return taken;
}

type Combine = (context: Context, keys: readonly string[]) => string[];

/** Combines sets; `keep` decides which members of the first are kept, given the others. */
function combine(keep: (member: string, others: readonly ReadonlySet<string>[]) => boolean): Combine {
  return (context, keys) => {
    const [first = new Set<string>(), ...others] = keys.map((key) => read(context, key));
    return [...first].filter((member) => keep(member, others));
  };
}

const union: Combine = (context, keys) => [...new Set(keys.flatMap((key) => [...read(context, key)]))];
const intersection = combine((member, others) => others.every((one) => one.has(member)));
const difference = combine((member, others) => !others.some((one) => one.has(member)));

const told = (of: Combine): Command => atLeast(1, (context, ...keys) => new Members(of(context, keys)));

const stored = (of: Combine): Command =>
  atLeast(2, (context, target, ...keys) => {
    const members = new Set(of(context, keys));
    if (members.size > 0) context.db.set('set', target, members);
    else context.db.delete(target);
    return members.size;
  });

function countShared(context: Context, ...args: string[]): Reply {
  const [keys, rest] = takeKeys(args, "ERR Number of keys can't be greater than number of args");
  const { limit = '0' } = readOptions(rest, [], ['limit']);
  const most = /^\d+$/.test(limit) ? toInt(limit) : -1;
  if (most < 0) throw new Failure("ERR LIMIT can't be negative");
  const { length } = intersection(context, keys);
  return most === 0 ? length : Math.min(most, length);
}

/** Without chance: the first members. */
function some(context: Context, key: string, count?: string, ...rest: string[]): Reply {
  if (rest.length > 0) throw syntaxError();
  const all = [...read(context, key)];
  return count === undefined ? (all[0] ?? null) : pick(all, toInt(count));
}

function pop(context: Context, key: string, count?: string): Reply {
  const all = [...read(context, key)];
  if (count === undefined) return take(context, key, all.slice(0, 1))[0] ?? null;
  if (!/^\d{1,19}$/.test(count)) throw new Failure('ERR value is out of range, must be positive');
  return new Members(take(context, key, all.slice(0, toInt(count))));
}

function move(context: Context, from: string, to: string, member: string): Reply {
  if (!context.db.has(from)) return 0;
  const source = read(context, from);
  read(context, to); // throws before anything is moved
  if (from === to) return Number(source.has(member));
  if (take(context, from, [member]).length === 0) return 0;
  context.db.edit('set', to, new Set()).add(member);
  context.db.changed(to);
  return 1;
}

export const sets: Readonly<Record<string, Command>> = {
  sadd: atLeast(2, ({ db }, key, ...members) => {
    const set = db.edit('set', key, new Set());
    const before = set.size;
    for (const member of members) set.add(member);
    if (set.size > before) db.changed(key);
    return set.size - before;
  }),
  srem: atLeast(2, (context, key, ...members) => take(context, key, members).length),
  smembers: exactly(1, (context, key) => new Members([...read(context, key)])),
  sismember: exactly(2, (context, key, member) => Number(read(context, key).has(member))),
  smismember: atLeast(2, (context, key, ...members) =>
    members.map((member) => Number(read(context, key).has(member))),
  ),
  scard: exactly(1, (context, key) => read(context, key).size),
  spop: atLeast(1, pop, 2),
  srandmember: atLeast(1, some),
  smove: exactly(3, move),
  sunion: told(union),
  sinter: told(intersection),
  sdiff: told(difference),
  sunionstore: stored(union),
  sinterstore: stored(intersection),
  sdiffstore: stored(difference),
  sintercard: atLeast(2, countShared),
  sscan: atLeast(2, (context, key, cursor, ...rest) =>
    scanAll(
      [...read(context, key)].map((member) => [member]),
      cursor,
      rest,
    ),
  ),
};
