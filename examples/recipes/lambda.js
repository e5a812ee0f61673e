import { Pool } from 'bounded-redis-pool';

// Made once for each instance, outside the handler: one that is thawed goes on with the connections that are still good.
// An instance serves one request at a time, so few connections do; with 1000 instances, 2 each are 2000 at Redis.
const pool = new Pool(process.env.REDIS_URL, {
  maxActive: 2,
  checkAfterIdleMs: 0, // what froze may be dead: ask before each use of an idle connection
  acquireTimeoutMs: 2000, // shorter than the function's own time-out
});

export async function handler(event) {
  return { visits: await pool.use((redis) => redis.incr(`visits:${event.page}`)) };
}
