/** The same sessions in four stores, by the names of --store. */
import { RedisStore } from 'connect-redis8';
import { createPool } from 'generic-pool';
import { Redis } from 'ioredis';
import { connect } from '../../demo/connect.js';
import { UnboundedPool } from '../../demo/unbounded-pool.js';
import { Pool } from '../../dist/index.js';
import { PoolSessionStore } from '../../dist/session.js';

const PREFIX = 'shop:';

/**
 * @param {string} kind
 * @param {string} url
 * @param {number} maxActive
 * @returns {{ store: import('express-session').Store, pool?: Pool }}
 */
export function createStore(kind, url, maxActive) {
  switch (kind) {
    case 'pool': {
      const pool = new Pool(url, { name: 'sessions', maxActive });
      return { store: new PoolSessionStore({ pool, prefix: PREFIX }), pool };
    }
    case 'connect-redis':
      // What is wrong, the request that needed it says.
      return { store: new RedisStore({ client: new Redis(url).on('error', () => {}), prefix: PREFIX }) };
    case 'unbounded': {
      // redigo's pool with the values of the outage: no maximum, 3 idle.
      const pool = new UnboundedPool(url);
      return { store: overBorrowed((work) => pool.use(work)) };
    }
    case 'generic-pool': {
      const factory = { create: () => connect(url), destroy: async (redis) => redis.disconnect() };
      const pool = createPool(factory, { max: maxActive });
      return { store: overBorrowed((work) => pool.use(work)) };
    }
    default:
      throw new Error(`there is no store ${kind}`);
  }
}

/**
 * connect-redis with a connection borrowed for each command, as boj/redistore did it.
 *
 * @param {(work: (redis: Redis) => Promise<any>) => any} use
 */
function overBorrowed(use) {
  const borrowing =
    (name) =>
    (...args) =>
      use((redis) => redis[name](...args));
  const client = Object.fromEntries(['get', 'set', 'del', 'expire'].map((name) => [name, borrowing(name)]));
  return new RedisStore({ client, prefix: PREFIX });
}
