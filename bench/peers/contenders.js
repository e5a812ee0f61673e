/**
 * Who is measured, each at its best settings: pools are filled before the clock starts, and nobody checks or
 * reconnects meanwhile. `open` returns how work is given to a client, and how all is closed.
 */
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import genericPool from 'generic-pool';
import { Redis } from 'ioredis';
import { createClient, createClientPool } from 'redis';
import { Pool } from '../../dist/index.js';
import { IdealClient } from './ideal.js';

const { Pool: CommonJsPool } = createRequire(import.meta.url)('../../dist/index.cjs');

/**
 * @typedef {object} Target
 * @property {string} host
 * @property {number} port
 * @property {string} [ca] the server speaks TLS, and this has signed its certificate
 * @property {number} [size] of pools; default 10
 * @property {boolean} [cold] a pool is opened as it is by itself, not filled
 * @property {object} [options] of ours
 */

/**
 * @typedef {object} Contender
 * @property {'ioredis' | 'node-redis' | 'ideal'} dialect
 * @property {(work: (client: any) => unknown) => Promise<unknown>} with gives work a client
 * @property {() => unknown} close
 */

const ioredisOptions = ({ host, port, ca }) => ({
  host,
  port,
  ...(ca && { tls: { ca } }),
  lazyConnect: true,
});
const nodeRedisOptions = ({ host, port, ca }) => ({ socket: { host, port, ...(ca && { tls: true, ca }) } });

async function connected(target, options = {}) {
  const redis = new Redis({ ...ioredisOptions(target), ...options });
  await redis.connect();
  return redis;
}

/** One client that all share. */
function shared(dialect, client, close) {
  return { dialect, with: (work) => work(client), close };
}

async function ioredis(target, options) {
  const redis = await connected(target, options);
  return shared('ioredis', redis, () => redis.disconnect());
}

/** Fills a pool by borrowing all it can lend, and giving it back. */
async function fill({ size = 10, cold }, acquire, release) {
  if (cold) return;
  const all = await Promise.all(Array.from({ length: size }, acquire));
  for (const one of all) await release(one);
}

/** A pool of others around ioredis, borrowed from for each piece of work. */
async function around(target, acquire, release, close) {
  await fill(target, acquire, release);
  const borrow = async (work) => {
    const client = await acquire();
    try {
      return await work(client);
    } finally {
      await release(client);
    }
  };
  return { dialect: 'ioredis', with: borrow, close };
}

async function ours(target, give, Build = Pool) {
  const { size = 10, options } = target;
  const pool = new Build({ redis: ioredisOptions(target), maxActive: size, maxWaiting: 10_000, ...options });
  await fill(
    target,
    () => pool.acquire(),
    (lease) => lease.release(),
  );
  return { dialect: 'ioredis', with: give(pool), close: () => pool.close() };
}

const shareIt = (pool) => (work) => work(pool.redis);
const borrowFromIt = (pool) => (work) => pool.use(work);

/** @type {Record<string, (target: Target) => Promise<Contender>>} */
export const CONTENDERS = {
  'one ioredis': (target) => ioredis(target),
  'ioredis, auto-pipelining': (target) => ioredis(target, { enableAutoPipelining: true }),

  'node-redis': async (target) => {
    const client = await createClient(nodeRedisOptions(target)).connect();
    return shared('node-redis', client, () => client.destroy());
  },

  'node-redis pool': async (target) => {
    const { size = 10, cold } = target;
    const options = { minimum: cold ? 1 : size, maximum: size, acquireTimeout: 60_000 };
    const pool = await createClientPool(nodeRedisOptions(target), options).connect();
    return { dialect: 'node-redis', with: (work) => pool.execute(work), close: () => pool.destroy() };
  },

  'generic-pool + ioredis': async (target) => {
    const { size = 10, cold } = target;
    const factory = { create: () => connected(target), destroy: async (redis) => redis.disconnect() };
    const pool = genericPool.createPool(factory, { min: cold ? 0 : size, max: size });
    const close = () => pool.drain().then(() => pool.clear());
    return around(
      target,
      () => pool.acquire(),
      (redis) => pool.release(redis),
      close,
    );
  },

  'tarn + ioredis': async (target) => {
    const { size = 10, cold } = target;
    const factory = { create: () => connected(target), destroy: (redis) => redis.disconnect() };
    const { Pool: Tarn } = await import('tarn'); // installed for the full run only
    const pool = new Tarn({ ...factory, min: cold ? 0 : size, max: size, acquireTimeoutMillis: 60_000 });
    return around(
      target,
      () => pool.acquire().promise,
      (redis) => pool.release(redis),
      () => pool.destroy(),
    );
  },

  'lightning-pool + ioredis': async (target) => {
    const { size = 10, cold } = target;
    const factory = { create: () => connected(target), destroy: async (redis) => redis.disconnect() };
    const { Pool: LightningPool } = await import('lightning-pool');
    const pool = new LightningPool(factory, {
      min: cold ? 0 : size,
      max: size,
      maxQueue: 10_000,
      validation: false,
    });
    return around(
      target,
      () => pool.acquire(),
      (redis) => pool.release(redis),
      () => pool.close(0),
    );
  },

  'pool.redis': (target) => ours(target, shareIt),
  'pool.use': (target) => ours(target, borrowFromIt),
  'pool.redis, CommonJS': (target) => ours(target, shareIt, CommonJsPool),
  'pool.use, CommonJS': (target) => ours(target, borrowFromIt, CommonJsPool),

  'a held lease': async (target) => {
    const pool = new Pool({ redis: ioredisOptions(target), maxActive: 1 });
    const lease = await pool.acquire();
    const close = () => {
      lease.release();
      return pool.close();
    };
    return shared('ioredis', lease, close);
  },

  'hand-written loop': async ({ host, port }) => {
    const socket = connect(port, host).setNoDelay();
    await new Promise((resolve) => socket.once('connect', resolve));
    const client = new IdealClient(socket);
    return shared('ideal', client, () => socket.destroy());
  },
};

/** Those of one client, and of clients of one's own; and ours as CommonJS, which is another build of the same code. */
export const SHARED = ['one ioredis', 'ioredis, auto-pipelining', 'node-redis', 'pool.redis'];
export const POOLS = [
  'node-redis pool',
  'generic-pool + ioredis',
  'tarn + ioredis',
  'lightning-pool + ioredis',
  'pool.use',
];
export const COMMON_JS = ['pool.redis, CommonJS', 'pool.use, CommonJS'];
