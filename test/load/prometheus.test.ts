import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { gaugesOf, parseMetrics, poolsOf, quantileOf } from '../../load/lib/prometheus.js';
import { MockPool } from '../../src/integrations/mock/index.ts';
import { collectPool } from '../../src/integrations/observe/prometheus.ts';

test('what a pool reports is read back: leases, waits, errors, and connections by state', async () => {
  const pool = new MockPool({ name: 'a-"quoted"-name', maxActive: 2, maxWaiting: 1 });
  onTestFinished(() => pool.close());
  const register = new Registry();
  collectPool(pool, { register });
  await pool.use((redis) => redis.ping());
  const first = parseMetrics(await register.metrics());
  const leases = [await pool.acquire(), await pool.acquire()];
  const waiting = pool.acquire();
  await expect(pool.acquire()).rejects.toThrow('in use');
  expect(gaugesOf(parseMetrics(await register.metrics()))).toMatchObject({ inUse: 2, open: 2, waiting: 1 });
  await pool.advance(3000);
  for (const lease of leases) lease.release();
  (await waiting).release();
  const [only, ...others] = poolsOf(first, parseMetrics(await register.metrics()));
  expect(others).toEqual([]);
  expect(only).toMatchObject({ name: 'a-"quoted"-name', maxActive: 2, leases: 3, waits: 1 });
  expect(only?.errors).toEqual({ POOL_EXHAUSTED: 1 });
  expect(only?.holdSeconds).toBeCloseTo(6);
  expect(only?.waitSeconds).toBeCloseTo(3);
  expect(only?.waitP99Ms).toBeGreaterThan(1000);
});

test('what a process tells of itself is read, and all else is left', () => {
  const metrics = parseMetrics(`# HELP process_cpu_seconds_total Total.
process_cpu_seconds_total 1.5
nodejs_eventloop_lag_p99_seconds 0.012
http_requests_total{code="200"} 17
`);
  expect([...metrics.keys()]).toEqual(['process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']);
  expect(gaugesOf(metrics)).toMatchObject({ cpuSeconds: 1.5, lagP99Ms: 12 });
});

test('a quantile of buckets lies evenly between their ends, and never above the last that has one', () => {
  const buckets = [
    { le: 0.1, count: 50 },
    { le: 0.2, count: 90 },
    { le: Number.POSITIVE_INFINITY, count: 100 },
  ];
  expect(quantileOf(buckets, 0.25)).toBeCloseTo(0.05);
  expect(quantileOf(buckets, 0.7)).toBeCloseTo(0.15);
  expect(quantileOf(buckets, 0.99)).toBe(0.2);
  expect(quantileOf([], 0.5)).toBe(0);
});

test('a pool of a cluster is read by node: its bound is one of each node', () => {
  const at = (
    nodes: Record<string, { max: number; open: number; acquires: number; codes: number }>,
  ): string =>
    Object.entries(nodes)
      .map(([node, { max, open, acquires, codes }]) => {
        const labels = `pool="c",node="${node}"`;
        return `redis_pool_connections_max{${labels}} ${max}
redis_pool_connections{${labels},state="idle"} ${open}
redis_pool_acquires_total{${labels}} ${acquires}
redis_pool_errors_total{${labels},code="POOL_EXHAUSTED"} ${codes}`;
      })
      .join('\n');
  const first = parseMetrics(`${at({ 'a:1': { max: 10, open: 2, acquires: 10, codes: 0 } })}
redis_pool_hold_seconds_sum{pool="c"} 1`);
  const last = parseMetrics(`${at({
    'a:1': { max: 10, open: 6, acquires: 40, codes: 2 },
    'b:1': { max: 10, open: 3, acquires: 10, codes: 0 },
  })}
redis_pool_hold_seconds_sum{pool="c"} 5`);
  // Times are those of all nodes together; each has its share by leases.
  expect(poolsOf(first, last)).toMatchObject([
    { name: 'c', node: 'a:1', maxActive: 10, leases: 30, holdSeconds: 3, errors: { POOL_EXHAUSTED: 2 } },
    { name: 'c', node: 'b:1', maxActive: 10, leases: 10, holdSeconds: 1, errors: {} },
  ]);
});
