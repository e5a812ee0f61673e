/** What 100 000 acquires leave behind that timed out while all connections were held. */
import genericPool from 'generic-pool';
import { Pool } from '../../dist/index.js';
import { row } from '../lib/measure.js';
import { startBenchServer } from '../lib/server.js';

const GIVEN_UP = 100_000;
const TIMEOUT_MS = 20;

const server = await startBenchServer();
const ours = new Pool(server.url, { maxActive: 1, maxWaiting: GIVEN_UP });
const theirs = genericPool.createPool(
  { create: async () => ({}), destroy: async () => {} },
  { max: 1, acquireTimeoutMillis: TIMEOUT_MS },
);
console.log(`${row('', `heap after ${GIVEN_UP} acquires that timed out`)}\n${row('---', '---')}`);
const held = await ours.acquire();
console.log(row('bounded-redis-pool', await heapGrowth(() => ours.acquire({ timeoutMs: TIMEOUT_MS }))));
held.release();
await ours.close();
const loan = await theirs.acquire();
console.log(row('generic-pool', await heapGrowth(() => theirs.acquire())));
await theirs.release(loan);
await server.stop();

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
