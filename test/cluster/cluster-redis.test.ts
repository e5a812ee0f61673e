import { expect, test } from 'vitest';
import { useCluster } from '../helpers/cluster.ts';

const cluster = useCluster();

test('commands go to the node that has their key', async () => {
  const { redis } = cluster.pool();
  const keys = Array.from({ length: 300 }, (_, i) => `spread:${i}`);
  await Promise.all(keys.map((key) => redis.set(key, key)));
  expect(await Promise.all(keys.map((key) => redis.get(key)))).toEqual(keys);
  const stored = await Promise.all((await cluster.masters()).map((node) => node.observer.dbsize()));
  expect(stored.reduce((sum, one) => sum + one)).toBeGreaterThanOrEqual(300);
  expect(Math.min(...stored)).toBeGreaterThan(50);
});

test('a pipeline over all nodes is answered in order', async () => {
  const { redis } = cluster.pool();
  const pipeline = redis.pipeline();
  for (let i = 0; i < 50; i++) pipeline.set(`p:${i}`, i).get(`p:${i}`);
  const results = (await pipeline.exec()) ?? [];
  expect(results.map(([, reply]) => reply)).toEqual(
    Array.from({ length: 50 }, (_, i) => ['OK', String(i)]).flat(),
  );
});

test('a transaction goes whole to one slot; with keys of several, nothing of it is sent', async () => {
  const { redis } = cluster.pool();
  expect(await redis.multi().set('{t}a', 1).incr('{t}a').get('{t}a').exec()).toEqual([
    [null, 'OK'],
    [null, 2],
    [null, '2'],
  ]);
  const crossing = redis.multi().set('{t}b', 1).set('{u}b', 1);
  await expect(crossing.exec()).rejects.toThrow(/^CROSSSLOT/);
  expect(await redis.exists('{t}b', '{u}b')).toBe(0);
});

test('commands with keys in several slots are split and joined', async () => {
  const { redis } = cluster.pool();
  expect(await redis.mset('m1', 'a', 'm2', 'b', 'm3', 'c')).toBe('OK');
  expect(await redis.mget('m3', 'none', 'm1', 'm2', 'm1')).toEqual(['c', null, 'a', 'b', 'a']);
  expect(await redis.mgetBuffer('m2', 'm1')).toEqual([Buffer.from('b'), Buffer.from('a')]);
  expect(await redis.exists('m1', 'm2', 'm3', 'none')).toBe(3);
  expect(await redis.del('m1', 'm2', 'm3', 'none')).toBe(3);
  await expect(redis.sunion('m1', 'm2')).rejects.toThrow(/^CROSSSLOT/);
});

test('commands without keys go to all masters, or to any', async () => {
  const { redis } = cluster.pool();
  await redis.flushall();
  const keys = Array.from({ length: 60 }, (_, i) => `k:${i}`).sort();
  await Promise.all(keys.map((key) => redis.set(key, '1')));
  expect(await redis.dbsize()).toBe(60);
  expect((await redis.keys('k:*')).sort()).toEqual(keys);
  const scanned: string[] = [];
  for await (const some of redis.scanStream({ match: 'k:*', count: 7 })) scanned.push(...(some as string[]));
  expect(scanned.sort()).toEqual(keys);
  expect(await redis.ping()).toBe('PONG');
  const sha = (await redis.script('LOAD', 'return KEYS[1]')) as string;
  expect(await Promise.all(keys.map((key) => redis.evalsha(sha, 1, key)))).toEqual(keys);
  expect(await redis.script('EXISTS', sha, 'f'.repeat(40))).toEqual([1, 0]);
  await redis.flushall();
  expect(await redis.dbsize()).toBe(0);
});

test('a lease is over a connection to the owner of the key', async () => {
  const pool = cluster.pool();
  for (const key of ['a', 'b', 'c', 'd', 'e']) {
    expect(
      await pool.use((redis) => redis.watch(key).then(() => redis.multi().incr(key).exec()), { key }),
    ).toHaveLength(1);
  }
  await expect(pool.use((redis) => redis.ping())).rejects.toMatchObject({ code: 'POOL_INVALID_OPTION' });
});

test('close() leaves no connection', async () => {
  const pool = cluster.pool();
  await pool.ready();
  expect(await pool.health()).toMatchObject({ ok: true });
  expect(Object.keys(pool.stats().nodes)).toHaveLength(3);
  await pool.close();
  for (const node of cluster.nodes) expect(await node.clients()).toEqual([]);
});

test('in a pipeline too, a command of several nodes comes after what was given before it, and before the rest', async () => {
  const { redis } = cluster.pool();
  await redis.mset('o1', 0, 'o2', 0);
  const pipeline = redis.pipeline().set('o1', 1).set('o2', 1).mget('o1', 'o2').set('o1', 2).del('o1', 'o2');
  const results = (await pipeline.set('o2', 3).get('o1').get('o2').exec()) ?? [];
  expect(results.map(([, reply]) => reply)).toEqual(['OK', 'OK', ['1', '1'], 'OK', 2, 'OK', null, '3']);
});

test('before any node is known, commands wait in order', async () => {
  for (let round = 0; round < 20; round++) {
    const { redis } = cluster.pool();
    const key = `early:${round}`;
    const sent = Array.from({ length: 800 }, () => redis.pipeline().set('other', 1).incr(key).exec());
    const counts = (await Promise.all(sent)).map((results) => results?.[1]?.[1]);
    expect(counts).toEqual(Array.from({ length: 800 }, (_, i) => i + 1));
  }
});

test.each(['single commands', 'pipelines'])(
  'a wrapped sendCommand may send %s while a pipeline is executed',
  async (what) => {
    const { redis } = cluster.pool();
    await redis.set('{w}n', 0);
    const { sendCommand } = redis;
    const meanwhile: Promise<unknown>[] = [];
    let within = false;
    redis.sendCommand = function (command, stream) {
      if (stream !== undefined && !within) {
        within = true;
        meanwhile.push(what === 'pipelines' ? redis.pipeline().get('w').exec() : redis.get('w'));
        within = false;
      }
      return sendCommand.call(this, command, stream);
    };
    const transaction = await redis.multi().incr('{w}n').incr('{w}n').exec();
    expect(transaction).toEqual([
      [null, 1],
      [null, 2],
    ]);
    const nothing = what === 'pipelines' ? [[null, null]] : null;
    expect(await Promise.all(meanwhile)).toEqual(meanwhile.map(() => nothing));
  },
);
