/** A reader of a stream and a subscriber beside an HTTP server. Each keeps a connection for as long as the process lives. */
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { isPoolError, Pool } from 'bounded-redis-pool';
import { gracefulStop } from './graceful-stop.cjs';

const CONSUMER = process.env.CONSUMER ?? hostname(); // the same after a restart, another one in each process
const pool = new Pool(process.env.REDIS_URL, { name: 'consumers', maxActive: 10 }); // 8 of them for all others
const stopping = new AbortController();
const { signal } = stopping;

/** Consumes over a connection of its own; over another one, should that be lost, until the process is stopping. */
async function keepUp(consume) {
  while (!signal.aborted) {
    try {
      await pool.use(consume, { signal }); // the signal ends the wait for a connection, nothing else
    } catch (error) {
      if (signal.aborted) return;
      console.error(error.message);
      await sleep(500, undefined, { signal }).catch(() => {});
    }
  }
}

async function readJobs(redis) {
  // Here, and not at start-up alone: a Redis that restarts without its data answers NOGROUP, and we begin anew.
  await redis.xgroup('CREATE', 'jobs', 'workers', '0', 'MKSTREAM').catch((error) => {
    if (!error.message.startsWith('BUSYGROUP')) throw error; // it is there already
  });
  let from = '0'; // first what this consumer was given before, and did not acknowledge
  while (!signal.aborted) {
    // BLOCK is short, since it is what a stop waits for.
    const read = await redis.xreadgroup(
      'GROUP',
      'workers',
      CONSUMER,
      'COUNT',
      10,
      'BLOCK',
      1000,
      'STREAMS',
      'jobs',
      from,
    );
    const [[, jobs]] = read ?? [['jobs', []]];
    for (const [id, fields] of jobs) {
      if (fields) console.log(`job ${fields[1]}`); // null: somebody has deleted it. A job may come twice
      await redis.xack('jobs', 'workers', id);
    }
    if (jobs.length === 0) from = '>'; // then what nobody was given yet
  }
}

async function hearNews(redis) {
  await redis.subscribe('news');
  for await (const { message } of redis.messages({ signal })) console.log(`news ${message}`);
}

const consumers = [keepUp(readJobs), keepUp(hearNews)];
const server = createServer(async (request, response) => {
  try {
    response.end(await pool.redis.xadd('jobs', '*', 'path', request.url));
  } catch (error) {
    response.writeHead(isPoolError(error) ? 503 : 500).end();
  }
});
server.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
const stop = gracefulStop(server);
for (const name of ['SIGTERM', 'SIGINT']) {
  process.once(name, async () => {
    await stop(); // requests may still bring jobs
    stopping.abort();
    await Promise.all(consumers); // the job under way is done
    await pool.close({ graceMs: 2000 });
  });
}
