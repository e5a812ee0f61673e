import { createRequire } from 'node:module';
import { inspect } from 'node:util';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import type { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { RedisStore } from 'rate-limit-redis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { expect, onTestFinished, test } from 'vitest';
import type { ClusterPool } from '../../src/cluster/index.ts';
import type { PoolEvents } from '../../src/index.ts';
import { instrumentPool } from '../../src/integrations/observe/opentelemetry.ts';
import { collectPool } from '../../src/integrations/observe/prometheus.ts';
import { koaSessionStore, nodeRedisView, PoolSessionStore } from '../../src/integrations/session/index.ts';
import { useCluster } from '../helpers/cluster.ts';
import { errorOf } from '../helpers/outcomes.ts';
import { until } from '../helpers/redis.ts';

const cluster = useCluster();

test('sessions are kept in all nodes, listed and cleared', async () => {
  const pool = cluster.pool();
  const store = new PoolSessionStore({ pool });
  const sids = Array.from({ length: 40 }, (_, i) => `sid${i}`);
  const session = (n: number) => ({ cookie: { originalMaxAge: null }, n }) as never;
  await Promise.all(sids.map((sid, i) => store.set(sid, session(i))));
  expect(await Promise.all(sids.map((sid) => store.get(sid)))).toEqual(sids.map((_, i) => session(i)));
  expect((await store.ids()).sort()).toEqual([...sids].sort());
  expect(await store.length()).toBe(40);
  expect((await store.all())?.length).toBe(40);
  await store.destroy('sid0');
  expect(await store.get('sid0')).toBeNull();
  await store.clear();
  expect(await store.length()).toBe(0);
  const sizes = await Promise.all((await cluster.masters()).map((node) => node.observer.dbsize()));
  expect(sizes).toEqual([0, 0, 0]);
});

test('with a keyPrefix, and among keys of others, a store has its own sessions and no more', async () => {
  const pool = cluster.pool({ redis: { keyPrefix: 'app*:' } });
  const [store, other] = ['a?[', 'b:'].map((prefix) => new PoolSessionStore({ pool, prefix, scanCount: 7 }));
  if (!store || !other) expect.fail('no stores');
  const sids = Array.from({ length: 300 }, (_, i) => `{${i}`);
  await Promise.all(sids.map((sid, n) => store.set(sid, { cookie: { originalMaxAge: null }, n } as never)));
  await other.set('one', { cookie: { originalMaxAge: null } } as never);
  await cluster.pool().redis.set('a?[mine', '1');
  expect((await store.ids()).sort()).toEqual([...sids].sort());
  expect(await store.length()).toBe(300);
  const all = (await store.all()) as unknown as { id: string; n: number }[];
  expect(all.map(({ n }) => n).sort((a, b) => a - b)).toEqual(sids.map((_, i) => i));
  expect(all.every(({ id, n }) => id === sids[n])).toBe(true);
  await store.touch('{7', { cookie: { originalMaxAge: null } } as never);
  expect(await pool.redis.pttl('a?[{7')).toBeGreaterThan(86_000_000);
  await store.clear();
  expect([await store.length(), await store.all(), await other.ids()]).toEqual([0, [], ['one']]);
  expect(await cluster.pool().redis.del('a?[mine', 'app*:b:one')).toBe(2);
  const koa = koaSessionStore(pool);
  await koa.set('sid', { views: 1 }, 60_000);
  expect(await koa.get('sid')).toEqual({ views: 1 });
  await koa.destroy('sid');
  const view = nodeRedisView(pool);
  await Promise.all(sids.map((sid) => view.set(sid, sid, { EX: 60 })));
  const scanned: string[] = [];
  for await (const keys of view.scanIterator({ MATCH: '{*', COUNT: 20 })) scanned.push(...keys);
  expect([...new Set(scanned)].sort()).toEqual([...sids].sort());
  expect(await view.mGet(['{1', 'none', '{2'])).toEqual(['{1', null, '{2']);
  expect(await view.del(sids)).toBe(300);
});

test('rate-limiter-flexible counts over it', async () => {
  const pool = cluster.pool();
  const limiter = new RateLimiterRedis({ storeClient: pool.redis, points: 3, duration: 60 });
  for (let i = 0; i < 3; i++) await Promise.all(['a', 'b', 'c', 'd'].map((key) => limiter.consume(key)));
  await expect(limiter.consume('a')).rejects.toMatchObject({ remainingPoints: 0 });
  const keys = Array.from({ length: 30 }, (_, i) => `user:${i}`);
  await Promise.all(
    keys.flatMap((key) => [limiter.consume(key), limiter.penalty(key, 1), limiter.reward(key, 1)]),
  );
  expect(await Promise.all(keys.map((key) => limiter.get(key)))).toEqual(
    keys.map(() => expect.objectContaining({ consumedPoints: 1, remainingPoints: 2 })),
  );
  await Promise.all((await cluster.masters()).map((node) => node.observer.script('FLUSH')));
  await Promise.all(keys.map((key) => limiter.block(key, 60)));
  for (const key of keys) await expect(limiter.consume(key)).rejects.toMatchObject({ remainingPoints: 0 });
  expect(await Promise.all(keys.map((key) => limiter.delete(key)))).toEqual(keys.map(() => true));
});

test('rate-limit-redis counts over it, also when a node has lost its scripts', async () => {
  const { redis } = cluster.pool();
  const sendCommand = (name: string, ...args: string[]) => redis.call(name, ...args) as Promise<string>;
  const store = new RedisStore({ sendCommand });
  store.init({ windowMs: 60_000 } as never);
  const hits = () =>
    Promise.all(Array.from({ length: 30 }, (_, i) => store.increment(`ip:${i}`))).then((all) =>
      all.map(({ totalHits }) => totalHits),
    );
  expect(new Set(await hits())).toEqual(new Set([1]));
  await (await cluster.masters())[1]?.observer.script('FLUSH');
  expect(new Set(await hits())).toEqual(new Set([2]));
  await store.resetKey('ip:1');
  expect(await store.increment('ip:1')).toMatchObject({ totalHits: 1 });
});

interface Lock {
  unlock?(): Promise<unknown>;
  release?(): Promise<unknown>;
  extend(ms: number): Promise<Lock>;
}
type Redlock = new (
  clients: Redis[],
  settings: object,
) => {
  acquire(resources: string[], ms: number): Promise<Lock>;
  on(event: string, listener: (error: Error) => void): void;
};
const requireOthers = createRequire(new URL('../others/package.json', import.meta.url));

test.each<[string, () => Redlock]>([
  ['4', () => requireOthers('redlock')],
  ['5', () => requireOthers('redlock5').default],
])(
  'redlock %s locks over it: what is in one slot together, what is in several not at all',
  async (_, load) => {
    const { redis } = cluster.pool();
    const redlock = new (load())([redis], { retryCount: 0 });
    redlock.on('error', () => {});
    redlock.on('clientError', () => {});
    const things = Array.from({ length: 30 }, (__, i) => [`lock:${i}`]);
    const locks = await Promise.all(
      [...things, ['{lock}a', '{lock}b']].map((one) => redlock.acquire(one, 60_000)),
    );
    for (const one of things) await expect(redlock.acquire(one, 60_000)).rejects.toThrow();
    const extended = await Promise.all(locks.map((lock) => lock.extend(90_000)));
    expect(await redis.pttl('{lock}b')).toBeGreaterThan(60_000);
    await Promise.all(extended.map((lock) => lock.release?.() ?? lock.unlock?.()));
    expect(await redis.exists('{lock}a', '{lock}b', ...things.flat())).toBe(0);
    const crossing = await errorOf(redlock.acquire(['x', 'y'], 60_000));
    expect(crossing).toBeInstanceOf(Error);
    expect(await redis.exists('x', 'y')).toBe(0);
  },
);

test('without a key nothing is lent, and it is said why', async () => {
  const pool = cluster.pool({ redis: { keyPrefix: 'p:' } });
  for (const options of [
    undefined,
    {},
    { key: undefined },
    { key: 7 },
    { key: null },
    { key: ['a'] },
    { timeoutMs: 5 },
  ]) {
    for (const work of [pool.acquire(options as never), pool.use(() => {}, options as never)]) {
      await expect(work).rejects.toMatchObject({
        code: 'POOL_INVALID_OPTION',
        message: expect.stringMatching(
          /lends a connection to the node that owns a key: say which \(option key/,
        ),
      });
    }
  }
  await expect(pool.acquire({ kye: 'a' } as never)).rejects.toThrow(/did you mean `key`/);
  for (const key of ['a', '', Buffer.from('a'), Buffer.of(0xff, 0x7b)]) {
    await pool.use((lease) => lease.set(key, '1'), { key });
    expect(await pool.redis.del(key)).toBe(1);
  }
  expect(pool.stats().errors).toMatchObject({ POOL_CONNECT_FAILED: 0 });
});

test('a pool shows itself in one line, and nothing of its inside', async () => {
  const pool = cluster.pool({ name: 'shown' });
  expect(inspect(pool)).toMatch(/^ClusterPool 'shown' \(0 masters; [^\n]*\)$/);
  await pool.ready();
  expect(inspect({ pool }, { depth: 5 })).toMatch(
    /^\{\s+pool: ClusterPool 'shown' \(3 masters; [^\n]*\)\s+\}$/,
  );
  expect(JSON.stringify(pool)).toBe('{}');
  expect(Object.keys(pool)).toEqual([]);
  await pool.close();
  expect(inspect(pool)).toMatch(/, closed\)$/);
});

test('health says of which node it has no answer, and never rejects', async () => {
  const pool = cluster.pool();
  expect(await pool.health()).toMatchObject({ ok: true, stats: { nodes: expect.any(Object) } });
  expect((await pool.health()).latencyMs).toBeGreaterThanOrEqual(0);
  for (const wrong of [{ timeoutMs: -1 }, { timeout: 1 }])
    expect(await pool.health(wrong as never)).toMatchObject({
      ok: false,
      error: expect.stringMatching(/timeout/),
    });
  const node = await cluster.ownerOf('k');
  node.freeze();
  const told = await pool.health({ timeoutMs: 100 });
  node.thaw();
  expect(told).toMatchObject({ ok: false, error: expect.stringMatching(`^${node.address}: `) });
  await until('it is well again', async () => (await pool.health()).ok);
  await pool.close();
  expect(await pool.health()).toMatchObject({ ok: false, error: 'the pool is closed' });
});

/** The events of a pool that has done a little. */
async function listen(pool: ClusterPool) {
  const seen: PoolEvents['connect'][] = [];
  pool.on('connect', (event) => seen.push(event));
  await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => pool.redis.set(key, '1')));
  return seen;
}

test('events, numbers and errors say which node they are about', async () => {
  const pool = cluster.pool({ name: 'named', maxActive: 4 });
  const seen = await listen(pool);
  const masters = (await cluster.masters()).map(({ address }) => address);
  const nodes = seen.map(({ node }) => node);
  expect([...new Set(nodes)].sort()).toEqual([...masters].sort());
  for (const event of seen)
    expect(event).toMatchObject({ pool: 'named', stats: { nodes: expect.any(Object) } });
  const stats = pool.stats();
  expect(Object.keys(stats.nodes).sort()).toEqual([...masters].sort());
  expect(stats).toMatchObject({ maxActive: 12, total: 3, connected: seen.length });
  expect(String(await pool.health().then(({ ok }) => ok))).toBe('true');
  const held = await Promise.all(Array.from({ length: 4 }, () => pool.acquire({ key: 'a' })));
  const { address } = await cluster.ownerOf('a');
  await expect(pool.acquire({ key: 'a', timeoutMs: 5 })).rejects.toMatchObject({
    pool: 'named',
    message: expect.stringContaining(`[named ${address}]`),
  });
  for (const lease of held) lease.release();
});

test('metrics have a node label; those of a pool of one server have none', async () => {
  const pool = cluster.pool({ name: 'measured' });
  const register = new Registry();
  collectPool(pool, { register });
  await pool.ready();
  const text = await register.metrics();
  for (const { address } of await cluster.masters()) {
    expect(text).toContain(`redis_pool_connections{pool="measured",node="${address}",state="idle"} 1`);
    expect(text).toContain(`redis_pool_connects_total{pool="measured",node="${address}"}`);
  }
  expect(text).not.toContain('redis_pool_connections{pool="measured",state');
  await pool.close();
  expect(await register.metrics()).not.toContain('measured');
});

/** All series of a metric, by node. */
function seriesOf(
  text: string,
  metric: string,
): { node: string | undefined; labels: string; value: number }[] {
  const lines = [...text.matchAll(new RegExp(`^redis_pool_${metric}\\{(.*?)\\} (\\S+)$`, 'gm'))];
  return lines.map(([, labels = '', value]) => ({
    ...{ labels, value: Number(value), node: /node="(.*?)"/.exec(labels)?.[1] },
  }));
}

const sumOf = (all: readonly { value: number }[]): number => all.reduce((sum, { value }) => sum + value, 0);

test('metrics of all nodes, and of none, are those of the pool; a node that leaves takes its series with it', async () => {
  const pool = cluster.pool({
    name: 'leaving',
    nodes: ['redis://127.0.0.1:1', ...cluster.urls],
    maxActive: 4,
  });
  const register = new Registry();
  collectPool(pool, { register });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const readers = [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 })];
  const meterProvider = new MeterProvider({ readers });
  onTestFinished(() => meterProvider.shutdown());
  instrumentPool(pool, { meterProvider });
  const points = async (name: string) => {
    exporter.reset();
    await meterProvider.forceFlush();
    const all = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
    const found = all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
    return found.map(({ attributes, value }) => ({
      node: attributes['server.address'] && `${attributes['server.address']}:${attributes['server.port']}`,
      value: Number(value),
    }));
  };
  await pool.ready();
  const old = await cluster.ownerOf('k');
  for (let i = 0; i < 20; i++) (await pool.acquire({ key: 'k' })).release();
  const leases = await Promise.all([1, 2].map(() => pool.acquire({ key: 'k' })));
  const before = await register.metrics();
  expect(new Set(seriesOf(before, 'connects_total').map(({ node }) => node))).toEqual(
    new Set(['', ...(await cluster.masters()).map(({ address }) => address)]),
  );
  expect(sumOf(seriesOf(before, 'connects_total'))).toBe(pool.stats().connected);
  expect(sumOf(seriesOf(before, 'connections_max'))).toBe(pool.stats().maxActive);
  // The first of the seeds, which is none of the nodes.
  const refused = seriesOf(before, 'connect_errors_total').filter(({ value }) => value > 0);
  expect(refused).toEqual([
    expect.objectContaining({ node: '', value: 1, labels: expect.stringContaining('ECONNREFUSED') }),
  ]);
  expect((await points('db.client.connection.max')).find(({ node }) => node === old.address)?.value).toBe(4);
  for (const lease of leases) lease.release();

  await cluster.failover(await cluster.replicaOf(old));
  await until('the pool has left it', async () => {
    await pool.redis.set('k', '1');
    return !(old.address in pool.stats().nodes) && pool.stats().closing === 0;
  });
  const after = await register.metrics();
  expect(after).not.toContain(old.address);
  for (const [metric, whole] of [
    ['connections_max', pool.stats().maxActive],
    ['connections', pool.stats().total],
  ] as const) {
    expect(sumOf(seriesOf(after, metric)), metric).toBe(whole);
  }
  // What it had counted is not counted a second time, as if it had happened now.
  const none = (text: string, metric: string) =>
    sumOf(seriesOf(text, metric).filter(({ node }) => node === ''));
  expect(sumOf(seriesOf(before, 'acquires_total').filter(({ node }) => node === old.address))).toBe(22);
  expect(none(after, 'acquires_total')).toBe(0);
  expect(none(after, 'connects_total')).toBeLessThan(none(before, 'connects_total') + 4);
  await pool.use(() => {}, { key: 'k' });
  expect(sumOf(seriesOf(await register.metrics(), 'acquires_total'))).toBe(1);
  for (const name of [
    'db.client.connection.max',
    'db.client.connection.count',
    'db.client.connection.idle.max',
  ])
    for (const { node, value } of await points(name)) if (node === old.address) expect(value, name).toBe(0);
  expect(sumOf(await points('db.client.connection.max'))).toBe(pool.stats().maxActive);
  await pool.close();
  expect(await register.metrics()).toBe('\n');
});

test('a pool that reaches no node at all has metrics that say so', async () => {
  const pool = cluster.pool({ name: 'nowhere', nodes: ['redis://127.0.0.1:1'] });
  const register = new Registry();
  collectPool(pool, { register });
  await expect(pool.redis.get('k')).rejects.toMatchObject({ code: 'POOL_CONNECT_FAILED' });
  const text = await register.metrics();
  const refused = seriesOf(text, 'connect_errors_total').filter(({ labels }) =>
    labels.includes('ECONNREFUSED'),
  );
  expect(refused).toMatchObject([{ node: '', value: pool.stats().connectFailed }]);
  expect(pool.stats().connectFailed).toBeGreaterThan(0);
  const failed = seriesOf(text, 'errors_total').filter(({ labels }) =>
    labels.includes('POOL_CONNECT_FAILED'),
  );
  expect(sumOf(failed)).toBe(pool.stats().errors.POOL_CONNECT_FAILED);
});

test('clear() is for all nodes, and drain is told once', async () => {
  const pool = cluster.pool();
  await pool.ready();
  const told: string[] = [];
  pool.on('clear', () => told.push('clear')).on('drain', () => told.push('drain'));
  pool.clear();
  expect(pool.stats().closed.cleared).toBe(3);
  await pool.close();
  expect(told).toEqual(['clear', 'drain']);
});

test('a script is defined once, and runs at the node of its key', async () => {
  const { redis } = cluster.pool();
  redis.defineCommand('addTo', { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
  const { addTo } = redis as unknown as { addTo(key: string, by: number): Promise<number> };
  expect(await Promise.all(['x', 'y', 'z', 'x'].map((key) => addTo.call(redis, key, 2)))).toEqual([
    2, 2, 2, 4,
  ]);
});

test('a wrong option says what is wrong', () => {
  for (const [wrong, text] of [
    [{ nodes: [] }, /nodes must be a list/],
    [{ nodes: undefined }, /nodes must be a list/],
    [{ nodes: ['redis://a:1'], maxactive: 1 }, /did you mean `maxActive`/],
    [{ nodes: ['redis://a:1'], natmap: {} }, /did you mean `natMap`/],
    [{ nodes: ['redis://a:1'], natMap: { 'a:1': 'b:2' } }, /natMap must be/],
    [{ nodes: ['redis://a:1/2'] }, /db 0 alone/],
    [{ nodes: ['redis://a:1'], redis: { db: 1 } }, /db 0 alone/],
    [{ nodes: ['redis://a:1'], redis: { host: 'b' } }, /redis.host says where to connect/],
    [{ nodes: ['redis://a:1', 'redis://:pw@b:1'] }, /nodes\[1\] has another user, password, db or TLS/],
    [{ nodes: [7] }, /nodes\[0\] must be a URL/],
    [{ nodes: [new URL('redis://a:1')] }, /nodes\[0\] must be a URL.*of a URL object, its href/],
    [{ nodes: [{ host: '', port: 1 }] }, /nodes\[0\] must have a name or an IP as its host/],
    [{ nodes: [{ host: undefined, port: 1 }] }, /nodes\[0\] must have a name or an IP as its host/],
    [{ nodes: [{ host: 'a:1', port: 1 }] }, /nodes\[0\] must have a name or an IP as its host/],
    [{ nodes: ['redis://a:1'], natMap: { 'a:1': { host: 'b', port: 99_999 } } }, /natMap must be/],
    [{ nodes: ['redis://a:1'], natMap: { 'a:1': { host: '', port: 1 } } }, /natMap must be/],
    [{ nodes: ['redis://a:1'], maxTotal: 1, minIdle: 2 }, /minIdle must be at most maxTotal \(1\), got 2/],
    [{ nodes: ['redis://a:1'], maxTotal: Object.create(null) }, /maxTotal must be an integer/],
    [{ nodes: [{ host: 'a', port: 0 }] }, /port/],
    [{ nodes: [{ host: 'a', prt: 1 }] }, /prt/],
    [{ nodes: ['http://a'] }, /nodes\[0\] must be/],
  ] as const) {
    expect(() => cluster.pool(wrong as never), JSON.stringify(wrong)).toThrow(text);
  }
});
