import { setTimeout as sleep } from 'node:timers/promises';

/** Users who come back all at once: so many requests start in the same moment, in turns. */
const BURSTS = [50, 200];
const ROUND_REQUESTS = BURSTS.reduce((sum, size) => sum + size, 0);
/** How long one arm should take. */
const ARM_MS = 7000;
/** The least pause after a burst, however long it took. */
const THINK_MS = 25;
/** Far longer than the demo: keys that a killed demo leaves behind go by themselves. */
const SESSION_TTL_S = 120;
const SESSION = JSON.stringify({ user: 4711, cart: ['book', 'lamp'], csrf: 'c2Vzc2lvbg'.repeat(12) });

/** @typedef {{ use(work: (redis: import('ioredis').Redis) => Promise<unknown>): Promise<unknown> }} AnyPool */

/**
 * @typedef {object} Measured
 * @property {number} requests
 * @property {number[]} latencies of all requests, sorted, milliseconds
 * @property {unknown[]} errors
 */

/**
 * The sizes of the bursts of one arm: as many as can never make more than `mostConnections`, even if every
 * request dials.
 *
 * @param {number} mostConnections
 */
export function planBursts(mostConnections) {
  const rounds = Math.floor(mostConnections / ROUND_REQUESTS);
  return Array.from({ length: rounds }, () => BURSTS).flat();
}

/** The names of all sessions that `replay` uses. @param {string} prefix */
export function sessionKeys(prefix) {
  return Array.from({ length: Math.max(...BURSTS) }, (_, user) => `${prefix}session:${user}`);
}

/**
 * Replays the bursts: each request borrows a connection for one read or write of its session, as
 * boj/redistore does.
 *
 * @param {AnyPool} pool
 * @param {number[]} bursts
 * @param {string[]} keys
 * @param {(burst: number) => void} progress
 * @returns {Promise<Measured>}
 */
export async function replay(pool, bursts, keys, progress) {
  /** @type {Measured} */
  const measured = { requests: 0, latencies: [], errors: [] };
  const paceMs = ARM_MS / bursts.length;
  let due = performance.now();
  for (const [round, size] of bursts.entries()) {
    const users = Array.from({ length: size }, (_, user) => user);
    await Promise.all(users.map((user) => request(pool, keys[user], (user + round) % 2 === 0, measured)));
    progress(size);
    due = Math.max(due + paceMs, performance.now() + THINK_MS);
    await sleep(due - performance.now());
  }
  measured.latencies.sort((a, b) => a - b);
  return measured;
}

/**
 * @param {AnyPool} pool
 * @param {string} key
 * @param {boolean} read
 * @param {Measured} measured
 */
async function request(pool, key, read, measured) {
  const start = performance.now();
  try {
    await pool.use((redis) => (read ? redis.get(key) : redis.setex(key, SESSION_TTL_S, SESSION)));
  } catch (error) {
    measured.errors.push(error);
  }
  measured.requests++;
  measured.latencies.push(performance.now() - start);
}
