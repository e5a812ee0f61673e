import type { RedisPool } from '../redis-pool.ts';
import { resolveSessionOptions, type SessionOptions } from './session-options.ts';
import { Sessions } from './sessions.ts';

/** What koa-session calls. */
export interface KoaSessionStore {
  get(key: string): Promise<unknown>;
  set(key: string, session: object, maxAge?: number | 'session'): Promise<void>;
  destroy(key: string): Promise<void>;
}

const OPTIONS = ['prefix', 'ttl', 'serializer', 'maxLength'] as const;

/** The options of koa-session's store: koa-session says itself how long a session lives, and when to touch it. */
export type KoaSessionOptions = Pick<SessionOptions, (typeof OPTIONS)[number]>;

/**
 * A `store` for koa-session, on the pool. `ttl` counts for sessions that end with the browser.
 *
 * @throws {PoolError} `POOL_INVALID_OPTION`
 */
export function koaSessionStore(pool: RedisPool, options: KoaSessionOptions = {}): KoaSessionStore {
  const sessions = new Sessions(pool.redis, resolveSessionOptions(options, OPTIONS));
  return {
    get: (key) => sessions.get(key),
    set: (key, session, maxAge) =>
      sessions.set(key, session, typeof maxAge === 'number' ? maxAge : sessions.ttlMs({})),
    destroy: (key) => sessions.destroy(key),
  };
}
