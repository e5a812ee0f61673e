import {
  atLeast,
  type Command,
  type Context,
  exactly,
  readOptions,
  syntaxError,
  takeKeys,
  toFloat,
  toInt,
} from '../command.ts';
import { Failure, OK, type Reply } from '../reply.ts';

type End = 'left' | 'right';

function read({ db }: Context, key: string): readonly string[] {
  return db.get('list', key) ?? [];
}

function push(end: End, { onlyIfThere = false } = {}): Command {
  return atLeast(2, (context, key, ...values) => {
    if (onlyIfThere && read(context, key).length === 0) return 0;
    const list = context.db.edit('list', key, []);
    for (const value of values) end === 'left' ? list.unshift(value) : list.push(value);
    context.db.changed(key);
    return list.length;
  });
}

function take({ db }: Context, end: End, key: string): string | undefined {
  const list = db.get('list', key);
  if (list === undefined) return undefined;
  const value = end === 'left' ? list.shift() : list.pop();
  db.changed(key);
  return value;
}

function pop(end: End): Command {
  return atLeast(
    1,
    (context, key, count) => {
      if (count === undefined) return take(context, end, key) ?? null;
      const most = toInt(count);
      if (most < 0) throw new Failure('ERR value is out of range, must be positive');
      if (read(context, key).length === 0) return null;
      const length = Math.min(most, read(context, key).length);
      return Array.from({ length }, () => take(context, end, key) ?? '');
    },
    2,
  );
}

/** The time that a blocking command waits at the most. Milliseconds; `Infinity`: for ever. */
export function toTimeout(text: string): number {
  const seconds = toFloat(text, 'ERR timeout is not a float or out of range');
  if (seconds < 0) throw new Failure('ERR timeout is negative');
  return seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
}

function blockingPop(end: End): Command {
  return atLeast(2, (context, ...args) => {
    const keys = args.slice(0, -1);
    return context.block(toTimeout(args.at(-1) ?? ''), () => {
      const key = keys.find((one) => read(context, one).length > 0);
      return key === undefined ? undefined : [key, take(context, end, key) ?? ''];
    });
  });
}

function toEnd(text: string): End {
  const end = text.toLowerCase();
  if (end !== 'left' && end !== 'right') throw syntaxError();
  return end;
}

/** Moves one value; `undefined` if there is none. */
function move(context: Context, from: string, to: string, out: End, into: End): string | undefined {
  if (read(context, from).length === 0) return undefined;
  read(context, to); // throws before anything is taken
  const value = take(context, out, from);
  if (value === undefined) return undefined;
  const list = context.db.edit('list', to, []);
  into === 'left' ? list.unshift(value) : list.push(value);
  context.db.changed(to);
  return value;
}

const lmove = (context: Context, from: string, to: string, out: string, into: string): Reply =>
  move(context, from, to, toEnd(out), toEnd(into)) ?? null;

function blmove(
  context: Context,
  from: string,
  to: string,
  out: string,
  into: string,
  time: string,
): Reply | Promise<Reply> {
  const [take, put] = [toEnd(out), toEnd(into)];
  return context.block(toTimeout(time), () => move(context, from, to, take, put));
}

/** LMPOP and BLMPOP without its timeout: what it takes from the first list that has anything. */
function popOfMany(context: Context, args: readonly string[]): () => Reply | undefined {
  const [keys, [side = '', ...rest]] = takeKeys(args);
  const end = toEnd(side);
  const { count } = readOptions(rest, [], ['count']);
  if (rest.length > 2) throw syntaxError();
  const most = count === undefined ? 1 : toCount(count);
  return () => {
    const key = keys.find((one) => read(context, one).length > 0);
    if (key === undefined) return undefined;
    const length = Math.min(most, read(context, key).length);
    return [key, Array.from({ length }, () => take(context, end, key) ?? '')];
  };
}

/** The COUNT of LMPOP and the like. */
export function toCount(text: string): number {
  const most = /^[1-9]\d*$/.test(text) ? toInt(text) : 0;
  if (most < 1) throw new Failure('ERR count should be greater than 0');
  return most;
}

function replace({ db }: Context, key: string, at: string, value: string): Reply {
  const list = db.get('list', key);
  if (list === undefined) throw new Failure('ERR no such key');
  const place = toInt(at) < 0 ? list.length + toInt(at) : toInt(at);
  if (list[place] === undefined) throw new Failure('ERR index out of range');
  list[place] = value;
  db.changed(key);
  return OK;
}

function insert({ db }: Context, key: string, where: string, pivot: string, value: string): Reply {
  const after = where.toLowerCase() === 'after';
  if (!after && where.toLowerCase() !== 'before') throw syntaxError();
  const list = db.get('list', key);
  if (list === undefined) return 0;
  const at = list.indexOf(pivot);
  if (at < 0) return -1;
  list.splice(at + Number(after), 0, value);
  db.changed(key);
  return list.length;
}

function position(context: Context, key: string, value: string, ...rest: string[]): Reply {
  const options = readOptions(rest, [], ['rank', 'count', 'maxlen']);
  const atLeastZero = (word: 'count' | 'maxlen'): number => {
    const number = toInt(options[word] ?? '0');
    if (number < 0) throw new Failure(`ERR ${word.toUpperCase()} can't be negative`);
    return number;
  };
  const rank = toInt(options.rank ?? '1');
  if (rank === 0) {
    throw new Failure(
      "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
    );
  }
  const most = atLeastZero('count') || Number.POSITIVE_INFINITY;
  const compared = atLeastZero('maxlen') || Number.POSITIVE_INFINITY;
  const list = read(context, key);
  const places = Array.from(list, (_, i) => (rank < 0 ? list.length - 1 - i : i));
  const found = places
    .slice(0, compared)
    .filter((i) => list[i] === value)
    .slice(Math.abs(rank) - 1);
  return options.count === undefined ? (found[0] ?? null) : found.slice(0, most);
}

/** The part of a list between two indexes, both included; negative ones count from the end. */
export function range<T>(list: readonly T[], from: string, to: string): T[] {
  const place = (text: string): number => {
    const at = toInt(text);
    return at < 0 ? list.length + at : at;
  };
  return list.slice(Math.max(0, place(from)), Math.max(0, place(to) + 1));
}

function remove({ db }: Context, key: string, count: string, value: string): Reply {
  const most = toInt(count);
  const list = db.get('list', key) ?? [];
  let gone = 0;
  while (most === 0 || gone < Math.abs(most)) {
    const at = most < 0 ? list.lastIndexOf(value) : list.indexOf(value);
    if (at < 0) break;
    list.splice(at, 1);
    gone++;
  }
  if (gone > 0) db.changed(key);
  return gone;
}

export const lists: Readonly<Record<string, Command>> = {
  lpush: push('left'),
  rpush: push('right'),
  lpushx: push('left', { onlyIfThere: true }),
  rpushx: push('right', { onlyIfThere: true }),
  lpop: pop('left'),
  rpop: pop('right'),
  blpop: blockingPop('left'),
  brpop: blockingPop('right'),
  lmpop: atLeast(3, (context, ...args) => popOfMany(context, args)() ?? null),
  blmpop: atLeast(4, (context, time, ...args) => {
    const wait = toTimeout(time);
    return context.block(wait, popOfMany(context, args));
  }),
  lmove: exactly(4, lmove),
  rpoplpush: exactly(2, (context, from, to) => lmove(context, from, to, 'right', 'left')),
  blmove: exactly(5, blmove),
  brpoplpush: exactly(3, (context, from, to, time) => blmove(context, from, to, 'right', 'left', time)),
  lset: exactly(3, replace),
  linsert: exactly(4, insert),
  lpos: atLeast(2, position),
  llen: exactly(1, (context, key) => read(context, key).length),
  lindex: exactly(2, (context, key, at) => read(context, key).at(toInt(at)) ?? null),
  lrange: exactly(3, (context, key, from, to) => range(read(context, key), from, to)),
  lrem: exactly(3, (context, key, count, value) => remove(context, key, count, value)),
  ltrim: exactly(3, (context, key, from, to) => {
    const kept = range(read(context, key), from, to);
    if (context.db.has(key)) context.db.set('list', key, kept, { keepTtl: true });
    return OK;
  }),
};
