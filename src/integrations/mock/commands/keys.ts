import { atLeast, type Command, type Context, exactly, readOptions, syntaxError, toInt } from '../command.ts';
import { glob } from '../glob.ts';
import type { Kind } from '../keyspace.ts';
import { Failure, OK, type Reply, Status } from '../reply.ts';

/** Sets the expiry of a key, if the option allows it; a time in the past deletes the key. */
function expireIn(unit: number): Command {
  return atLeast(2, ({ db }, key, text, ...rest) => {
    const ms = toInt(text) * unit;
    const unknown = rest.find((one) => !/^(nx|xx|gt|lt)$/i.test(one));
    if (unknown !== undefined) throw new Failure(`ERR Unsupported option ${unknown}`);
    const { nx, xx, gt, lt } = readOptions(rest, ['nx', 'xx', 'gt', 'lt'], []);
    if (nx && (xx || gt || lt)) {
      throw new Failure('ERR NX and XX, GT or LT options at the same time are not compatible');
    }
    if (gt && lt) throw new Failure('ERR GT and LT options at the same time are not compatible');
    const left = db.timeLeft(key);
    if (left === undefined) return 0;
    const infinite = left === Number.POSITIVE_INFINITY;
    if ((nx && !infinite) || (xx && infinite) || (gt && ms <= left) || (lt && ms >= left)) return 0;
    if (ms > 0) db.expire(key, ms);
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
  const ms = db.timeLeft(from);
  db.delete(from);
  db.delete(to);
  if (value !== undefined) db.set(kind, to, value);
  if (ms !== undefined) db.expire(to, ms);
}

export const keys: Readonly<Record<string, Command>> = {
  del: atLeast(1, remove),
  unlink: atLeast(1, remove),
  exists: atLeast(1, count),
  touch: atLeast(1, count),
  expire: expireIn(1000),
  pexpire: expireIn(1),
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
