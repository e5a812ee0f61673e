import type { RedisPool } from '../../api/redis-pool.ts';
import { mayFailUnheard } from '../../util/callback.ts';
import { needPool, resolveSessionOptions, type SessionOptions } from './session-options.ts';
import { Sessions } from './sessions.ts';

/** The methods that koa-session calls. */
export interface KoaSessionStore {
  /** The session; `null` if there is none, or the value is not a session. */
  get(key: string): Promise<unknown>;
  /** Stores a session for `maxAge`, in milliseconds; for `ttl` if that is no number. */
  set(key: string, session: object, maxAge?: number | 'session'): Promise<void>;
  /** Removes a session. */
  destroy(key: string): Promise<void>;
}

const OPTIONS = ['prefix', 'ttl', 'serializer', 'maxLength'] as const;

/** The options of koa-session's store: koa-session itself decides how long a session lives and when to renew it. */
export type KoaSessionOptions = Pick<SessionOptions, (typeof OPTIONS)[number]>;

/**
 * A `store` for koa-session, over the pool. `ttl` applies to sessions that end with the browser.
 *
 * @throws {PoolError} `POOL_INVALID_OPTION`
 * @example
 * import { koaSessionStore } from 'bounded-redis-pool/session';
 *
 * const store = koaSessionStore(pool, { prefix: 'shop:' }); // session({ store }, app)
 */
export function koaSessionStore(pool: RedisPool, options: KoaSessionOptions = {}): KoaSessionStore {
  const resolved = resolveSessionOptions(options, OPTIONS);
  const sessions = new Sessions(needPool('koaSessionStore', pool).redis, resolved);
  // A field `cookie` in a session of koa-session is the app's data, not a cookie.
  const ttlMs = (session: object): number =>
    1000 * (typeof resolved.ttl === 'function' ? resolved.ttl(session as never) : resolved.ttl);
  return {
    get: (key) => mayFailUnheard(sessions.get(key)),
    set: (key, session, maxAge) =>
      mayFailUnheard(sessions.set(key, session, (own) => (typeof maxAge === 'number' ? maxAge : ttlMs(own)))),
    destroy: (key) => mayFailUnheard(sessions.destroy(key)),
  };
}
