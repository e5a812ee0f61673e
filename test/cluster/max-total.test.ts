import { expect, test } from 'vitest';
import { type ClusterNode, useCluster } from '../helpers/cluster.ts';
import { until } from '../helpers/redis.ts';

const cluster = useCluster();

/** A key of each master. */
async function keys(): Promise<string[]> {
  const found = new Map<ClusterNode, string>();
  const masters = await cluster.masters();
  for (let i = 0; found.size < masters.length; i++) {
    const owner = await cluster.ownerOf(`total:${i}`);
    if (!found.has(owner)) found.set(owner, `total:${i}`);
  }
  return [...found.values()];
}

/** How many connections the nodes have at the same moment, as nearly as that can be seen. */
async function connections(): Promise<number> {
  const all = await Promise.all(cluster.nodes.map((node) => node.clients()));
  return all.flat().length;
}

test('what is idle at one node is closed for who waits for another', async () => {
  const pool = cluster.pool({ maxTotal: 3, maxActive: 3 });
  const [a, b, c] = (await keys()) as [string, string, string];
  for (const key of [a, b, c, a]) {
    const leases = await Promise.all([1, 2, 3].map(() => pool.acquire({ key, timeoutMs: 10_000 })));
    await Promise.all(leases.map((lease) => lease.set(key, '1')));
    expect(pool.stats()).toMatchObject({ inUse: 3, total: 3, maxActive: 3 });
    expect(await connections()).toBe(3);
    for (const lease of leases) lease.release();
  }
});

test('with all in use nobody gets one more, and whoever waits gets the first that comes back', async () => {
  const pool = cluster.pool({ maxTotal: 2, maxActive: 2 });
  const [a, b] = (await keys()) as [string, string];
  const [first, second] = await Promise.all([pool.acquire({ key: a }), pool.acquire({ key: a })]);
  await expect(pool.acquire({ key: b, timeoutMs: 30 })).rejects.toMatchObject({
    code: 'POOL_ACQUIRE_TIMEOUT',
  });
  const waits = pool.acquire({ key: b });
  first?.release();
  const got = await waits;
  expect(await got.set(b, '1')).toBe('OK');
  expect(pool.stats()).toMatchObject({ inUse: 2, total: 2 });
  got.release();
  second?.release();
});

test('under load at all nodes the bound holds, and nobody starves', async () => {
  const pool = cluster.pool({ maxTotal: 4, maxActive: 3 });
  const all = await keys();
  let over = false;
  const most: number[] = [];
  const done = new Map(all.map((key) => [key, 0]));
  const callers = all.flatMap((key) =>
    Array.from({ length: 20 }, async (_, i) => {
      while (!over) {
        if (i % 4 === 0) await pool.use((lease) => lease.incr(key), { key });
        else await pool.redis.incr(key);
        done.set(key, (done.get(key) ?? 0) + 1);
      }
    }),
  );
  while ([...done.values()].some((count) => count < 500)) {
    most.push(pool.stats().total);
    expect(await connections()).toBeLessThanOrEqual(4);
  }
  over = true;
  await Promise.all(callers);
  expect(Math.max(...most)).toBeLessThanOrEqual(4);
  expect(pool.stats().errors).toMatchObject({ POOL_ACQUIRE_TIMEOUT: 0, POOL_EXHAUSTED: 0 });
});

test('callers of one node whose commands never end leave its only connection to whoever asks another one', async () => {
  const pool = cluster.pool({ maxTotal: 1, maxActive: 3 });
  const [a, b] = (await keys()) as [string, string];
  let over = false;
  let count = 0;
  const callers = Array.from({ length: 300 }, async () => {
    while (!over) {
      await pool.redis.incr(a);
      count++;
    }
  });
  for (let i = 0; i < 20; i++) {
    const before = count;
    expect(await pool.redis.set(b, '1')).toBe('OK');
    await until('the others go on', () => count > before + 1000);
  }
  over = true;
  await Promise.all(callers);
  expect(pool.stats().errors).toMatchObject({ POOL_ACQUIRE_TIMEOUT: 0, POOL_EXHAUSTED: 0 });
});

test('with less than there are masters all is done all the same, in turn', async () => {
  const pool = cluster.pool({ maxTotal: 1, maxActive: 3 });
  const all = await keys();
  await Promise.all(all.map((key) => pool.redis.set(key, key)));
  expect(await pool.redis.mget(all)).toEqual(all);
  expect(await connections()).toBe(1);
  expect(() => cluster.pool({ maxTotal: 0 })).toThrow(/maxTotal must be an integer of at least 1, got 0/);
});
