import { isPoolError } from 'bounded-redis-pool';

/** Sells what is in stock, and never more. */
export class Stock {
  #pool;

  /** @param {import('bounded-redis-pool').RedisPool} pool */
  constructor(pool) {
    this.#pool = pool;
  }

  /** @returns {Promise<'sold' | 'sold out' | 'try again' | 'busy'>} */
  async sell(item) {
    try {
      return await this.#pool.use(async (redis) => {
        await redis.watch(item);
        const left = Number(await redis.get(item));
        if (left < 1) return 'sold out';
        const sale = redis.multi().set(item, left - 1);
        return (await sale.exec()) ? 'sold' : 'try again'; // someone else was faster
      });
    } catch (error) {
      if (isPoolError(error, 'POOL_ACQUIRE_TIMEOUT')) return 'busy';
      throw error;
    }
  }
}
