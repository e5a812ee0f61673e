/** What it costs to be watched: a pool without listeners, beside the same pool with each kind of observer. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { Registry } from 'prom-client';
import { Pool } from '../../dist/index.js';
import { instrumentPool } from '../../dist/opentelemetry.js';
import { collectPool } from '../../dist/prometheus.js';
import { circumstances, cpuMicroseconds, interleave, row } from '../lib/measure.js';
import { startBenchServer } from '../lib/server.js';
import { spread } from '../lib/statistics.js';

const ROUNDS = Number(process.env.ROUNDS ?? 60);
const VALUE = 'x'.repeat(100);
const EVENTS = ['acquire', 'release', 'wait', 'connecting', 'connect', 'close'];
let heard = 0;

/** Collects when it is told to, and sends nothing anywhere. */
class ManualReader extends MetricReader {
  async onForceFlush() {}
  async onShutdown() {}
}

/** How each contender's pool is watched. Channels belong to the process, so that one subscribes for its rounds only. */
const OBSERVERS = {
  'no listener': () => {},
  'no listener, again': () => {},
  'one listener an event': (pool) => {
    for (const event of EVENTS) pool.on(event, count);
  },
  diagnostics_channel: () => {},
  Prometheus: (pool) => collectPool(pool, { register: new Registry() }),
  OpenTelemetry: (pool) => {
    instrumentPool(pool, { meterProvider: new MeterProvider({ readers: [new ManualReader()] }) });
  },
  'OpenTelemetry, with spans': (pool) => {
    const meterProvider = new MeterProvider({ readers: [new ManualReader()] });
    instrumentPool(pool, { meterProvider, spanThresholdMs: 10_000 });
  },
};

const server = await startBenchServer();
const pools = Object.fromEntries(
  Object.entries(OBSERVERS).map(([name, watch]) => {
    const pool = new Pool(server.url, { name: 'bench' });
    watch(pool);
    return [name, pool];
  }),
);
await Object.values(pools)[0].redis.set('k', VALUE);
console.log(
  `${circumstances()}; CPU time of a GET of 100 bytes, medians of ${ROUNDS} interleaved rounds (middle half); ` +
    "more: the median of each round's ratio to the first line of that round\n",
);
await report('pool.use, 1 caller', 1, 800, byUse);
await report('pool.use, 50 callers, 10 connections', 50, 40, byUse);
await report('pool.redis, 50 callers', 50, 200, byRedis);
await report('pool.redis, 500 callers', 500, 30, byRedis);
asking();
console.log(`${heard} events were heard.`);
for (const pool of Object.values(pools)) await pool.close();
await server.stop();

async function report(title, callers, each, operation) {
  const runs = Object.fromEntries(
    Object.entries(pools).map(([name, pool]) => [name, () => watched(name, callers, each, operation(pool))]),
  );
  const values = await interleave(runs, ROUNDS);
  console.log(`### ${title}\n\n${row('', 'µs', 'more')}\n${row('---', '---', '---')}`);
  const base = values['no listener'];
  for (const [name, own] of Object.entries(values)) {
    const more = own.map((value, round) => (value / base[round] - 1) * 100);
    console.log(row(name, spread(own), own === base ? '' : spread(more, ' %')));
  }
  console.log();
}

async function watched(name, callers, each, operation) {
  const subscribes = name === 'diagnostics_channel';
  if (subscribes) for (const event of EVENTS) subscribe(`bounded-redis-pool:${event}`, count);
  const result = await cpuMicroseconds(callers, each, operation);
  if (subscribes) for (const event of EVENTS) unsubscribe(`bounded-redis-pool:${event}`, count);
  return result;
}

function byUse(pool) {
  return async () => check(await pool.use((redis) => redis.get('k')));
}

function byRedis(pool) {
  return async () => check(await pool.redis.get('k'));
}

function check(reply) {
  if (reply !== VALUE) throw new Error('a wrong reply');
}

function count() {
  heard++;
}

/** Without a listener an event is a count, and the question whether anyone listens. */
function asking() {
  const quiet = channel('bounded-redis-pool:bench');
  const topic = { count: 0, listeners: undefined };
  const times = 10_000_000;
  const start = performance.now();
  for (let i = 0; i < times; i++) {
    topic.count++;
    if (topic.listeners !== undefined || quiet.hasSubscribers) heard++;
  }
  const ns = ((performance.now() - start) * 1e6) / times;
  console.log(`An event that nobody hears takes ${ns.toFixed(1)} ns; a use has two.`);
}
