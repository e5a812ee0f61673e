import { inspect } from 'node:util';
import { invalidOption } from '../../api/errors.ts';
import type { RedisPool } from '../../api/redis-pool.ts';
import { checkKeys } from '../../api/spelling.ts';
import { keysOf } from './keys-of.ts';
import { needPool } from './session-options.ts';

/** The part of node-redis' client that connect-redis 9 and 10 call. */
export interface NodeRedisView {
  /** The value of a key; `null` if there is none. */
  get(key: string): Promise<string | null>;
  /** Sets a key. What it returns depends on the options, as in Redis: `OK`, `null`, or with `GET` the previous value. */
  set(key: string, value: string | number | Buffer, options?: SetOptions | null): Promise<string | null>;
  /** Has a key expire; 1 if it is there, else 0. */
  expire(key: string, seconds: number, mode?: 'NX' | 'XX' | 'GT' | 'LT'): Promise<number>;
  /** Deletes keys; how many there were. */
  del(keys: string | string[]): Promise<number>;
  /** The values of several keys, in their order. */
  mGet(keys: string[]): Promise<(string | null)[]>;
  /** The keys that match, a page at a time. */
  scanIterator(options?: ScanOptions | null): AsyncGenerator<string[]>;
}

/** The options of `scanIterator`. Others are refused: `POOL_INVALID_OPTION`. */
export interface ScanOptions {
  readonly cursor?: string | undefined;
  readonly MATCH?: string | undefined;
  readonly COUNT?: number | undefined;
  readonly TYPE?: string | undefined;
}

/** The options of `set`, as in node-redis 4 to 6. Others are refused: `POOL_INVALID_OPTION`. */
export interface SetOptions {
  /** When the key expires: in seconds (EX), milliseconds (PX), or at a Unix time in either (EXAT, PXAT). */
  readonly expiration?:
    | { readonly type: 'EX' | 'PX' | 'EXAT' | 'PXAT'; readonly value: number }
    | { readonly type: 'KEEPTTL' }
    | 'KEEPTTL'
    | undefined;
  /** Seconds until it expires. */
  readonly EX?: number | undefined;
  /** Milliseconds until it expires. */
  readonly PX?: number | undefined;
  /** When it expires: Unix time in seconds. */
  readonly EXAT?: number | undefined;
  /** When it expires: Unix time in milliseconds. */
  readonly PXAT?: number | undefined;
  /** Keep the expiry that the key has. */
  readonly KEEPTTL?: boolean | undefined;
  /** Set only if this is so: the key is not there (NX), is there (XX), or what Redis 8.4 compares. */
  readonly condition?: 'NX' | 'XX' | 'IFEQ' | 'IFNE' | 'IFDEQ' | 'IFDNE' | undefined;
  /** The value that the four conditions of Redis 8.4 compare with. */
  readonly matchValue?: string | undefined;
  /** Set only if the key is not there. */
  readonly NX?: boolean | undefined;
  /** Set only if the key is there. */
  readonly XX?: boolean | undefined;
  /** Return the previous value. */
  readonly GET?: boolean | undefined;
}

const TIMES = ['EX', 'PX', 'EXAT', 'PXAT'] as const;
const CONDITIONS = ['NX', 'XX', 'IFEQ', 'IFNE', 'IFDEQ', 'IFDNE'];
const OF_SET = ['expiration', ...TIMES, 'KEEPTTL', 'condition', 'matchValue', 'NX', 'XX', 'GET'];
const OF_SCAN = ['cursor', 'MATCH', 'COUNT', 'TYPE'];

/**
 * The pool, for connect-redis 9 and 10, which support node-redis only. A separate object: libraries that take either
 * client tell them apart by their methods, and would mistake an object that has those of both.
 *
 * @throws {PoolError} `POOL_INVALID_OPTION`
 * @example
 * import { nodeRedisView } from 'bounded-redis-pool/session';
 *
 * const client = nodeRedisView(pool); // new RedisStore({ client }) of connect-redis 9 and 10
 * await client.set('greeting', 'hello', { EX: 60 });
 */
export function nodeRedisView(pool: RedisPool): NodeRedisView {
  const { redis } = needPool('nodeRedisView', pool);
  const send = redis as unknown as Record<'set' | 'expire', (...args: unknown[]) => Promise<never>>;
  return {
    get: (key) => redis.get(key),
    set: async (key, value, options) => send.set(key, value, ...argumentsOfSet(options ?? {})),
    expire: (key, seconds, mode) => send.expire(key, seconds, ...(mode ? [mode] : [])),
    del: (keys) => redis.del([keys].flat()),
    mGet: (keys) => redis.mget(keys),
    scanIterator(options) {
      checkKeys('option of scanIterator', options ?? {}, OF_SCAN);
      const { cursor, MATCH = '*', COUNT, TYPE } = options ?? {};
      return keysOf(redis, MATCH, COUNT || 100, { type: TYPE, from: cursor });
    },
  };
}

/** The first option given that sets an expiry, and the first that sets a condition, as node-redis does. */
function argumentsOfSet(options: SetOptions): (string | number)[] {
  checkKeys('option of set', options, OF_SET);
  const { expiration, condition, matchValue } = options;
  const args: (string | number)[] = [];
  const time = TIMES.find((name) => options[name] !== undefined);
  if (expiration) args.push(...argumentsOf(expiration));
  else if (time) args.push(time, options[time] as number);
  else if (options.KEEPTTL) args.push('KEEPTTL');
  if (condition) {
    if (!CONDITIONS.includes(condition)) throw unknownValue('condition', condition, CONDITIONS);
    args.push(condition, ...(matchValue === undefined ? [] : [matchValue]));
  } else if (options.NX) args.push('NX');
  else if (options.XX) args.push('XX');
  if (options.GET) args.push('GET');
  return args;
}

function argumentsOf(expiration: NonNullable<SetOptions['expiration']>): (string | number)[] {
  const { type, value } =
    typeof expiration === 'string' ? { type: expiration, value: 0 } : { value: 0, ...expiration };
  if (type === 'KEEPTTL') return [type];
  if (TIMES.includes(type)) return [type, value];
  throw unknownValue('expiration', type, [...TIMES, 'KEEPTTL']);
}

function unknownValue(option: string, got: unknown, known: readonly string[]): Error {
  return invalidOption(`option ${option} of set must be one of ${known.join(', ')}, got ${inspect(got)}`);
}
