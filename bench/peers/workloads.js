/** What is measured, in order. */
import { COMMON_JS, POOLS, SHARED } from './contenders.js';

const EVERYBODY = [...SHARED, ...POOLS, 'a held lease'];
const HIGHLIGHTS = [
  ...['one ioredis', 'ioredis, auto-pipelining', 'node-redis', 'node-redis pool'],
  ...['generic-pool + ioredis', 'pool.redis', 'pool.use'],
];
const closed = (operation, callers) => ({ loop: 'closed', operation, callers, ms: 160 });

/**
 * @typedef {object} Workload
 * @property {string} id
 * @property {string} title
 * @property {(string | { label: string, name: string, target: object })[]} contenders
 * @property {object} [load] what a contender's process is asked to run
 * @property {'run' | 'cold' | 'allocations'} [task]
 * @property {'tls' | { latencyMs?: number, bytesPerMs?: number }} [link] what lies between client and server
 * @property {number} [ceiling] redis-benchmark is measured too, with so many requests in a pipeline
 * @property {number} [rounds]
 */

/** GET by so many callers: what docs/performance.md shows first. */
const gets = [1, 50, 500, 5000].map((callers) => ({
  id: `get-${callers}`,
  title: `GET of 100 B, callers: ${callers}`,
  contenders: [...EVERYBODY, ...COMMON_JS, 'hand-written loop'],
  load: closed('get', callers),
  ceiling: callers,
}));

const others = [
  ['set', 'SET of 1 KiB'],
  ['mget', 'MGET of 100 keys'],
  ['hgetall', 'HGETALL of 20 fields'],
  ['multi', 'MULTI of 5 commands'],
].map(([operation, title]) => ({
  id: operation,
  title: `${title}, callers: 50`,
  contenders: [...EVERYBODY, ...COMMON_JS],
  load: closed(operation, 50),
}));

const sizes = [1, 2, 4, 8, 16, 32, 64].map((size) => ({
  id: `size-${size}`,
  title: `GET of 100 B, callers: 100, connections: ${size}`,
  contenders: ['node-redis pool', 'generic-pool + ioredis', 'tarn + ioredis', 'pool.use'].map((name) => ({
    label: name,
    name,
    target: { size },
  })),
  load: closed('get', 100),
  rounds: 3,
}));

const open = [5, 10, 20, 40, 80, 160].map((thousands) => ({
  id: `open-${thousands}k`,
  title: `GET of 100 B, ${thousands} 000 a second, whether or not the last is answered`,
  contenders: HIGHLIGHTS,
  load: { loop: 'open', operation: 'get', rate: thousands * 1000, ms: 400 },
  rounds: 3,
}));

/** How the defaults were chosen: the same load, another option. */
const variant = (option, value, more) => ({
  label: `${option} ${value}`,
  name: 'pool.redis',
  target: { options: { [option]: value, ...more } },
});
const defaults = [50, 5000].flatMap((callers) => [
  {
    id: `lanes-${callers}`,
    title: `pool.redis, GET of 100 B, callers: ${callers}, by maxLanes`,
    contenders: [1, 2, 4, 8].map((value) => variant('maxLanes', value)),
    load: closed('get', callers),
    rounds: 3,
  },
  {
    id: `in-flight-${callers}`,
    title: `pool.redis, GET of 100 B, callers: ${callers}, by maxInFlight`,
    contenders: [100, 1000, 10_000, 100_000].map((value) => variant('maxInFlight', value)),
    load: closed('get', callers),
    rounds: 3,
  },
]);

/** 100 Mbit/s and 1 Gbit/s, in bytes a millisecond. */
const GIGABIT = 125_000;
const beside = (operation, callers) => ({ ...closed('get', 20), beside: { operation, callers } });

/** @type {Workload[]} */
export const WORKLOADS = [
  ...gets,
  ...others,
  {
    id: 'watch',
    title: 'WATCH, GET, MULTI/EXEC, callers: 50',
    contenders: POOLS,
    load: closed('watch', 50),
  },
  {
    id: 'blpop',
    title: 'GET of 100 B, callers: 20, beside 2 in BLPOP',
    contenders: [...SHARED.filter((name) => name !== 'ioredis, auto-pipelining'), ...POOLS],
    load: beside('blpop', 2),
  },
  {
    id: 'large',
    title: 'GET of 100 B, callers: 20, beside 2 with 1 MiB, over 1 Gbit/s',
    contenders: HIGHLIGHTS,
    load: beside('getLarge', 2),
    link: { bytesPerMs: GIGABIT },
  },
  {
    id: 'large-local',
    title: 'GET of 100 B, callers: 20, beside 2 with 1 MiB',
    contenders: HIGHLIGHTS,
    load: beside('getLarge', 2),
  },
  {
    id: 'bursts',
    title: 'Bursts of 200 GETs of 100 B, 50 ms apart',
    contenders: HIGHLIGHTS,
    load: { loop: 'bursts', operation: 'get', count: 10, size: 200, pauseMs: 50 },
  },
  {
    id: 'tls',
    title: 'GET of 100 B over TLS, callers: 50',
    contenders: HIGHLIGHTS,
    load: closed('get', 50),
    link: 'tls',
  },
  ...[50, 500].map((callers) => ({
    id: `latency-${callers}`,
    title: `GET of 100 B, 1 ms away, callers: ${callers}`,
    contenders: HIGHLIGHTS,
    load: closed('get', callers),
    link: { latencyMs: 1 },
  })),
  ...open,
  ...sizes,
  {
    id: 'borrow',
    title: 'Acquire and release of an idle connection, 1 caller',
    contenders: POOLS.filter((name) => name !== 'node-redis pool'),
    load: { loop: 'closed', operation: 'nothing', callers: 1, times: 30_000 },
  },
  {
    id: 'cold',
    title: 'From nothing to the first reply, and to the first 100 at once',
    task: 'cold',
    contenders: HIGHLIGHTS,
    rounds: 3,
  },
  {
    id: 'allocations',
    title: 'Bytes allocated by a GET of 100 B, callers: 50',
    task: 'allocations',
    contenders: [...EVERYBODY, ...COMMON_JS, 'hand-written loop'],
    load: { operation: 'get', callers: 50, each: 100 },
    rounds: 3,
  },
  ...defaults,
];
