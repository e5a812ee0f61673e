/**
 * Who is measured, each at its best settings: pools are filled before the clock starts, and nobody checks or
 * reconnects meanwhile. `open` returns how work is given to a client, and how all is closed. Each loads its own library
 * alone: others' code in the process would be part of what is measured, and some of it is installed for the bench only.
 */
import { connect } from 'node:net';
import { IdealClient } from './ideal.js';

/**
 * @typedef {object} Target
 * @property {string} host
 * @property {number} port
 * @property {string} [ca] the server speaks TLS, and this has signed its certificate
 * @property {number} [size] of pools; default 10
 * @property {number} [callers] how many there will be
 * @property {boolean} [cold] a pool is opened as it is by itself, not filled
 * @property {object} [options] of ours
 */

/**
 * @typedef {object} Contender
 * @property {'ioredis' | 'node-redis' | 'glide' | 'ideal'} dialect
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

async function connected(target, { library = 'ioredis', ...options } = {}) {
  const { Redis } = await import(library);
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

async function ours(target, give, { Pool }) {
  const { size = 10, options } = target;
  const pool = new Pool({ redis: ioredisOptions(target), maxActive: size, maxWaiting: 10_000, ...options });
  await fill(
    target,
    () => pool.acquire(),
    (lease) => lease.release(),
  );
  return { dialect: 'ioredis', with: give(pool), close: () => pool.close() };
}

const shareIt = (pool) => (work) => work(pool.redis);
const borrowFromIt = (pool) => (work) => pool.use(work);
const module = () => import('../../dist/index.js');
const commonJs = () => import('../../dist/index.cjs');

/** @type {Record<string, (target: Target) => Promise<Contender>>} */
export const CONTENDERS = {
  'one ioredis': (target) => ioredis(target),
  'ioredis, auto-pipelining': (target) => ioredis(target, { enableAutoPipelining: true }),
  iovalkey: (target) => ioredis(target, { library: 'iovalkey' }),

  'valkey-glide': async ({ host, port, ca }) => {
    const { Batch, GlideClient } = await import('@valkey/valkey-glide');
    const client = await GlideClient.createClient({
      addresses: [{ host, port }],
      inflightRequestsLimit: 100_000,
      requestTimeout: 60_000,
      ...(ca && {
        useTLS: true,
        advancedConfiguration: { tlsAdvancedConfiguration: { rootCertificates: ca } },
      }),
    });
    return { dialect: 'glide', with: (work) => work(client, Batch), close: () => client.close() };
  },

  'node-redis': async (target) => {
    const { createClient } = await import('redis');
    const client = await createClient(nodeRedisOptions(target)).connect();
    return shared('node-redis', client, () => client.destroy());
  },

  /** As BullMQ has it for its workers: no pool, and nobody waits for a connection. */
  'an ioredis for each caller': async (target) => {
    const free = await Promise.all(Array.from({ length: target.callers }, () => connected(target)));
    const all = [...free];
    const own = async (work) => {
      const redis = free.pop();
      try {
        return await work(redis);
      } finally {
        free.push(redis);
      }
    };
    const close = () => {
      for (const redis of all) redis.disconnect();
    };
    return { dialect: 'ioredis', with: own, close };
  },

  'node-redis pool': async (target) => {
    const { size = 10, cold } = target;
    const { createClientPool } = await import('redis');
    const options = { minimum: cold ? 1 : size, maximum: size, acquireTimeout: 60_000 };
    const pool = await createClientPool(nodeRedisOptions(target), options).connect();
    return { dialect: 'node-redis', with: (work) => pool.execute(work), close: () => pool.destroy() };
  },

  'generic-pool + ioredis': async (target) => {
    const { size = 10, cold } = target;
    const { default: genericPool } = await import('generic-pool');
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
    const { Pool: Tarn } = await import('tarn');
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

  'pool.use': async (target) => ours(target, borrowFromIt, await module()),
  'pool.use, CommonJS': async (target) => ours(target, borrowFromIt, await commonJs()),

  'a held lease': async (target) => {
    const { Pool } = await module();
    const pool = new Pool({ redis: ioredisOptions(target), maxActive: 1 });
    const lease = await pool.acquire();
    const close = () => {
      lease.release();
      return pool.close();
    };
    return shared('ioredis', lease, close);
  },

  'pool.redis': async (target) => ours(target, shareIt, await module()),
  'pool.redis, CommonJS': async (target) => ours(target, shareIt, await commonJs()),

  'hand-written loop': (target) => byHand(target),
  'hand-written loop, in parts': (target) => byHand(target, 128),
};

async function byHand({ host, port }, most) {
  const socket = connect(port, host).setNoDelay();
  await new Promise((resolve) => socket.once('connect', resolve));
  return shared('ideal', new IdealClient(socket, most), () => socket.destroy());
}

/** In the order of CONTENDERS, whose order is that of the tables. */
const those = (wanted) => Object.keys(CONTENDERS).filter((name) => wanted.includes(name));

/** Ours is built twice from the same code: as a module, and as CommonJS. */
export const OURS = ['pool.use', 'pool.use, CommonJS', 'a held lease', 'pool.redis', 'pool.redis, CommonJS'];
export const familyOf = (name) => name.replace(/, CommonJS$/, '');
/** What a hand-written loop can do is a limit; it is nobody's rival. */
export const LIMITS = ['hand-written loop', 'hand-written loop, in parts'];
export const EVERYBODY = Object.keys(CONTENDERS).filter((name) => !LIMITS.includes(name));
/** One of each kind. */
export const HIGHLIGHTS = those([
  ...['one ioredis', 'ioredis, auto-pipelining', 'valkey-glide', 'node-redis', 'node-redis pool'],
  ...['generic-pool + ioredis', 'pool.use', 'pool.redis'],
]);
/** Without those that are the same as another one for most purposes. */
export const MOST = those([
  ...HIGHLIGHTS,
  ...['an ioredis for each caller', 'pool.use, CommonJS', 'pool.redis, CommonJS'],
]);
/** Who gives each caller a connection of its own. */
export const POOLS = those([
  ...['an ioredis for each caller', 'node-redis pool', 'generic-pool + ioredis', 'tarn + ioredis'],
  ...['lightning-pool + ioredis', 'pool.use', 'pool.use, CommonJS'],
]);
