import type { RedisPool } from '../redis-pool.ts';
import { keysOf } from './keys-of.ts';

/** As much of node-redis' client as connect-redis 9 and 10 call. */
export interface NodeRedisView {
  get(key: string): Promise<string | null>;
  set(key: string, value: string, options?: SetOptions): Promise<string | null>;
  expire(key: string, seconds: number): Promise<number>;
  del(keys: string | string[]): Promise<number>;
  mGet(keys: string[]): Promise<(string | null)[]>;
  /** Keys that match, a page at a time. */
  scanIterator(options?: { MATCH?: string; COUNT?: number }): AsyncGenerator<string[]>;
}

/** When a key ends: in seconds (EX), milliseconds (PX), or at a Unix time in either (EXAT, PXAT). */
export interface SetOptions {
  readonly expiration?: { readonly type: 'EX' | 'PX' | 'EXAT' | 'PXAT'; readonly value: number } | undefined;
}

/**
 * The pool, for connect-redis 9 and 10, which speak to node-redis only. An object of its own: those that take either
 * client look at its methods, and one that has both dialects' is mistaken.
 */
export function nodeRedisView({ redis }: RedisPool): NodeRedisView {
  return {
    get: (key) => redis.get(key),
    set(key, value, { expiration } = {}) {
      if (expiration === undefined) return redis.set(key, value);
      return redis.call('SET', key, value, expiration.type, expiration.value) as Promise<string | null>;
    },
    expire: (key, seconds) => redis.expire(key, seconds),
    del: (keys) => redis.del([keys].flat()),
    mGet: (keys) => redis.mget(keys),
    scanIterator: ({ MATCH = '*', COUNT = 100 } = {}) => keysOf(redis, MATCH, COUNT),
  };
}
