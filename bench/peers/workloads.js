/** What is measured, in order of importance: when time runs out, the last ones are not. */
import { EVERYBODY, HIGHLIGHTS, LIMITS, MOST, POOLS } from './contenders.js';

/** A window: so much CPU time, in at most so long. With thousands of callers it has to hold a reply to most of them. */
const WINDOW = { cpuMs: 50, ms: 250 };
const LONG_WINDOW = { cpuMs: 150, ms: 500 };
const closed = (operation, callers) => ({
  loop: 'closed',
  operation,
  callers,
  ...(callers > 1000 ? LONG_WINDOW : WINDOW),
});
const without = (names, ...left) => names.filter((name) => !left.includes(name));

/** Those that generic-pool stands for, except where borrowing itself is measured. */
const ALIKE = ['tarn + ioredis', 'lightning-pool + ioredis'];
/** Those whose pools are measured at several sizes. */
const SIZED = ['generic-pool + ioredis', 'pool.use'];

/**
 * @typedef {object} Workload
 * @property {string} id
 * @property {string} title
 * @property {string} [short] the head of its column, beside others of its kind
 * @property {(string | { label: string, name: string, target: object })[]} contenders
 * @property {object} load what a contender's process is asked to run
 * @property {'run' | 'climb' | 'cold' | 'allocations'} [task]
 * @property {'tls' | { latencyMs?: number, bytesPerMs?: number }} [link] what lies between client and server
 * @property {number} [ceiling] redis-benchmark is measured too, with so many requests in a pipeline
 */

/** GET by so many callers: what docs/performance.md shows first. */
const gets = [
  [1, '1 caller', without(EVERYBODY, ...ALIKE)],
  [50, '50 callers', EVERYBODY],
  [500, '500 callers', without(EVERYBODY, ...ALIKE, 'iovalkey', 'a held lease')],
  // Nobody opens five thousand connections.
  [5000, '5000 callers', without(MOST, 'an ioredis for each caller', 'pool.use, CommonJS')],
].map(([callers, short, contenders]) => ({
  id: `get-${callers}`,
  title: `GET of 100 B, callers: ${callers}`,
  short,
  contenders: [...contenders, ...LIMITS],
  load: closed('get', callers),
  ceiling: callers,
}));

const others = [
  ['multi', 'MULTI of 5 commands', 'MULTI of 5', MOST],
  ['mget', 'MGET of 100 keys', 'MGET of 100', HIGHLIGHTS],
  ['hgetall', 'HGETALL of 20 fields', 'HGETALL of 20', HIGHLIGHTS],
  ['set', 'SET of 1 KiB', 'SET of 1 KiB', HIGHLIGHTS],
].map(([operation, title, short, contenders]) => ({
  id: operation,
  title: `${title}, callers: 50`,
  short,
  contenders,
  load: closed(operation, 50),
}));

const sizes = [1, 4, 16, 64].map((size) => ({
  id: `size-${size}`,
  title: `GET of 100 B, callers: 100, connections: ${size}`,
  contenders: SIZED.map((name) => ({ label: name, name, target: { size } })),
  load: closed('get', 100),
}));

/** How the defaults were chosen: the same load, another option. */
const byOption = (id, callers, option, values) => ({
  id,
  title: `GET of 100 B, callers: ${callers}, by ${option}`,
  contenders: values.map((value) => ({
    label: `${option} ${value}`,
    name: 'pool.redis',
    target: { options: { [option]: value } },
  })),
  load: closed('get', callers),
});

/** 1 Gbit/s, in bytes a millisecond. */
const GIGABIT = 125_000;
const beside = (operation, callers) => ({ ...closed('get', 20), beside: { operation, callers } });

/** @type {Workload[]} */
export const WORKLOADS = [
  ...gets,
  ...others,
  {
    id: 'watch',
    title: 'WATCH, GET, MULTI/EXEC, callers: 50',
    short: 'WATCH, GET, MULTI/EXEC',
    contenders: without(POOLS, ...ALIKE),
    load: closed('watch', 50),
  },
  {
    id: 'tls',
    title: 'GET of 100 B over TLS, callers: 50',
    short: 'over TLS',
    contenders: HIGHLIGHTS,
    load: closed('get', 50),
    link: 'tls',
  },
  ...[50, 500].map((callers) => ({
    id: `latency-${callers}`,
    title: `GET of 100 B, 1 ms away, callers: ${callers}`,
    short: `1 ms away, ${callers} callers`,
    contenders: HIGHLIGHTS,
    load: closed('get', callers),
    link: { latencyMs: 1 },
  })),
  {
    id: 'blpop',
    title: 'GET of 100 B, callers: 20, beside 2 in BLPOP',
    short: 'beside 2 in BLPOP',
    contenders: without(HIGHLIGHTS, 'ioredis, auto-pipelining'),
    load: beside('blpop', 2),
  },
  {
    id: 'large',
    title: 'GET of 100 B, callers: 20, beside 2 with 1 MiB, over 1 Gbit/s',
    short: 'beside 2 with 1 MiB, 1 Gbit/s',
    contenders: HIGHLIGHTS,
    load: beside('getLarge', 2),
    link: { bytesPerMs: GIGABIT },
  },
  {
    id: 'large-local',
    title: 'GET of 100 B, callers: 20, beside 2 with 1 MiB',
    short: 'beside 2 with 1 MiB',
    contenders: HIGHLIGHTS,
    load: beside('getLarge', 2),
  },
  {
    id: 'bursts',
    title: 'Bursts of 200 GETs of 100 B, 50 ms apart',
    short: 'bursts of 200',
    contenders: HIGHLIGHTS,
    load: { loop: 'bursts', operation: 'get', count: 4, size: 200, pauseMs: 50 },
  },
  {
    id: 'open',
    title: 'GET of 100 B at a rate, whether or not the last is answered',
    task: 'climb',
    contenders: HIGHLIGHTS,
    // Who is to answer at a rate warms up with callers.
    load: { ...closed('get', 50), rates: [5000, 10_000, 20_000, 40_000, 80_000, 160_000], rateMs: 250 },
  },
  ...sizes,
  {
    id: 'borrow',
    title: 'Acquire and release of an idle connection, 1 caller',
    contenders: without(POOLS, 'node-redis pool', 'an ioredis for each caller'),
    load: { loop: 'closed', operation: 'nothing', callers: 1, times: 20_000 },
  },
  {
    id: 'cold',
    title: 'From nothing to the first reply, and to the first 100 at once',
    task: 'cold',
    contenders: HIGHLIGHTS,
    load: {},
  },
  {
    id: 'allocations',
    title: 'Bytes allocated by a GET of 100 B, callers: 50',
    task: 'allocations',
    // The core of valkey-glide is native code, whose bytes are not in the heap.
    contenders: [...without(EVERYBODY, ...ALIKE, 'valkey-glide', 'an ioredis for each caller'), LIMITS[0]],
    load: { operation: 'get', callers: 50, each: 100 },
  },
  byOption('lanes', 50, 'maxLanes', [1, 2, 4, 8]),
  byOption('in-flight', 5000, 'maxInFlight', [100, 1000, 10_000, 100_000]),
];
