/**
 * Plain node:http, with a rate limit of one's own, and a shutdown that loses no request: what is under way is answered,
 * then the pool is closed, and the process ends by itself. REDIS_URL and PORT say where.
 */
import { createServer } from 'node:http';
import { isPoolError, Pool } from 'bounded-redis-pool';
import { gracefulStop } from './recipes/graceful-stop.cjs';

const VISITS_A_MINUTE = 1000;
const pool = new Pool(process.env.REDIS_URL, { maxActive: 5 });
await pool.ready(); // rather fail now than with the first visitor

async function visit(address) {
  const minute = Math.floor(Date.now() / 60_000);
  const key = `visits:${address}:${minute}`;
  const [[, visits]] = await pool.redis.multi().incr(key).expire(key, 120).exec();
  return visits;
}

const server = createServer(async (request, response) => {
  try {
    const visits = await visit(request.socket.remoteAddress);
    response.statusCode = visits > VISITS_A_MINUTE ? 429 : 200;
    response.end(`visit ${visits}`);
  } catch (error) {
    // 503 says: not now. Anything else is a bug of ours.
    response.statusCode = isPoolError(error) ? 503 : 500;
    response.end();
  }
});
server.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
  process.send?.('ready'); // to PM2, with wait_ready
});

const stop = gracefulStop(server);
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await stop(); // answers what is under way
    await pool.close({ graceMs: 2000 });
    if (process.connected) process.disconnect(); // else the channel to PM2, or to a cluster's primary, keeps this process alive
  });
}
