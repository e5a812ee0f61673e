/** Does anything stay behind? What comes and goes, again and again: heap, handles and descriptors have to be flat. */
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Pool } from '../../dist/index.js';
import { row } from '../lib/measure.js';
import { isExcuse } from './operations.js';

/** By so much the engine's own noise may move the heap; each round does its thing ten times. Bytes. */
const NOISE = 2 ** 20;
const DESCRIPTORS = '/proc/self/fd';
const silent = () => {};

const CHURNS = {
  'connections destroyed': (pool) => many(async () => (await pool.acquire()).destroy()),
  'connections killed': async (pool, admin) => {
    await many(() => pool.use((redis) => redis.ping()));
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal');
  },
  'connections cleared': async (pool) => {
    await many(() => pool.use((redis) => redis.ping()));
    pool.clear();
  },
  'leases dropped': async (pool, _, __, turn) => {
    if (turn % 20 > 0) return; // each takes its time until the collector sees it
    const { leaked } = pool.stats();
    await many(async () => void (await (await pool.acquire()).ping()));
    while (pool.stats().leaked < leaked + 10) await collectGarbage();
  },
  subscriptions: (pool, admin) =>
    many(() =>
      pool.use(async (redis) => {
        const heard = new Promise((resolve) => redis.on('message', resolve));
        await redis.subscribe('news');
        await admin.publish('news', 'x'); // the pool may have none left
        await heard;
      }),
    ),
  duplicates: (pool) =>
    many(async () => {
      const other = pool.redis.duplicate().on('error', silent);
      await other.get('k');
      other.disconnect();
    }),
  listeners: (pool) =>
    many(async () => {
      pool.on('acquire', silent).once('connect', silent).redis.on('ready', silent);
      await pool.use((redis) => redis.on('message', silent).ping());
      pool.off('acquire', silent).off('connect', silent).redis.off('ready', silent);
    }),
  'callers given up': async (pool) => {
    const held = await Promise.all(Array.from({ length: 10 }, () => pool.acquire()));
    const signal = AbortSignal.timeout(5);
    await Promise.allSettled(Array.from({ length: 50 }, () => pool.acquire({ signal, timeoutMs: 10 })));
    for (const lease of held) lease.release();
  },
  'whole pools': async (_, __, url) => {
    const pool = new Pool(url);
    await Promise.all([pool.redis.ping(), pool.use((redis) => redis.ping())]);
    await pool.close();
  },
};

const many = (work) => Promise.all(Array.from({ length: 10 }, work));

/** Runs each for `rounds` rounds, after as many to warm up. Returns what is not flat, in words. */
export async function churn(url, rounds) {
  const columns = ['churn', 'rounds', 'heap, KiB', 'handles', 'descriptors'];
  console.log(`\n${row(...columns)}\n${row(...columns.map(() => '---'))}`);
  const admin = new Redis(url, { connectionName: 'admin' });
  const wrong = [];
  const run = async (once, pool, times) => {
    for (let i = 0; i < times; i++) {
      await once(pool, admin, url, i).catch((error) => {
        if (!isExcuse(error)) throw error;
      });
    }
  };
  for (const [name, once] of Object.entries(CHURNS)) {
    const pool = new Pool(url, { name: 'churn', leakThresholdMs: 60_000 });
    await run(once, pool, rounds);
    const before = await inventory(pool);
    await run(once, pool, rounds);
    const after = await inventory(pool);
    const [heap, ...kept] = ['heap', 'handles', 'descriptors'].map((what) => after[what] - before[what]);
    console.log(row(name, rounds, Math.round(heap / 1024), ...kept));
    if (heap > NOISE || Math.max(...kept) > 0) wrong.push(`${name}: not flat`);
    await pool.close();
  }
  admin.disconnect();
  return wrong;
}

/** What there is when the pool rests, with no connection, and what was closed is gone. */
async function inventory(pool) {
  pool.clear();
  while (pool.stats().total > 0) await sleep(10);
  let handles = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 25; i++) {
    await collectGarbage();
    handles = Math.min(handles, process.getActiveResourcesInfo().length);
  }
  return {
    heap: process.memoryUsage().heapUsed,
    handles,
    descriptors: existsSync(DESCRIPTORS) ? readdirSync(DESCRIPTORS).length : 0,
  };
}

/** After a pause, so that what timers and promises still hold is let go. */
async function collectGarbage() {
  await sleep(20);
  globalThis.gc();
}
