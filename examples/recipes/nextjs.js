import { Pool } from 'bounded-redis-pool';

// Hot reloading evaluates this module again and again, and each time would make a pool: globalThis survives it.
const KEY = Symbol.for('app.redis-pool');
globalThis[KEY] ??= new Pool(process.env.REDIS_URL, { name: 'next' });

/** @type {import('bounded-redis-pool').RedisPool} */
export const pool = globalThis[KEY];
