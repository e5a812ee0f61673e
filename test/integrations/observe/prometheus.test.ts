import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { register as globalRegister, Registry } from 'prom-client';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { isPoolError, type Pool, type RedisPool } from '../../../src/index.ts';
import { BUCKETS_S } from '../../../src/integrations/observe/buckets.ts';
import { collectPool } from '../../../src/integrations/observe/prometheus.ts';
import { behind, FakeRedis } from '../../helpers/fake-redis.ts';
import { errorOf, take } from '../../helpers/outcomes.ts';
import { poolErrorOf, testPool, until, useServer } from '../../helpers/redis.ts';

const server = useServer();

afterEach(() => globalRegister.clear());

/** What Prometheus would get: asks over HTTP, and reads the text. */
async function scrape(register: Registry): Promise<Scrape> {
  const http = createServer((_, response) => {
    void register.metrics().then((text) => {
      response.setHeader('content-type', register.contentType).end(text);
    });
  });
  await new Promise<void>((listening) => void http.listen(0, '127.0.0.1', listening));
  const { port } = http.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  http.close();
  expect(response.headers.get('content-type')).toContain('text/plain');
  return new Scrape(await response.text());
}

class Scrape {
  readonly values = new Map<string, number>();

  constructor(readonly text: string) {
    for (const line of text.split('\n')) {
      const found = /^([^#\s]+) (\S+)$/.exec(line);
      if (found) this.values.set(found[1] ?? '', Number(found[2]));
    }
  }

  /** The value of a series, as `connections{pool="p",state="idle"}`. */
  of(series: string): number {
    return this.values.get(`redis_pool_${series}`) ?? expect.fail(`no ${series} in\n${this.text}`);
  }

  type(name: string): string | undefined {
    return new RegExp(`^# TYPE redis_pool_${name} (\\w+)$`, 'm').exec(this.text)?.[1];
  }
}

const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (isPoolError(error, 'POOL_INVALID_OPTION')) return error.message;
    throw error;
  }
  return expect.fail('was not refused');
};

test('a scrape reports the connections of the pool, by state', async () => {
  const register = new Registry();
  const pool = server.pool({ name: 'p', maxActive: 3 });
  collectPool(pool, { register });
  const [a, b] = await take(pool, 2);
  b?.release();
  const seen = await scrape(register);
  expect(seen.of('connections{pool="p",state="in_use"}')).toBe(1);
  expect(seen.of('connections{pool="p",state="idle"}')).toBe(1);
  expect(seen.of('connections{pool="p",state="connecting"}')).toBe(0);
  expect(seen.of('connections{pool="p",state="closing"}')).toBe(0);
  expect(seen.of('connections_max{pool="p"}')).toBe(3);
  expect(seen.of('sentinel_connections{pool="p"}')).toBe(0);
  expect(seen.of('acquires_total{pool="p"}')).toBe(2);
  expect(seen.of('connects_total{pool="p"}')).toBe(2);
  expect(seen.type('connections')).toBe('gauge');
  expect(seen.type('acquires_total')).toBe('counter');
  a?.release();
  expect((await scrape(register)).of('connections{pool="p",state="idle"}')).toBe(2);
});

test('durations of waits, leases and connects are reported in seconds, the last ones too', async () => {
  const redis = new FakeRedis();
  redis.dialMs = 5;
  const register = new Registry();
  const pool = redis.pool({ name: 'p', maxActive: 1 });
  collectPool(pool, { register });
  for (let use = 0; use < 300; use++) {
    const lease = pool.acquire();
    await redis.clock.advance(5);
    const waiting = pool.acquire();
    await redis.clock.advance(20);
    (await lease).release();
    (await waiting).release();
  }
  const seen = await scrape(register);
  for (const name of ['acquire_wait_seconds', 'hold_seconds', 'connect_seconds']) {
    expect(seen.type(name)).toBe('histogram');
  }
  expect(seen.of('acquire_wait_seconds_count{pool="p"}')).toBe(600);
  // Once the dial, and each time one of the two waits while the other has it.
  expect(seen.of('acquire_wait_seconds_sum{pool="p"}')).toBeCloseTo(0.005 + 300 * 0.02);
  expect(seen.of('acquire_wait_seconds_bucket{le="0.01",pool="p"}')).toBe(300);
  expect(seen.of('acquire_wait_seconds_bucket{le="0.025",pool="p"}')).toBe(600);
  expect(seen.of('hold_seconds_count{pool="p"}')).toBe(600);
  expect(seen.of('hold_seconds_sum{pool="p"}')).toBeCloseTo(299 * 0.025 + 0.02);
  expect(seen.of('connect_seconds_count{pool="p"}')).toBe(1);
  expect(seen.of('connect_seconds_sum{pool="p"}')).toBeCloseTo(0.005);
  await pool.close();
});

test('what waits, gives up and is refused is counted, errors by code', async () => {
  const register = new Registry();
  const pool = server.pool({ name: 'p', maxActive: 1, maxWaiting: 2 });
  collectPool(pool, { register });
  const held = await pool.acquire();
  const late = poolErrorOf(pool.acquire({ timeoutMs: 5 }), 'POOL_ACQUIRE_TIMEOUT');
  const caller = new AbortController();
  const aborted = errorOf(pool.acquire({ signal: caller.signal }));
  await poolErrorOf(pool.acquire(), 'POOL_EXHAUSTED');
  expect((await scrape(register)).of('waiting{pool="p"}')).toBeGreaterThan(0);
  caller.abort();
  await aborted;
  await late;
  held.release();
  await poolErrorOf(held.get('k'), 'POOL_LEASE_RELEASED');
  await poolErrorOf(pool.redis.watch('k'), 'POOL_STATEFUL_COMMAND');
  const seen = await scrape(register);
  for (const code of [
    ...['POOL_EXHAUSTED', 'POOL_ACQUIRE_TIMEOUT', 'POOL_LEASE_RELEASED', 'POOL_STATEFUL_COMMAND'],
  ]) {
    expect(seen.of(`errors_total{pool="p",code="${code}"}`), code).toBe(1);
  }
  for (const code of ['POOL_CONNECT_FAILED', 'POOL_CONNECTION_LOST', 'POOL_CLOSED']) {
    expect(seen.of(`errors_total{pool="p",code="${code}"}`), code).toBe(0);
  }
  expect(seen.of('aborts_total{pool="p"}')).toBe(1);
  expect(seen.of('waits_total{pool="p"}')).toBe(2);
  expect(seen.of('wait_seconds_total{pool="p"}')).toBeGreaterThan(0.004);
  expect(seen.of('waiting{pool="p"}')).toBe(0);
});

test('what may be counted by a label is there with 0 before it happens, so that increase() sees the first', async () => {
  const register = new Registry();
  const pool = new FakeRedis().pool({ name: 'p' });
  collectPool(pool, { register });
  const seen = await scrape(register);
  for (const code of ['ECONNREFUSED', 'ETIMEDOUT', 'ENOTFOUND', 'WRONGPASS', 'CERT_HAS_EXPIRED', 'other']) {
    expect(seen.of(`connect_errors_total{pool="p",code="${code}"}`), code).toBe(0);
  }
  for (const reason of Object.keys(pool.stats().closed)) {
    expect(seen.of(`closes_total{pool="p",reason="${reason}"}`), reason).toBe(0);
  }
  for (const code of Object.keys(pool.stats().errors)) {
    expect(seen.of(`errors_total{pool="p",code="${code}"}`), code).toBe(0);
  }
});

test('closed connections are counted by reason, dials that failed by their cause', async () => {
  const register = new Registry();
  const pool = server.pool({ name: 'p', outageWaitMs: 0 });
  collectPool(pool, { register });
  (await pool.acquire()).destroy();
  await pool.use((redis) => redis.ping());
  pool.clear();
  await until('all are gone', () => pool.stats().total === 0);
  await server.kill();
  onTestFinished(() => server.start());
  await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  const seen = await scrape(register);
  expect(seen.of('closes_total{pool="p",reason="destroyed"}')).toBe(1);
  expect(seen.of('closes_total{pool="p",reason="cleared"}')).toBe(1);
  expect(seen.of('closes_total{pool="p",reason="broken"}')).toBe(0);
  expect(seen.of('connect_errors_total{pool="p",code="ECONNREFUSED"}')).toBe(1);
});

test('lanes have numbers: how many are open, and the commands on them and before them', async () => {
  const redis = new FakeRedis();
  const register = new Registry();
  const pool = redis.pool({ name: 'p', maxActive: 1, maxInFlight: 2 });
  collectPool(pool, { register });
  await pool.use((lease) => {
    behind(redis, lease).client.holdReplies = true;
  });
  const replies = [1, 2, 3].map(() => pool.redis.get('k'));
  await until('two are sent', () => pool.stats().inFlight === 2);
  let seen = await scrape(register);
  expect(seen.of('lanes{pool="p"}')).toBe(1);
  expect(seen.of('commands_in_flight{pool="p"}')).toBe(2);
  expect(seen.of('commands_queued{pool="p"}')).toBe(1);
  const { client } = redis.dials[0] ?? expect.fail('no dial');
  client.holdReplies = false;
  client.answer();
  await Promise.all(replies);
  await until('the lane rests', () => pool.stats().lanes === 0);
  seen = await scrape(register);
  for (const name of ['lanes', 'commands_in_flight', 'commands_queued']) {
    expect(seen.of(`${name}{pool="p"}`), name).toBe(0);
  }
  await pool.close();
});

test('leaks are counted', async () => {
  const redis = new FakeRedis();
  const register = new Registry();
  const pool = redis.pool({ name: 'p', leakThresholdMs: 10 });
  collectPool(pool, { register });
  const lease = await pool.acquire();
  await redis.clock.advance(10);
  lease.release();
  expect((await scrape(register)).of('leaks_total{pool="p"}')).toBe(1);
  await pool.close();
});

test('several pools share a registry, each under its name; the last one to go takes the metrics with it', async () => {
  const register = new Registry();
  const pools = ['a', 'b'].map((name, i) => testPool({ name, redis: server.url, maxActive: i + 1 }));
  const removals = pools.map((pool) => collectPool(pool, { register }));
  await pools[1]?.use((redis) => redis.ping());
  let seen = await scrape(register);
  expect(seen.of('connections_max{pool="a"}')).toBe(1);
  expect(seen.of('connections_max{pool="b"}')).toBe(2);
  expect(seen.of('hold_seconds_count{pool="a"}')).toBe(0);
  expect(seen.of('hold_seconds_count{pool="b"}')).toBe(1);
  removals[1]?.();
  removals[1]?.();
  seen = await scrape(register);
  expect(seen.text).not.toContain('pool="b"');
  expect(seen.of('connections_max{pool="a"}')).toBe(1);
  removals[0]?.();
  expect(register.getMetricsAsArray()).toEqual([]);
});

test('a pool that was taken out keeps no listener, and may be put in again', async () => {
  const redis = new FakeRedis();
  const register = new Registry();
  const pool = redis.pool({ name: 'p' });
  const [on, off] = [vi.spyOn(pool, 'on'), vi.spyOn(pool, 'off')];
  collectPool(pool, { register })();
  expect(on).toHaveBeenCalled();
  expect(off.mock.calls).toEqual(on.mock.calls);
  collectPool(pool, { register });
  await pool.use(() => {});
  expect((await scrape(register)).of('hold_seconds_count{pool="p"}')).toBe(1);
  await pool.close();
});

test('the end of a pool takes it out', async () => {
  const register = new Registry();
  const pool = server.pool({ name: 'p' });
  const remove = collectPool(pool, { register });
  await pool.use((redis) => redis.ping());
  await pool.close();
  expect(register.getMetricsAsArray()).toEqual([]);
  const next = server.pool({ name: 'p' });
  collectPool(next, { register });
  remove(); // of the pool that is gone
  expect((await scrape(register)).of('connects_total{pool="p"}')).toBe(0);
});

test('two pools of one name cannot share a registry, and it says so', () => {
  const register = new Registry();
  const [one, other] = [1, 2].map(() => new FakeRedis().pool({ name: 'twin' })) as [Pool, Pool];
  collectPool(one, { register });
  const text =
    "a pool called 'twin' is in this registry already: give each pool a name of its own (option name), or take the other one out first";
  expect(refusal(() => collectPool(other, { register }))).toBe(text);
  expect(refusal(() => collectPool(one, { register }))).toBe(text);
  collectPool(other, { register: new Registry() })();
  collectPool(other, { register, prefix: 'other_' });
  expect(register.getSingleMetric('other_connections')).toBeDefined();
});

test("another's metric is not touched", () => {
  const register = new Registry();
  collectPool(new FakeRedis().pool(), { register: globalRegister });
  const theirs = globalRegister.getSingleMetric('redis_pool_lanes');
  if (theirs) register.registerMetric(theirs);
  expect(refusal(() => collectPool(new FakeRedis().pool(), { register }))).toBe(
    "a metric called 'redis_pool_lanes' is in this registry already: choose another name (option prefix)",
  );
  expect(register.getMetricsAsArray()).toEqual([theirs]);
});

test('without options the global registry is used, also after it was cleared', async () => {
  const pool = server.pool({ name: 'p' });
  const remove = collectPool(pool);
  expect(globalRegister.getSingleMetric('redis_pool_connections')).toBeDefined();
  globalRegister.clear();
  collectPool(pool);
  remove();
  await pool.use((redis) => redis.ping());
  expect((await scrape(globalRegister)).of('hold_seconds_count{pool="p"}')).toBe(1);
});

test.each<[string, object, string]>([
  ['a name', { registry: new Registry() }, 'unknown option `registry`, did you mean `register`?'],
  ['a registry', { register: {} }, 'option register must be a Registry of prom-client'],
  [
    'a prefix',
    { prefix: 'my-pool ' },
    'option prefix must be letters, digits and underscores, got "my-pool "',
  ],
  ['a type of prefix', { prefix: 3 }, 'option prefix must be letters, digits and underscores, got 3'],
])('%s that is wrong is refused', (_, options, text) => {
  expect(refusal(() => collectPool(new FakeRedis().pool(), options))).toBe(text);
});

test("somebody else's pool is measured through its events", async () => {
  const register = new Registry();
  const redis = new FakeRedis();
  const pool = redis.pool({ name: 'p' });
  collectPool(onlyWhatIsDocumented(pool), { register });
  await pool.use(() => {});
  const seen = await scrape(register);
  for (const name of ['acquire_wait_seconds', 'hold_seconds', 'connect_seconds']) {
    expect(seen.of(`${name}_count{pool="p"}`), name).toBe(1);
  }
  await pool.close();
});

test('names end and values count as Prometheus has it', async () => {
  const register = new Registry();
  collectPool(server.pool({ name: 'p' }), { register });
  for (const { name, type, help } of await register.getMetricsAsJSON()) {
    expect(name).toMatch(/^redis_pool_[a-z_]+[a-z]$/);
    expect(name.endsWith('_total'), name).toBe(String(type) === 'counter');
    if (String(type) === 'histogram') expect(name).toMatch(/_seconds$/);
    expect(help, name).toMatch(/\.$/);
  }
  expect([...BUCKETS_S].sort((a, b) => a - b)).toEqual(BUCKETS_S);
});

/** As seen by who knows the interface alone. */
function onlyWhatIsDocumented(pool: Pool): RedisPool {
  const on: RedisPool['on'] = (event, listener) => pool.on(event, listener) as never;
  const off: RedisPool['off'] = (event, listener) => pool.off(event, listener) as never;
  return { name: pool.name, stats: () => pool.stats(), on, off } as Partial<RedisPool> as RedisPool;
}
