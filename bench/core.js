/** What the pool itself costs, beside generic-pool alone and generic-pool + ioredis written by hand. */
import { cpus } from 'node:os';
import genericPool from 'generic-pool';
import { Redis } from 'ioredis';
import { Pool } from '../dist/index.js';
import { findServer, installServer, startServer } from '../tools/redis-server.js';
import { interleave, line, microseconds, row, throughput } from './measure.js';

const ROUNDS = 15;
const GIVEN_UP = 100_000;

const server = await startServer({ binary: findServer() ?? (await installServer()) });
console.log(
  `Node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores; medians of ${ROUNDS} rounds\n`,
);
await acquireAndRelease();
await useAtFifty();
await heldLease(1);
await heldLease(50);
await residue();
await server.stop();

/** An idle connection, taken and given back, nobody else about. */
async function acquireAndRelease() {
  const ours = new Pool(server.url);
  await ours.ready();
  const theirs = genericPool.createPool({ create: async () => ({}), destroy: async () => {} }, { max: 10 });
  const values = await interleave(
    {
      'generic-pool': () => microseconds(100_000, async () => theirs.release(await theirs.acquire())),
      'bounded-redis-pool': () => microseconds(100_000, async () => (await ours.acquire()).release()),
    },
    ROUNDS,
  );
  report('acquire + release of an idle connection', values, 'µs');
  await ours.close();
  await theirs.drain();
}

/** GET by 50 callers over 10 connections, one command a borrow. */
async function useAtFifty() {
  const ours = new Pool(server.url);
  const create = async () => {
    const redis = new Redis(server.url, { lazyConnect: true });
    await redis.connect();
    return redis;
  };
  const theirs = genericPool.createPool(
    { create, destroy: async (redis) => redis.disconnect() },
    { max: 10 },
  );
  await ours.use((redis) => redis.set('k', 'x'.repeat(100)));
  const byHand = async () => {
    const redis = await theirs.acquire();
    try {
      return await redis.get('k');
    } finally {
      await theirs.release(redis);
    }
  };
  const values = await interleave(
    {
      'generic-pool + ioredis by hand': () => throughput(50, 400, byHand),
      'bounded-redis-pool, pool.use': () => throughput(50, 400, () => ours.use((redis) => redis.get('k'))),
    },
    ROUNDS,
  );
  report('GET of 100 B, 50 callers, 10 connections', values, 'k/s');
  await ours.close();
  await theirs.drain();
  await theirs.clear();
}

/** GET through a lease that is held, beside the bare client: what the lease's own layer costs. */
async function heldLease(callers) {
  const ours = new Pool(server.url);
  const lease = await ours.acquire();
  const bare = new Redis(server.url);
  await bare.set('k', 'x'.repeat(100));
  const each = callers === 1 ? 5000 : 1000;
  const values = await interleave(
    {
      'bare ioredis client': () => throughput(callers, each, () => bare.get('k')),
      'a held lease': () => throughput(callers, each, () => lease.get('k')),
    },
    ROUNDS,
  );
  report(`GET of 100 B, one connection, callers: ${callers}`, values, 'k/s');
  lease.release();
  bare.disconnect();
  await ours.close();
}

/** What 100 000 acquires leave behind that timed out while all connections were held. */
async function residue() {
  const ours = new Pool(server.url, { maxActive: 1, maxWaiting: GIVEN_UP });
  const theirs = genericPool.createPool(
    { create: async () => ({}), destroy: async () => {} },
    { max: 1, acquireTimeoutMillis: 20 },
  );
  console.log(
    `### Heap after ${GIVEN_UP} acquires that timed out\n\n${row('', 'more than before')}\n${row('---', '---')}`,
  );
  const held = await ours.acquire();
  console.log(row('bounded-redis-pool', await heapGrowth(() => ours.acquire({ timeoutMs: 20 }))));
  held.release();
  await ours.close();
  const loan = await theirs.acquire();
  console.log(row('generic-pool', await heapGrowth(() => theirs.acquire())));
  await theirs.release(loan);
}

async function heapGrowth(acquire) {
  const giveUp = (count) => Promise.all(Array.from({ length: count }, () => acquire().catch(() => {})));
  await giveUp(GIVEN_UP); // what is made once, such as compiled code, is made now
  const before = await heapUsed();
  await giveUp(GIVEN_UP);
  return `${(((await heapUsed()) - before) / 1024).toFixed(0)} KiB`;
}

/** After a pause, so that what timers and promises still hold is let go. */
async function heapUsed() {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    globalThis.gc();
  }
  return process.memoryUsage().heapUsed;
}

function report(title, values, unit) {
  const [base] = Object.values(values);
  console.log(
    `### ${title}\n\n${row('', 'median', 'middle half', 'ratio')}\n${row('---', '---', '---', '---')}`,
  );
  for (const [name, own] of Object.entries(values)) console.log(line(name, own, base, unit));
  console.log();
}
