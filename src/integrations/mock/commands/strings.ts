import {
  arityError,
  atLeast,
  type Command,
  type Context,
  exactly,
  expireError,
  inPairs,
  readOptions,
  syntaxError,
  toBigInt,
  toDate,
  toFloat,
  toInt,
} from '../command.ts';
import { addFloats } from '../long-double.ts';
import { Failure, OK, type Reply } from '../reply.ts';

const TTLS = { ex: 1000, px: 1, exat: 1000, pxat: 1 } as const;
const TTL_WORDS = Object.keys(TTLS) as (keyof typeof TTLS)[];

/** The date that the options set, in milliseconds; `undefined` if they set none. */
function readTtl(
  context: Context,
  command: string,
  options: Partial<Record<keyof typeof TTLS, string>>,
): number | undefined {
  const given = TTL_WORDS.filter((word) => options[word] !== undefined);
  const [word] = given;
  if (word === undefined) return undefined;
  if (given.length > 1) throw syntaxError();
  return until(command, options[word] ?? '', TTLS[word], word.endsWith('at') ? 0 : context.date());
}

function until(command: string, text: string, unit: number, since: number): number {
  if (toInt(text) <= 0) throw expireError(command);
  return toDate(command, text, unit, since);
}

function store({ db }: Context, key: string, value: string, date?: number, keepTtl = false): void {
  db.set('string', key, value, { keepTtl });
  if (date !== undefined) db.expireAt(key, date);
}

function set(context: Context, key: string, value: string, ...rest: string[]): Reply {
  const { db } = context;
  const options = readOptions(rest, ['nx', 'xx', 'keepttl', 'get'], TTL_WORDS);
  const date = readTtl(context, 'set', options);
  if ((options.nx && options.xx) || (options.keepttl && date !== undefined)) throw syntaxError();
  const before = options.get ? (db.get('string', key) ?? null) : undefined;
  if (options.nx ? db.has(key) : options.xx && !db.has(key)) return before ?? null;
  store(context, key, value, date, options.keepttl);
  return before === undefined ? OK : before;
}

function setFor(command: string, unit: number): Command {
  return exactly(3, (context, key, time, value) => {
    store(context, key, value, until(command, time, unit, context.date()));
    return OK;
  });
}

function getEx(context: Context, key: string, ...rest: string[]): Reply {
  const options = readOptions(rest, ['persist'], TTL_WORDS);
  if (!context.db.has(key)) return null;
  const date = readTtl(context, 'getex', options);
  if (options.persist && date !== undefined) throw syntaxError();
  const value = context.db.get('string', key) ?? null;
  if (options.persist || date !== undefined) context.db.expireAt(key, date ?? Number.POSITIVE_INFINITY);
  return value;
}

function increase({ db }: Context, key: string, by: bigint): Reply {
  const sum = toBigInt(db.get('string', key) ?? '0') + by;
  if (sum !== BigInt.asIntN(64, sum)) throw new Failure('ERR increment or decrement would overflow');
  db.set('string', key, String(sum), { keepTtl: true });
  return sum;
}

/** The sum of two numbers; throws if one is none, or the sum is not finite. */
export function increased(value: string, by: string, message?: string): string {
  if (!Number.isFinite(toFloat(value, message) + toFloat(by))) {
    throw new Failure('ERR increment would produce NaN or Infinity');
  }
  return addFloats(value, by);
}

function increaseFloat({ db }: Context, key: string, by: string): Reply {
  const sum = increased(db.get('string', key) ?? '0', by);
  db.set('string', key, sum, { keepTtl: true });
  return sum;
}

function setMany({ db }: Context, command: string, args: readonly string[]): void {
  for (const [key, value] of inPairs(args, () => arityError(command))) db.set('string', key, value);
}

function part({ db }: Context, key: string, from: string, to: string): Reply {
  const value = db.get('string', key) ?? '';
  const place = (text: string): number => {
    const at = toInt(text);
    return at < 0 ? Math.max(0, value.length + at) : at;
  };
  return value.slice(place(from), place(to) + 1);
}

export const strings: Readonly<Record<string, Command>> = {
  get: exactly(1, ({ db }, key) => db.get('string', key) ?? null),
  set: atLeast(2, (context, key, value, ...rest) => set(context, key, value, ...rest)),
  setex: setFor('setex', 1000),
  psetex: setFor('psetex', 1),
  setnx: exactly(2, (context, key, value) => {
    if (context.db.has(key)) return 0;
    store(context, key, value);
    return 1;
  }),
  getset: exactly(2, (context, key, value) => set(context, key, value, 'get')),
  getdel: exactly(1, ({ db }, key) => {
    const value = db.get('string', key) ?? null;
    db.delete(key);
    return value;
  }),
  getex: atLeast(1, (context, key, ...rest) => getEx(context, key, ...rest)),
  getrange: exactly(3, part),
  substr: exactly(3, part),
  mget: atLeast(1, ({ db }, ...keys) =>
    keys.map((key) => (db.kindOf(key) === 'string' ? (db.get('string', key) ?? null) : null)),
  ),
  mset: atLeast(2, (context, ...args) => {
    setMany(context, 'mset', args);
    return OK;
  }),
  msetnx: atLeast(2, (context, ...args) => {
    if (args.some((key, i) => i % 2 === 0 && context.db.has(key))) return 0;
    setMany(context, 'msetnx', args);
    return 1;
  }),
  append: exactly(2, ({ db }, key, more) => {
    const value = (db.get('string', key) ?? '') + more;
    db.set('string', key, value, { keepTtl: true });
    return value.length;
  }),
  strlen: exactly(1, ({ db }, key) => (db.get('string', key) ?? '').length),
  incr: exactly(1, (context, key) => increase(context, key, 1n)),
  decr: exactly(1, (context, key) => increase(context, key, -1n)),
  incrby: exactly(2, (context, key, by) => increase(context, key, toBigInt(by))),
  decrby: exactly(2, (context, key, by) => increase(context, key, -toBigInt(by))),
  incrbyfloat: exactly(2, (context, key, by) => increaseFloat(context, key, by)),
};
