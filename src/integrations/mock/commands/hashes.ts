import {
  arityError,
  atLeast,
  type Command,
  type Context,
  exactly,
  inPairs,
  syntaxError,
  toBigInt,
  toInt,
} from '../command.ts';
import { Failure, OK, Pairs, type Reply } from '../reply.ts';
import { scanAll } from './scan-all.ts';
import { increased } from './strings.ts';

function read({ db }: Context, key: string): ReadonlyMap<string, string> {
  return db.get('hash', key) ?? new Map();
}

/** Sets fields, and returns how many of them are new. */
function write({ db }: Context, command: string, key: string, args: readonly string[]): number {
  const pairs = inPairs(args, () => arityError(command));
  const hash = db.edit('hash', key, new Map());
  const before = hash.size;
  for (const [field, value] of pairs) hash.set(field, value);
  db.changed(key);
  return hash.size - before;
}

function increase(context: Context, key: string, field: string, by: string): Reply {
  const value = read(context, key).get(field) ?? '0';
  if (!/^-?\d+$/.test(value)) throw new Failure('ERR hash value is not an integer');
  const sum = toBigInt(value) + toBigInt(by);
  if (sum !== BigInt.asIntN(64, sum)) throw new Failure('ERR increment or decrement would overflow');
  write(context, 'hincrby', key, [field, String(sum)]);
  return sum;
}

function increaseFloat(context: Context, key: string, field: string, by: string): Reply {
  const sum = increased(read(context, key).get(field) ?? '0', by, 'ERR hash value is not a float');
  write(context, 'hincrbyfloat', key, [field, sum]);
  return sum;
}

/** Fields as HRANDFIELD gives them, without chance: the first ones; if `count` is negative, they may repeat. */
export function pick<T>(all: readonly T[], count: number): T[] {
  if (count >= 0) return all.slice(0, count);
  return all.length === 0 ? [] : Array.from({ length: -count }, (_, i) => all[i % all.length] as T);
}

function some(context: Context, key: string, count?: string, withValues?: string, ...rest: string[]): Reply {
  if (count === undefined) return [...read(context, key).keys()][0] ?? null;
  const most = toInt(count);
  if (rest.length > 0 || (withValues !== undefined && withValues.toLowerCase() !== 'withvalues'))
    throw syntaxError();
  const picked = pick([...read(context, key)], most);
  if (withValues === undefined) return picked.map(([field]) => field);
  return context.client.protocol === 3 ? picked : picked.flat();
}

export const hashes: Readonly<Record<string, Command>> = {
  hget: exactly(2, (context, key, field) => read(context, key).get(field) ?? null),
  hset: atLeast(3, (context, key, ...args) => write(context, 'hset', key, args)),
  hmset: atLeast(3, (context, key, ...args) => {
    write(context, 'hmset', key, args);
    return OK;
  }),
  hsetnx: exactly(3, (context, key, field, value) =>
    read(context, key).has(field) ? 0 : write(context, 'hsetnx', key, [field, value]),
  ),
  hmget: atLeast(2, (context, key, ...fields) => {
    const hash = read(context, key);
    return fields.map((field) => hash.get(field) ?? null);
  }),
  hgetall: exactly(1, (context, key) => new Pairs([...read(context, key)])),
  hkeys: exactly(1, (context, key) => [...read(context, key).keys()]),
  hvals: exactly(1, (context, key) => [...read(context, key).values()]),
  hlen: exactly(1, (context, key) => read(context, key).size),
  hstrlen: exactly(2, (context, key, field) => (read(context, key).get(field) ?? '').length),
  hexists: exactly(2, (context, key, field) => Number(read(context, key).has(field))),
  hdel: atLeast(2, ({ db }, key, ...fields) => {
    const hash = db.get('hash', key);
    const gone = hash ? fields.filter((field) => hash.delete(field)).length : 0;
    if (gone > 0) db.changed(key);
    return gone;
  }),
  hincrby: exactly(3, (context, key, field, by) => increase(context, key, field, by)),
  hincrbyfloat: exactly(3, (context, key, field, by) => increaseFloat(context, key, field, by)),
  hrandfield: atLeast(1, some),
  hscan: atLeast(2, (context, key, cursor, ...rest) => scanAll([...read(context, key)], cursor, rest)),
};
