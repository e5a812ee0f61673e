import {
  arityError,
  atLeast,
  type Command,
  type Context,
  exactly,
  inPairs,
  readOptions,
  syntaxError,
  toBigInt,
  toFloat,
  toInt,
} from '../command.ts';
import { Failure, OK, type Reply } from '../reply.ts';

const TTLS = { ex: 1000, px: 1, exat: 0, pxat: 0 } as const;
const TTL_WORDS = Object.keys(TTLS) as (keyof typeof TTLS)[];

/** The expiry that the options set; `undefined` if they set none. Milliseconds. */
function readTtl(command: string, options: Partial<Record<keyof typeof TTLS, string>>): number | undefined {
  const given = TTL_WORDS.filter((word) => options[word] !== undefined);
  const [word] = given;
  if (word === undefined) return undefined;
  if (given.length > 1) throw syntaxError();
  if (TTLS[word] === 0) {
    throw new Failure(
      `ERR the mock knows no date: use ${word === 'exat' ? 'EX' : 'PX'} for ${word.toUpperCase()}`,
    );
  }
  return lifetime(command, options[word] ?? '', TTLS[word]);
}

function lifetime(command: string, text: string, unit: number): number {
  const ms = toInt(text) * unit;
  if (ms > 0) return ms;
  throw new Failure(`ERR invalid expire time in '${command}' command`);
}

function store({ db }: Context, key: string, value: string, ms: number | undefined, keepTtl = false): void {
  db.set('string', key, value, { keepTtl });
  if (ms !== undefined) db.expire(key, ms);
}

function set(context: Context, key: string, value: string, ...rest: string[]): Reply {
  const { db } = context;
  const options = readOptions(rest, ['nx', 'xx', 'keepttl', 'get'], TTL_WORDS);
  const ms = readTtl('set', options);
  if ((options.nx && options.xx) || (options.keepttl && ms !== undefined)) throw syntaxError();
  const before = options.get ? (db.get('string', key) ?? null) : undefined;
  if (options.nx ? db.has(key) : options.xx && !db.has(key)) return before ?? null;
  store(context, key, value, ms, options.keepttl);
  return before === undefined ? OK : before;
}

function setFor(command: string, unit: number): Command {
  return exactly(3, (context, key, time, value) => {
    store(context, key ?? '', value ?? '', lifetime(command, time ?? '', unit));
    return OK;
  });
}

function getEx(context: Context, key: string, ...rest: string[]): Reply {
  const options = readOptions(rest, ['persist'], TTL_WORDS);
  const ms = readTtl('getex', options);
  if (options.persist && ms !== undefined) throw syntaxError();
  const value = context.db.get('string', key) ?? null;
  if (options.persist || ms !== undefined) context.db.expire(key, ms ?? Number.POSITIVE_INFINITY);
  return value;
}

function increase({ db }: Context, key: string, by: bigint): Reply {
  const sum = toBigInt(db.get('string', key) ?? '0') + by;
  if (sum !== BigInt.asIntN(64, sum)) throw new Failure('ERR increment or decrement would overflow');
  db.set('string', key, String(sum), { keepTtl: true });
  return sum;
}

function increaseFloat({ db }: Context, key: string, by: string): Reply {
  const sum = String(toFloat(db.get('string', key) ?? '0') + toFloat(by));
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
    store(context, key, value, undefined);
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
