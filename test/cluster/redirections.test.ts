import { expect, test } from 'vitest';
import { useCluster } from '../helpers/cluster.ts';
import { until } from '../helpers/redis.ts';

const cluster = useCluster();

/** How often the nodes were asked for the topology, by pools. */
async function asked(): Promise<number> {
  let calls = 0;
  for (const node of cluster.nodes) {
    const stats = await node.observer.info('commandstats');
    calls += Number(/cmdstat_cluster\|info:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  }
  return calls;
}

async function slotFor(key: string) {
  const from = await cluster.ownerOf(key);
  const to = (await cluster.masters()).find((one) => one !== from) ?? expect.fail('one master alone');
  const slot = Number(await from.observer.cluster('KEYSLOT', key));
  return { from, to, slot };
}

test('MOVED is followed, and 500 at once are one refresh', async () => {
  const pool = cluster.pool();
  await pool.redis.set('moves', '0');
  const { from, to, slot } = await slotFor('moves');
  await cluster.moveSlot(slot, from, to);
  const before = await asked();
  const all = await Promise.all(Array.from({ length: 500 }, () => pool.redis.incr('moves')));
  expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  expect(pool.stats().errors.POOL_CONNECT_FAILED).toBe(0);
  await until('the nodes agree', async () => (await cluster.ownerOf('moves')) === to);
  await until('the pool has asked', async () => (await asked()) > before);
  await Promise.all(Array.from({ length: 500 }, () => pool.redis.incr('moves')));
  expect((await asked()) - before).toBe(1);
  await cluster.healthy();
});

test('while a slot moves, what has moved already is asked for where it is, over the connections that are there', async () => {
  const pool = cluster.pool();
  await pool.redis.mset('{asked}1', 'a', '{asked}2', 'b');
  const { from, to, slot } = await slotFor('{asked}1');
  await pool.ready();
  const { connected } = pool.stats();
  await cluster.beginMove(slot, from, to);
  const counts = await Promise.all(Array.from({ length: 200 }, () => pool.redis.incr('{asked}n')));
  expect(Math.max(...counts)).toBe(200);
  expect(await pool.redis.get('{asked}1')).toBe('a');
  const results = await pool.redis.multi().set('{asked}m', 1).incr('{asked}m').exec();
  expect(results).toEqual([
    [null, 'OK'],
    [null, 2],
  ]);
  expect(await pool.redis.pipeline().get('{asked}n').get('{asked}2').exec()).toEqual([
    [null, '200'],
    [null, 'b'],
  ]);
  expect(pool.stats().connected - connected).toBeLessThan(4);
  // One of its keys here, one there: neither node can do it until all have moved.
  const both = pool.redis.mget('{asked}1', '{asked}n');
  await cluster.moveKeys(slot, from, to);
  expect(await both).toEqual(['a', '200']);
  await cluster.endMove(slot, from, to);
  expect(await pool.redis.incr('{asked}n')).toBe(201);
  expect(await to.observer.exists('{asked}1', '{asked}2', '{asked}n', '{asked}m')).toBe(4);
  await cluster.healthy();
});

test('a transaction whose slot has moved is sent again as a whole', async () => {
  const pool = cluster.pool();
  await pool.redis.set('{tx}n', '0');
  const { from, to, slot } = await slotFor('{tx}n');
  await cluster.moveSlot(slot, from, to);
  const results = await pool.redis.multi().incr('{tx}n').ping().incr('{tx}n').exec();
  expect(results).toEqual([
    [null, 1],
    [null, 'PONG'],
    [null, 2],
  ]);
  expect(await to.observer.get('{tx}n')).toBe('2');
  await cluster.healthy();
});

test("callers do not notice that a replica takes its master's place", async () => {
  const pool = cluster.pool({ maxActive: 3 });
  const master = await cluster.ownerOf('graceful');
  const replica = await cluster.replicaOf(master);
  let over = false;
  let told = 0;
  const errors: unknown[] = [];
  const callers = Array.from({ length: 20 }, async () => {
    while (!over) {
      await pool.redis.incr('graceful').then(
        (n) => {
          told = Math.max(told, n);
        },
        (error: unknown) => errors.push(error),
      );
    }
  });
  await until('there is traffic', () => told > 200);
  await cluster.failover(replica);
  const then = told;
  await until('there is traffic again', () => told > then + 200);
  over = true;
  await Promise.all(callers);
  expect(errors).toEqual([]);
  expect(Number(await replica.observer.get('graceful'))).toBe(told);
  await until(
    'the old master has no connections any more',
    async () => (await master.clients()).length === 0,
  );
});
