import { atLeast, type Command, type Context, exactly, readOptions, syntaxError, toInt } from '../command.ts';
import { Failure, type Reply } from '../reply.ts';
import { range } from './lists.ts';
import {
  between,
  betweenNames,
  type Fits,
  type Member,
  membersTold,
  removeMembers,
  sorted,
  storeMembers,
} from './zset.ts';

const FLAGS = ['rev', 'byscore', 'bylex', 'withscores'] as const;
type Flag = (typeof FLAGS)[number];

interface Range {
  readonly members: readonly Member[];
  readonly withScores: boolean;
}

/** Removes `LIMIT offset count` from `args`, and returns it. */
function takeLimit(args: string[]): [number, number] | undefined {
  const at = args.findIndex((one) => one.toLowerCase() === 'limit');
  if (at < 0) return undefined;
  const [, from, count] = args.splice(at, 3);
  if (from === undefined || count === undefined) throw syntaxError();
  return [toInt(from), toInt(count)];
}

/** What ZRANGE and the like find; `fixed` is in the name of the command, and `free` may be among its arguments. */
function find(
  context: Context,
  fixed: readonly Flag[],
  free: readonly Flag[],
  args: readonly string[],
): Range {
  const [key = '', from = '', to = '', ...rest] = args;
  const limit = takeLimit(rest);
  const given: { [F in Flag]?: true } = readOptions(rest, free, []);
  const has = (flag: Flag): boolean => given[flag] ?? fixed.includes(flag);
  if (has('byscore') && has('bylex')) throw syntaxError();
  if (limit && !has('byscore') && !has('bylex')) {
    throw new Failure(
      'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
    );
  }
  if (has('withscores') && has('bylex')) {
    throw new Failure('ERR syntax error, WITHSCORES not supported in combination with BYLEX');
  }
  const make = has('byscore') ? between : has('bylex') ? betweenNames : undefined;
  const fits = has('rev') ? make?.(to, from) : make?.(from, to);
  if (fits === undefined) range([], from, to); // throws if they are no indexes
  const all = has('rev') ? sorted(context, key).reverse() : sorted(context, key);
  const [skipped, most] = limit ?? [0, -1];
  const found = fits ? all.filter(fits) : range(all, from, to);
  const members = skipped < 0 ? [] : found.slice(skipped, most < 0 ? undefined : skipped + most);
  return { members, withScores: has('withscores') };
}

function ranged(fixed: readonly Flag[], free: readonly Flag[]): Command {
  return atLeast(3, (context, ...args) => {
    const { members, withScores } = find(context, fixed, free, args);
    return membersTold(members, withScores, context);
  });
}

/** ZREMRANGEBYSCORE and the like. */
function remove(make: (from: string, to: string) => Fits): Command {
  return exactly(3, (context, key, from, to) => {
    const fits = make(from, to);
    const gone = sorted(context, key).filter(fits);
    return removeMembers(
      context,
      key,
      gone.map(([name]) => name),
    );
  });
}

function count(make: (from: string, to: string) => Fits): Command {
  return exactly(3, (context, key, from, to): Reply => {
    const fits = make(from, to);
    return sorted(context, key).filter(fits).length;
  });
}

export const sortedSetRanges: Readonly<Record<string, Command>> = {
  zrange: ranged([], FLAGS),
  zrevrange: ranged(['rev'], ['withscores']),
  zrangebyscore: ranged(['byscore'], ['withscores']),
  zrevrangebyscore: ranged(['byscore', 'rev'], ['withscores']),
  zrangebylex: ranged(['bylex'], ['withscores']),
  zrevrangebylex: ranged(['bylex', 'rev'], ['withscores']),
  zrangestore: atLeast(4, (context, target, ...args) =>
    storeMembers(context, target, find(context, [], ['rev', 'byscore', 'bylex'], args).members),
  ),
  zcount: count(between),
  zlexcount: count(betweenNames),
  zremrangebyscore: remove(between),
  zremrangebylex: remove(betweenNames),
  zremrangebyrank: exactly(3, (context, key, from, to) => {
    range([], from, to); // throws if they are no indexes
    return removeMembers(
      context,
      key,
      range(sorted(context, key), from, to).map(([name]) => name),
    );
  }),
};
