import {
  atLeast,
  type Command,
  type Context,
  exactly,
  inPairs,
  readOptions,
  syntaxError,
  takeKeys,
  toFloat,
  toInt,
} from '../command.ts';
import { Failure, type Reply, Score, scoreText } from '../reply.ts';
import { pick } from './hashes.ts';
import { toCount, toTimeout } from './lists.ts';
import { scanAll } from './scan-all.ts';
import { type Member, membersTold, readScores, removeMembers, sorted } from './zset.ts';

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
    if (Number.isNaN(score)) throw new Failure('ERR resulting score is not a number (NaN)');
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

type Order = (members: Member[]) => Member[];

/** Takes up to `count` members from one end. */
function take(context: Context, key: string, order: Order, count: number): Member[] {
  const members = order(sorted(context, key)).slice(0, count);
  removeMembers(
    context,
    key,
    members.map(([name]) => name),
  );
  return members;
}

function pop(order: Order): Command {
  return atLeast(1, (context, key, count, ...rest) => {
    if (rest.length > 0) throw syntaxError();
    if (count !== undefined && !/^\d{1,19}$/.test(count)) {
      throw new Failure('ERR value is out of range, must be positive');
    }
    const members = take(context, key, order, toInt(count ?? '1'));
    const pairs = members.map(([name, score]): Reply[] => [name, new Score(score)]);
    return context.client.protocol === 3 && count !== undefined ? pairs : pairs.flat();
  });
}

function blockingPop(order: Order): Command {
  return atLeast(2, (context, ...args) => {
    const keys = args.slice(0, -1);
    return context.block(toTimeout(args.at(-1) ?? ''), () => {
      const key = keys.find((one) => readScores(context, one).size > 0);
      const [member] = key === undefined ? [] : take(context, key, order, 1);
      return key === undefined || member === undefined ? undefined : [key, member[0], new Score(member[1])];
    });
  });
}

/** ZMPOP and BZMPOP without its timeout: what it takes from the first set that has anything. */
function popOfMany(context: Context, args: readonly string[]): () => Reply | undefined {
  const [keys, [side = '', ...rest]] = takeKeys(args);
  const order = { min: up, max: down }[side.toLowerCase()];
  if (order === undefined || rest.length > 2) throw syntaxError();
  const { count } = readOptions(rest, [], ['count']);
  const most = count === undefined ? 1 : toCount(count);
  return () => {
    const key = keys.find((one) => readScores(context, one).size > 0);
    if (key === undefined) return undefined;
    return [key, take(context, key, order, most).map(([name, score]) => [name, new Score(score)])];
  };
}

function rank(order: Order): Command {
  return exactly(2, (context, key, name) => {
    const at = order(sorted(context, key)).findIndex(([one]) => one === name);
    return at < 0 ? null : at;
  });
}

const up: Order = (members) => members;
const down: Order = (members) => members.reverse();

/** Without chance: the first members. */
function some(context: Context, key: string, count?: string, withScores?: string, ...rest: string[]): Reply {
  const all = sorted(context, key);
  if (count === undefined) return all[0]?.[0] ?? null;
  const most = toInt(count);
  if (rest.length > 0 || (withScores !== undefined && withScores.toLowerCase() !== 'withscores')) {
    throw syntaxError();
  }
  return membersTold(pick(all, most), withScores !== undefined, context);
}

export const sortedSets: Readonly<Record<string, Command>> = {
  zadd: atLeast(3, (context, key, ...args) => add(context, key, ...args)),
  zincrby: exactly(3, (context, key, by, name) => add(context, key, 'incr', by, name)),
  zrem: atLeast(2, (context, key, ...names) => removeMembers(context, key, names)),
  zscore: exactly(2, (context, key, name) => {
    const score = readScores(context, key).get(name);
    return score === undefined ? null : new Score(score);
  }),
  zcard: exactly(1, (context, key) => readScores(context, key).size),
  zrank: rank(up),
  zrevrank: rank(down),
  zmscore: atLeast(2, (context, key, ...names) => {
    const scores = readScores(context, key);
    return names.map((name) => {
      const score = scores.get(name);
      return score === undefined ? null : new Score(score);
    });
  }),
  zrandmember: atLeast(1, some),
  zpopmin: pop(up),
  zpopmax: pop(down),
  bzpopmin: blockingPop(up),
  bzpopmax: blockingPop(down),
  zmpop: atLeast(3, (context, ...args) => popOfMany(context, args)() ?? null),
  bzmpop: atLeast(4, (context, time, ...args) => {
    const wait = toTimeout(time);
    return context.block(wait, popOfMany(context, args));
  }),
  zscan: atLeast(2, (context, key, cursor, ...rest) =>
    scanAll(
      sorted(context, key).map(([name, score]) => [name, scoreText(score)]),
      cursor,
      rest,
    ),
  ),
};
