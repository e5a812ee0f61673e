/** A pool cannot be handed to another thread: each thread makes its own, and closes it. */
import { isMainThread, parentPort, threadId, Worker } from 'node:worker_threads';
import { Pool } from 'bounded-redis-pool';

if (isMainThread) {
  for (let i = 0; i < 2; i++) {
    new Worker(new URL(import.meta.url)).once('message', (text) => console.log(text));
  }
} else {
  const pool = new Pool(process.env.REDIS_URL, { maxActive: 2, name: `thread-${threadId}` });
  const value = await pool.redis.incr('threads');
  await pool.close(); // else its open connections keep the thread alive
  parentPort.postMessage(`${pool.name} counted ${value}`);
}
