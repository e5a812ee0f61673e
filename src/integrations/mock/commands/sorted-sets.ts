import {
  atLeast,
  type Command,
  type Context,
  exactly,
  inPairs,
  readOptions,
  syntaxError,
  toFloat,
  toInt,
} from '../command.ts';
import { Failure, type Reply, Score } from '../reply.ts';
import { range } from './lists.ts';
import { scanAll } from './scan-all.ts';

type Member = readonly [name: string, score: number];

function read({ db }: Context, key: string): ReadonlyMap<string, number> {
  return db.get('zset', key) ?? new Map();
}

/** The members by score, and by name where scores are equal. */
function sorted(context: Context, key: string): Member[] {
  return [...read(context, key)].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
}

const NOT_A_RANGE = 'ERR min or max is not a float';

/** Makes a predicate for scores from `min` to `max`; a `(` before one excludes it. */
function between(min: string, max: string): (member: Member) => boolean {
  const read = (text: string): [number, boolean] => [
    toFloat(text.replace(/^\(/, ''), NOT_A_RANGE),
    text.startsWith('('),
  ];
  const [least, above] = read(min);
  const [most, below] = read(max);
  return ([, score]) => (above ? score > least : score >= least) && (below ? score < most : score <= most);
}

function told(members: readonly Member[], withScores: boolean, { client }: Context): Reply {
  if (!withScores) return members.map(([name]) => name);
  const pairs = members.map(([name, score]): [Reply, Reply] => [name, new Score(score)]);
  return client.protocol === 3 ? pairs : pairs.flat();
}

function limit(
  members: readonly Member[],
  text: string | undefined,
  count: string | undefined,
): readonly Member[] {
  if (text === undefined || count === undefined) return members;
  const from = toInt(text);
  const most = toInt(count);
  return from < 0 ? [] : members.slice(from, most < 0 ? undefined : from + most);
}

/** Removes `LIMIT offset count` from `args`, and returns it. */
function takeLimit(args: string[]): [string | undefined, string | undefined] {
  const at = args.findIndex((one) => one.toLowerCase() === 'limit');
  if (at < 0) return [undefined, undefined];
  const [, from, count] = args.splice(at, 3);
  if (count === undefined) throw syntaxError();
  return [from, count];
}

function zrange(context: Context, key: string, from: string, to: string, ...rest: string[]): Reply {
  const [offset, count] = takeLimit(rest);
  const options = readOptions(rest, ['rev', 'byscore', 'bylex', 'withscores'], []);
  if (options.bylex)
    throw new Failure('ERR the mock has no ZRANGE BYLEX: answer it with mock.reply("zrange", …)');
  if (offset !== undefined && !options.byscore) {
    throw new Failure(
      'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
    );
  }
  const all = options.rev ? sorted(context, key).reverse() : sorted(context, key);
  const found = options.byscore
    ? limit(all.filter(options.rev ? between(to, from) : between(from, to)), offset, count)
    : range(all, from, to);
  return told(found, options.withscores ?? false, context);
}

const ADD_FLAGS = ['nx', 'xx', 'gt', 'lt', 'ch', 'incr'] as const;

/** The flags of ZADD, and the members that follow them. */
function readAdd(args: readonly string[]): [{ [F in (typeof ADD_FLAGS)[number]]?: true }, Member[]] {
  const at = args.findIndex((one) => !(ADD_FLAGS as readonly string[]).includes(one.toLowerCase()));
  const flags = readOptions(args.slice(0, at), ADD_FLAGS, []);
  const { nx, xx, gt, lt, incr } = flags;
  if (nx && xx) throw new Failure('ERR XX and NX options at the same time are not compatible');
  if ((gt && lt) || (nx && (gt || lt))) {
    throw new Failure('ERR GT, LT, and/or NX options at the same time are not compatible');
  }
  const pairs = inPairs(at < 0 ? [] : args.slice(at), syntaxError);
  if (pairs.length === 0) throw syntaxError();
  if (incr && pairs.length > 1) throw new Failure('ERR INCR option supports a single increment-element pair');
  return [flags, pairs.map(([score, name]): Member => [name, toFloat(score)])];
}

function add({ db }: Context, key: string, ...args: string[]): Reply {
  const [{ nx, xx, gt, lt, ch, incr }, members] = readAdd(args);
  const set = new Map(db.get('zset', key));
  let added = 0;
  let changed = 0;
  let last: Score | null = null;
  for (const [name, given] of members) {
    const before = set.get(name);
    const score = incr ? (before ?? 0) + given : given;
    if (before === undefined ? xx : nx || (gt && score <= before) || (lt && score >= before)) continue;
    last = new Score(score);
    if (before === undefined) added++;
    else if (before !== score) changed++;
    set.set(name, score);
  }
  if (added + changed > 0) db.set('zset', key, set, { keepTtl: true });
  if (incr) return last;
  return ch ? added + changed : added;
}

/** Removes members from a set, and returns how many. */
function remove({ db }: Context, key: string, names: readonly string[]): number {
  const set = db.get('zset', key);
  const gone = set ? names.filter((name) => set.delete(name)).length : 0;
  if (gone > 0) db.changed(key);
  return gone;
}

function pop(order: (members: Member[]) => Member[]): Command {
  return atLeast(
    1,
    (context, key, count) => {
      const members = order(sorted(context, key)).slice(0, count === undefined ? 1 : toInt(count));
      remove(
        context,
        key,
        members.map(([name]) => name),
      );
      const pairs = members.map(([name, score]): Reply[] => [name, new Score(score)]);
      return context.client.protocol === 3 && count !== undefined ? pairs : pairs.flat();
    },
    2,
  );
}

function rank(order: (members: Member[]) => Member[]): Command {
  return exactly(2, (context, key, name) => {
    const at = order(sorted(context, key)).findIndex(([one]) => one === name);
    return at < 0 ? null : at;
  });
}

const up = (members: Member[]): Member[] => members;
const down = (members: Member[]): Member[] => members.reverse();

export const sortedSets: Readonly<Record<string, Command>> = {
  zadd: atLeast(3, (context, key, ...args) => add(context, key, ...args)),
  zincrby: exactly(3, (context, key, by, name) => add(context, key, 'incr', by, name)),
  zrem: atLeast(2, (context, key, ...names) => remove(context, key, names)),
  zscore: exactly(2, (context, key, name) => {
    const score = read(context, key).get(name);
    return score === undefined ? null : new Score(score);
  }),
  zcard: exactly(1, (context, key) => read(context, key).size),
  zcount: exactly(3, (context, key, min, max) => [...read(context, key)].filter(between(min, max)).length),
  zrank: rank(up),
  zrevrank: rank(down),
  zrange: atLeast(3, (context, key, from, to, ...rest) => zrange(context, key, from, to, ...rest)),
  zrevrange: atLeast(3, (context, key, from, to, ...rest) => zrange(context, key, from, to, 'rev', ...rest)),
  zrangebyscore: atLeast(3, (context, key, from, to, ...rest) =>
    zrange(context, key, from, to, 'byscore', ...rest),
  ),
  zrevrangebyscore: atLeast(3, (context, key, from, to, ...rest) =>
    zrange(context, key, from, to, 'byscore', 'rev', ...rest),
  ),
  zremrangebyscore: exactly(3, (context, key, min, max) =>
    remove(
      context,
      key,
      [...read(context, key)].filter(between(min, max)).map(([name]) => name),
    ),
  ),
  zremrangebyrank: exactly(3, (context, key, from, to) =>
    remove(
      context,
      key,
      range(sorted(context, key), from, to).map(([name]) => name),
    ),
  ),
  zpopmin: pop(up),
  zpopmax: pop(down),
  zscan: atLeast(2, (context, key, cursor, ...rest) =>
    scanAll(
      sorted(context, key).map(([name, score]) => [name, String(score)]),
      cursor,
      rest,
    ),
  ),
};
