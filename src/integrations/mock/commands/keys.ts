import {
  atLeast,
  type Command,
  type Context,
  container,
  exactly,
  readOptions,
  syntaxError,
  toDate,
  toInt,
} from '../command.ts';
import { glob } from '../glob.ts';
import type { Kind } from '../keyspace.ts';
import { Failure, OK, type Reply, Status } from '../reply.ts';

/** Sets the expiry of a key, if the option allows it; a time in the past deletes the key. */
function expiry(command: string, unit: number, { isDate = false } = {}): Command {
  return atLeast(2, ({ db, date }, key, text, ...rest) => {
    const unknown = rest.find((one) => !/^(nx|xx|gt|lt)$/i.test(one));
    if (unknown !== undefined) throw new Failure(`ERR Unsupported option ${unknown}`);
    const { nx, xx, gt, lt } = readOptions(rest, ['nx', 'xx', 'gt', 'lt'], []);
    if (nx && (xx || gt || lt)) {
      throw new Failure('ERR NX and XX, GT or LT options at the same time are not compatible');
    }
    if (gt && lt) throw new Failure('ERR GT and LT options at the same time are not compatible');
    const at = toDate(command, text, unit, isDate ? 0 : date());
    const before = db.expiry(key);
    if (before === undefined) return 0;
    const infinite = before === Number.POSITIVE_INFINITY;
    if ((nx && !infinite) || (xx && infinite) || (gt && at <= before) || (lt && at >= before)) return 0;
    if (at > date()) db.expireAt(key, at);
    else db.delete(key);
    return 1;
  });
}

function ttlIn(unit: number): Command {
  return exactly(1, ({ db }, key) => {
    const ms = db.timeLeft(key);
    if (ms === undefined) return -2;
    return ms === Number.POSITIVE_INFINITY ? -1 : Math.round(ms / unit);
  });
}

function expiryIn(unit: number): Command {
  return exactly(1, ({ db }, key) => {
    const at = db.expiry(key);
    if (at === undefined) return -2;
    return at === Number.POSITIVE_INFINITY ? -1 : Math.round(at / unit);
  });
}

function remove({ db }: Context, ...keys: string[]): number {
  return keys.filter((key) => db.delete(key)).length;
}

function count({ db }: Context, ...keys: string[]): number {
  return keys.filter((key) => db.has(key)).length;
}

function scan({ db }: Context, cursor: string, ...rest: string[]): Reply {
  if (!/^\d+$/.test(cursor)) throw new Failure('ERR invalid cursor');
  const options = readOptions(rest, [], ['match', 'count', 'type']);
  const most = options.count === undefined ? 10 : toInt(options.count);
  if (most < 1) throw syntaxError();
  const { next, keys } = db.scan(Number(cursor), most);
  const fits = glob(options.match ?? '*');
  const kind = options.type?.toLowerCase() as Kind | undefined;
  return [String(next), keys.filter((key) => fits(key) && (!kind || db.kindOf(key) === kind))];
}

function rename({ db }: Context, from: string, to: string): void {
  const kind = db.kindOf(from);
  if (kind === undefined) throw new Failure('ERR no such key');
  if (from === to) return;
  const value = db.get(kind, from);
  const at = db.expiry(from);
  db.delete(from);
  db.delete(to);
  if (value !== undefined) db.set(kind, to, value);
  if (at !== undefined) db.expireAt(to, at);
}

function copy({ db, dbs, client }: Context, from: string, to: string, ...rest: string[]): Reply {
  const { db: index = String(client.dbIndex), replace } = readOptions(rest, ['replace'], ['db']);
  const target = dbs[toInt(index)];
  if (target === undefined) throw new Failure('ERR DB index is out of range');
  if (target === db && from === to) throw new Failure('ERR source and destination objects are the same');
  const kind = db.kindOf(from);
  const value = kind && db.get(kind, from);
  if (kind === undefined || value === undefined || (target.has(to) && !replace)) return 0;
  target.delete(to);
  target.set(kind, to, structuredClone(value));
  target.expireAt(to, db.expiry(from) ?? Number.POSITIVE_INFINITY);
  return 1;
}

function moveKey({ db, dbs, client }: Context, key: string, index: string): Reply {
  const target = dbs[toInt(index)];
  if (target === undefined) throw new Failure('ERR DB index is out of range');
  if (toInt(index) === client.dbIndex) throw new Failure('ERR source and destination objects are the same');
  const kind = db.kindOf(key);
  const value = kind && db.get(kind, key);
  if (kind === undefined || value === undefined || target.has(key)) return 0;
  target.set(kind, key, value);
  target.expireAt(key, db.expiry(key) ?? Number.POSITIVE_INFINITY);
  db.delete(key);
  return 1;
}

/** The most entries, and the longest of them, that Redis 7 stores in a listpack by default. */
const PACKED = { entries: 128, bytes: 64 };

const isPacked = (entries: number, texts: Iterable<string>): boolean =>
  entries <= PACKED.entries && [...texts].every((one) => one.length <= PACKED.bytes);

const isInteger = (text: string): boolean =>
  /^(0|-?[1-9]\d{0,18})$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);

/** How Redis 7 would store a value that was written in one piece. */
function encodingOf({ db }: Context, key: string, kind: Kind): string {
  if (kind === 'string') {
    const value = db.get('string', key) ?? '';
    if (isInteger(value)) return 'int';
    return value.length <= 44 ? 'embstr' : 'raw';
  }
  if (kind === 'list') return 'quicklist';
  if (kind === 'stream') return 'stream';
  if (kind === 'set') {
    const set = [...(db.get('set', key) ?? [])];
    return set.length <= 512 && set.every(isInteger) ? 'intset' : 'hashtable';
  }
  const map: ReadonlyMap<string, string | number> = db.get(kind, key) ?? new Map();
  const texts = [...map].flat().filter((one) => typeof one === 'string');
  if (isPacked(map.size, texts)) return 'listpack';
  return kind === 'hash' ? 'hashtable' : 'skiplist';
}

function inspect(answer: (context: Context, key: string, kind: Kind) => Reply): Command {
  return exactly(1, (context, key) => {
    const kind = context.db.kindOf(key);
    return kind === undefined ? null : answer(context, key, kind);
  });
}

const object = container('object', {
  encoding: inspect(encodingOf),
  refcount: inspect(() => 1),
  idletime: inspect(() => 0),
  freq: inspect(() => {
    throw new Failure(
      'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
    );
  }),
});

export const keys: Readonly<Record<string, Command>> = {
  del: atLeast(1, remove),
  unlink: atLeast(1, remove),
  exists: atLeast(1, count),
  touch: atLeast(1, count),
  expire: expiry('expire', 1000),
  pexpire: expiry('pexpire', 1),
  expireat: expiry('expireat', 1000, { isDate: true }),
  pexpireat: expiry('pexpireat', 1, { isDate: true }),
  expiretime: expiryIn(1000),
  pexpiretime: expiryIn(1),
  ttl: ttlIn(1000),
  pttl: ttlIn(1),
  persist: exactly(1, ({ db }, key) => {
    if (!Number.isFinite(db.timeLeft(key))) return 0;
    db.expire(key, Number.POSITIVE_INFINITY);
    return 1;
  }),
  type: exactly(1, ({ db }, key) => new Status(db.kindOf(key) ?? 'none')),
  keys: exactly(1, ({ db }, pattern) => db.keys().filter(glob(pattern))),
  scan: atLeast(1, (context, cursor, ...rest) => scan(context, cursor, ...rest)),
  rename: exactly(2, (context, from, to) => {
    rename(context, from, to);
    return OK;
  }),
  renamenx: exactly(2, (context, from, to) => {
    if (context.db.has(from) && context.db.has(to)) return 0;
    rename(context, from, to);
    return 1;
  }),
  copy: atLeast(2, copy),
  move: exactly(2, moveKey),
  // Without chance: the first.
  randomkey: exactly(0, ({ db }) => db.keys()[0] ?? null),
  object,
  dbsize: exactly(0, ({ db }) => db.size),
  flushdb: atLeast(
    0,
    ({ db }) => {
      db.clear();
      return OK;
    },
    1,
  ),
  flushall: atLeast(
    0,
    ({ dbs }) => {
      for (const db of dbs) db.clear();
      return OK;
    },
    1,
  ),
};
