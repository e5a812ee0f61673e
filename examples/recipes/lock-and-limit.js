/** A lock over all processes, and a rate limit, by libraries that take `pool.redis` for their client. */
import { Pool } from 'bounded-redis-pool';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import Redlock from 'redlock';

const pool = new Pool(process.env.REDIS_URL);
const locks = new Redlock([pool.redis]);
const limiter = new RateLimiterRedis({ storeClient: pool.redis, points: 2, duration: 60 });

const lock = await locks.lock('lock:stock', 5000); // milliseconds, should this process die
try {
  await pool.redis.set('stock', 10); // nobody else is here
} finally {
  await lock.unlock();
}

for (let visit = 1; visit <= 3; visit++) {
  const allowed = await limiter.consume('ann').then(
    () => true,
    (refusal) => {
      if (refusal instanceof Error) throw refusal; // Redis is away, not a refusal
      return false;
    },
  );
  console.log(`visit ${visit}: ${allowed ? 'welcome' : 'too many, come back in a minute'}`);
}
await pool.close();
