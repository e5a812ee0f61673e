import { type Context, context, metrics, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  DataPointType,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isPoolError } from '../../../src/index.ts';
import { instrumentPool } from '../../../src/integrations/observe/opentelemetry.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../../helpers/fake-redis.ts';
import { take } from '../../helpers/outcomes.ts';
import { poolErrorOf, until, useServer } from '../../helpers/redis.ts';

const server = useServer();
let exporter: InMemoryMetricExporter;
let meterProvider: MeterProvider;

beforeEach(() => {
  exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const readers = [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 })];
  meterProvider = new MeterProvider({ readers });
});

afterEach(() => meterProvider.shutdown());

/** What is exported now, by name. */
async function collect(): Promise<Map<string, MetricData>> {
  exporter.reset();
  await meterProvider.forceFlush();
  const scopes = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
  expect(scopes.every(({ scope }) => scope.name === 'bounded-redis-pool')).toBe(true);
  return new Map(scopes.flatMap((one) => one.metrics.map((metric) => [metric.descriptor.name, metric])));
}

const NAME = 'db.client.connection.pool.name';

/** The value of `name` with `attributes`. */
function readingOf(seen: Map<string, MetricData>, name: string, attributes: object): unknown {
  const points = seen.get(name)?.dataPoints ?? expect.fail(`no ${name}`);
  const found = points.filter((point) => {
    return JSON.stringify(point.attributes) === JSON.stringify(attributes);
  });
  expect(found.length, name).toBe(1);
  return found[0]?.value;
}

/** Names, units and kinds, as the conventions' page on database client metrics has them. */
const CONVENTIONS: readonly (readonly [string, string, DataPointType, boolean])[] = [
  [conventions.METRIC_DB_CLIENT_CONNECTION_COUNT, '{connection}', DataPointType.SUM, false],
  [conventions.METRIC_DB_CLIENT_CONNECTION_IDLE_MAX, '{connection}', DataPointType.SUM, false],
  [conventions.METRIC_DB_CLIENT_CONNECTION_IDLE_MIN, '{connection}', DataPointType.SUM, false],
  [conventions.METRIC_DB_CLIENT_CONNECTION_MAX, '{connection}', DataPointType.SUM, false],
  [conventions.METRIC_DB_CLIENT_CONNECTION_PENDING_REQUESTS, '{request}', DataPointType.SUM, false],
  [conventions.METRIC_DB_CLIENT_CONNECTION_TIMEOUTS, '{timeout}', DataPointType.SUM, true],
  [conventions.METRIC_DB_CLIENT_CONNECTION_CREATE_TIME, 's', DataPointType.HISTOGRAM, false],
  [conventions.METRIC_DB_CLIENT_CONNECTION_WAIT_TIME, 's', DataPointType.HISTOGRAM, false],
  [conventions.METRIC_DB_CLIENT_CONNECTION_USE_TIME, 's', DataPointType.HISTOGRAM, false],
];

test('names, units and kinds are those of the semantic conventions, and no other begins with db', async () => {
  const pool = server.pool({ name: 'p' });
  instrumentPool(pool, { meterProvider });
  await pool.use((redis) => redis.ping());
  const seen = await collect();
  for (const [name, unit, type, monotonic] of CONVENTIONS) {
    const metric = seen.get(name) ?? expect.fail(`no ${name}`);
    expect(metric, name).toMatchObject({ descriptor: { unit }, dataPointType: type });
    if (metric.dataPointType === DataPointType.SUM) expect(metric.isMonotonic, name).toBe(monotonic);
    for (const { attributes } of metric.dataPoints) {
      expect(attributes[conventions.ATTR_DB_CLIENT_CONNECTION_POOL_NAME], name).toBe('p');
    }
  }
  const others = [...seen.keys()].filter((name) => !CONVENTIONS.some(([known]) => known === name));
  expect(others.filter((name) => !name.startsWith('bounded_redis_pool.'))).toEqual([]);
});

test('connections are reported by state, with the limits and the waiting callers', async () => {
  const clock = new FakeClock();
  const pool = server.pool({ name: 'p', maxActive: 3, maxIdle: 2, minIdle: 0 }, clock);
  instrumentPool(pool, { meterProvider });
  const leases = await take(pool, 3);
  leases[2]?.release();
  const state = conventions.ATTR_DB_CLIENT_CONNECTION_STATE;
  let seen = await collect();
  const count = 'db.client.connection.count';
  const { DB_CLIENT_CONNECTION_STATE_VALUE_IDLE: idle, DB_CLIENT_CONNECTION_STATE_VALUE_USED: used } =
    conventions;
  expect(readingOf(seen, count, { [NAME]: 'p', [state]: idle })).toBe(1);
  expect(readingOf(seen, count, { [NAME]: 'p', [state]: used })).toBe(2);
  expect(readingOf(seen, 'db.client.connection.max', { [NAME]: 'p' })).toBe(3);
  expect(readingOf(seen, 'db.client.connection.idle.max', { [NAME]: 'p' })).toBe(2);
  expect(readingOf(seen, 'db.client.connection.idle.min', { [NAME]: 'p' })).toBe(0);
  leases[2] = await pool.acquire();
  const late = poolErrorOf(pool.acquire({ timeoutMs: 50 }), 'POOL_ACQUIRE_TIMEOUT');
  seen = await collect();
  expect(readingOf(seen, 'db.client.connection.pending_requests', { [NAME]: 'p' })).toBe(1);
  expect(readingOf(seen, 'db.client.connection.timeouts', { [NAME]: 'p' })).toBe(0);
  await clock.advance(50);
  await late;
  seen = await collect();
  expect(readingOf(seen, 'db.client.connection.pending_requests', { [NAME]: 'p' })).toBe(0);
  expect(readingOf(seen, 'db.client.connection.timeouts', { [NAME]: 'p' })).toBe(1);
});

test('times are histograms in seconds, with bounds that suit them', async () => {
  const redis = new FakeRedis();
  redis.dialMs = 5;
  const pool = redis.pool({ name: 'p' });
  instrumentPool(pool, { meterProvider });
  const lease = pool.acquire();
  await redis.clock.advance(25);
  (await lease).release();
  const seen = await collect();
  const histogram = (name: string) => readingOf(seen, name, { [NAME]: 'p' }) as Histogram;
  expect(histogram('db.client.connection.create_time')).toMatchObject({ count: 1, sum: 0.005 });
  expect(histogram('db.client.connection.wait_time')).toMatchObject({ count: 1, sum: 0.005 });
  expect(histogram('db.client.connection.use_time')).toMatchObject({ count: 1, sum: 0.02 });
  const { boundaries } = histogram('db.client.connection.wait_time').buckets;
  expect([boundaries[0], boundaries.at(-1)]).toEqual([0.0001, 10]);
  await pool.close();
});

test('lanes have gauges', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ name: 'p', maxActive: 1, maxInFlight: 2 });
  instrumentPool(pool, { meterProvider });
  await pool.use((lease) => {
    behind(redis, lease).client.holdReplies = true;
  });
  const replies = [1, 2, 3].map(() => pool.redis.get('k'));
  await until('two are sent', () => pool.stats().inFlight === 2);
  const seen = await collect();
  expect(readingOf(seen, 'bounded_redis_pool.lanes', { [NAME]: 'p' })).toBe(1);
  expect(readingOf(seen, 'bounded_redis_pool.commands.in_flight', { [NAME]: 'p' })).toBe(2);
  expect(readingOf(seen, 'bounded_redis_pool.commands.queued', { [NAME]: 'p' })).toBe(1);
  const { client } = redis.dials[0] ?? expect.fail('no dial');
  client.holdReplies = false;
  client.answer();
  await Promise.all(replies);
  await pool.close();
});

test('several pools are distinguished by name', async () => {
  const pools = ['a', 'b'].map((name, i) => server.pool({ name, maxActive: i + 1 }));
  for (const pool of pools) instrumentPool(pool, { meterProvider });
  await pools[0]?.use((redis) => redis.ping());
  const seen = await collect();
  expect(readingOf(seen, 'db.client.connection.max', { [NAME]: 'a' })).toBe(1);
  expect(readingOf(seen, 'db.client.connection.max', { [NAME]: 'b' })).toBe(2);
  expect(seen.get('db.client.connection.use_time')?.dataPoints.length).toBe(1);
});

test('what ends it leaves no listener and no further reading; so does the end of the pool', async () => {
  const pool = server.pool({ name: 'p' });
  const [on, off, stats] = [vi.spyOn(pool, 'on'), vi.spyOn(pool, 'off'), vi.spyOn(pool, 'stats')];
  const stop = instrumentPool(pool, { meterProvider, spanThresholdMs: 1 });
  await pool.use((redis) => redis.ping());
  stop();
  stop();
  expect(on.mock.calls.length).toBeGreaterThan(0);
  for (const call of on.mock.calls) expect(off.mock.calls).toContainEqual(call);
  instrumentPool(pool, { meterProvider });
  await pool.close();
  stats.mockClear();
  const seen = await collect();
  expect(stats).not.toHaveBeenCalled();
  // What was measured by then is kept, the last use too.
  expect(readingOf(seen, 'db.client.connection.use_time', { [NAME]: 'p' })).toMatchObject({ count: 1 });
});

test('without a provider the global one is used', async () => {
  metrics.setGlobalMeterProvider(meterProvider);
  try {
    instrumentPool(server.pool({ name: 'p' }));
    expect((await collect()).has('db.client.connection.max')).toBe(true);
  } finally {
    metrics.disable();
  }
});

test.each<[string, object, string]>([
  ['a name', { meterprovider: 1 }, 'unknown option `meterprovider`, did you mean `meterProvider`?'],
  [
    'a threshold',
    { spanThresholdMs: -1 },
    'option spanThresholdMs must be milliseconds from 0, or Infinity, got -1',
  ],
])('%s that is wrong is refused', (_, options, text) => {
  expect(() => instrumentPool(new FakeRedis().pool(), options)).toThrow(text);
  try {
    instrumentPool(new FakeRedis().pool(), options);
  } catch (error) {
    expect(isPoolError(error, 'POOL_INVALID_OPTION')).toBe(true);
  }
});

/** Runs `work` with spans that are kept in memory; returns them. */
async function spansOf(work: (provider: BasicTracerProvider) => Promise<void>) {
  const spans = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  try {
    await work(provider);
    await provider.forceFlush();
    return spans.getFinishedSpans();
  } finally {
    context.disable();
    await provider.shutdown();
  }
}

const within = (name: string, provider: BasicTracerProvider): Context =>
  trace.setSpan(context.active(), provider.getTracer('test').startSpan(name));

test('a wait above the threshold is a span within the one of who waited, not of who gave back', async () => {
  const redis = new FakeRedis();
  let waiter: string | undefined;
  const spans = await spansOf(async (provider) => {
    const pool = redis.pool({ name: 'p', maxActive: 1 });
    instrumentPool(pool, { meterProvider, tracerProvider: provider, spanThresholdMs: 20 });
    const held = await pool.acquire();
    const inWaiter = within('waiter', provider);
    waiter = trace.getSpanContext(inWaiter)?.spanId;
    const waiting = context.with(inWaiter, () => pool.acquire());
    await redis.clock.advance(20);
    context.with(within('other', provider), () => held.release());
    (await waiting).release();
    (await pool.acquire()).release(); // no wait, no span
    await pool.close();
  });
  expect(spans.length).toBe(1);
  expect(spans[0]).toMatchObject({
    name: 'db.client.connection.wait',
    parentSpanContext: { spanId: waiter },
    attributes: { 'db.system.name': 'redis', [NAME]: 'p' },
    status: { code: SpanStatusCode.UNSET },
  });
  const [seconds = 0, nanoseconds = 0] = spans[0]?.duration ?? [];
  expect(seconds * 1000 + nanoseconds / 1e6).toBeGreaterThanOrEqual(20);
});

test('one that ran into its deadline is a span with an error, and one below the threshold is none', async () => {
  const redis = new FakeRedis();
  const spans = await spansOf(async (provider) => {
    const pool = redis.pool({ name: 'p', maxActive: 1 });
    instrumentPool(pool, { meterProvider, tracerProvider: provider, spanThresholdMs: 20 });
    const held = await pool.acquire();
    const late = poolErrorOf(pool.acquire({ timeoutMs: 20 }), 'POOL_ACQUIRE_TIMEOUT');
    const soon = poolErrorOf(pool.acquire({ timeoutMs: 19 }), 'POOL_ACQUIRE_TIMEOUT');
    await redis.clock.advance(20);
    await Promise.all([late, soon]);
    held.release();
    await pool.close();
  });
  expect(spans.length).toBe(1);
  expect(spans[0]).toMatchObject({
    attributes: { 'error.type': 'POOL_ACQUIRE_TIMEOUT' },
    status: { code: SpanStatusCode.ERROR },
  });
});

test('without a threshold there are no spans', async () => {
  const redis = new FakeRedis();
  const spans = await spansOf(async (provider) => {
    const pool = redis.pool({ maxActive: 1 });
    instrumentPool(pool, { meterProvider, tracerProvider: provider });
    const held = await pool.acquire();
    const waiting = pool.acquire();
    await redis.clock.advance(1000);
    held.release();
    (await waiting).release();
    await pool.close();
  });
  expect(spans).toEqual([]);
});
