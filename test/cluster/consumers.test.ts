import { Registry } from 'prom-client';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { expect, test } from 'vitest';
import type { ClusterPool } from '../../src/cluster/index.ts';
import type { PoolEvents } from '../../src/index.ts';
import { collectPool } from '../../src/integrations/observe/prometheus.ts';
import { PoolSessionStore } from '../../src/integrations/session/index.ts';
import { useCluster } from '../helpers/cluster.ts';

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

test('rate-limiter-flexible counts over it', async () => {
  const pool = cluster.pool();
  const limiter = new RateLimiterRedis({ storeClient: pool.redis, points: 3, duration: 60 });
  for (let i = 0; i < 3; i++) await Promise.all(['a', 'b', 'c', 'd'].map((key) => limiter.consume(key)));
  await expect(limiter.consume('a')).rejects.toMatchObject({ remainingPoints: 0 });
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
    [{ nodes: ['redis://a:1'], maxTotal: Object.create(null) }, /maxTotal must be an integer/],
    [{ nodes: [{ host: 'a', port: 0 }] }, /port/],
    [{ nodes: [{ host: 'a', prt: 1 }] }, /prt/],
    [{ nodes: ['http://a'] }, /nodes\[0\] must be/],
  ] as const) {
    expect(() => cluster.pool(wrong as never), JSON.stringify(wrong)).toThrow(text);
  }
});
