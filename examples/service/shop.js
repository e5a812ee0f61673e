import { randomUUID } from 'node:crypto';
import { isPoolError } from 'bounded-redis-pool';

const LOCK_MS = 5000;

/** What the service does, apart from HTTP. It takes a `RedisPool`: the real one, or a `MockPool` in its tests. */
export class Shop {
  #pool;

  /** @param {import('bounded-redis-pool').RedisPool} pool */
  constructor(pool) {
    this.#pool = pool;
  }

  /** A rate limit: whether this is one of the first `most` calls of a visitor within this minute. */
  async allows(visitor, most = 100, now = Date.now()) {
    const key = `rate:${visitor}:${Math.floor(now / 60_000)}`;
    const [[, calls]] = await this.#pool.redis.multi().incr(key).expire(key, 120).exec();
    return calls <= most;
  }

  /** A lock: runs `work` unless somebody else is at it. Returns whether it did. */
  async alone(name, work) {
    const [key, token] = [`lock:${name}`, randomUUID()];
    if ((await this.#pool.redis.set(key, token, 'PX', LOCK_MS, 'NX')) === null) return false;
    try {
      await work();
      return true;
    } finally {
      // Only if it is still ours: after LOCK_MS somebody else may have it.
      await this.#pool.use(async (redis) => {
        await redis.watch(key);
        if ((await redis.get(key)) === token) await redis.multi().del(key).exec();
      });
    }
  }

  refill(item, count) {
    return this.alone(item, () => this.#pool.redis.set(`stock:${item}`, count));
  }

  /** @returns {Promise<'sold' | 'sold out' | 'try again' | 'busy'>} */
  async sell(item) {
    try {
      return await this.#pool.use(async (redis) => {
        const key = `stock:${item}`;
        await redis.watch(key);
        if (Number(await redis.get(key)) < 1) return 'sold out';
        return (await redis.multi().decr(key).exec()) ? 'sold' : 'try again'; // null: somebody was faster
      });
    } catch (error) {
      if (isPoolError(error, 'POOL_ACQUIRE_TIMEOUT')) return 'busy';
      throw error;
    }
  }
}
