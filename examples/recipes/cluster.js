/** Several processes, each with a pool of its own: together they have at most WORKERS × maxActive connections. */
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { isPoolError, Pool } from 'bounded-redis-pool';
import { gracefulStop } from './graceful-stop.cjs';

const WORKERS = 2;

if (cluster.isPrimary) {
  for (let i = 0; i < WORKERS; i++) cluster.fork();
  cluster.on('message', (_worker, address) => console.log(address));
  // Workers are signalled one by one, and end by themselves; then so does the primary.
  process.once('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
  });
} else {
  const pool = new Pool(process.env.REDIS_URL, { maxActive: 5, name: 'cluster' });
  const server = createServer(async (_request, response) => {
    try {
      response.end(`visit ${await pool.redis.incr('visits')}`);
    } catch (error) {
      response.writeHead(isPoolError(error) ? 503 : 500).end(); // else the rejection would end the process
    }
  });
  const stop = gracefulStop(server);
  process.once('SIGTERM', async () => {
    await stop();
    await pool.close({ graceMs: 2000 });
    process.disconnect(); // from the primary, which would keep this process alive
  });
  server.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
    process.send(`http://127.0.0.1:${server.address().port}`);
  });
}
