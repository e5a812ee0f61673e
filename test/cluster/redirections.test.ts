import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/util/clock.ts';
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

test('callers do not notice that a master is killed, but for commands that were under way', async () => {
  const pool = cluster.pool({ maxActive: 3 });
  const master = await cluster.ownerOf('killed');
  let over = false;
  let done = 0;
  const errors: { code: string }[] = [];
  const callers = Array.from({ length: 20 }, async () => {
    while (!over) {
      await pool.redis.set('killed', 'x').then(
        () => done++,
        (error) => errors.push(error),
      );
    }
  });
  await until('there is traffic', () => done > 200);
  await master.kill();
  const then = done;
  await until('there is traffic again', () => done > then + 200);
  over = true;
  await Promise.all(callers);
  expect(errors.length).toBeLessThanOrEqual(20);
  expect(new Set(errors.map(({ code }) => code))).toEqual(
    new Set(errors.length > 0 ? ['POOL_CONNECTION_LOST'] : []),
  );
  await cluster.heal();
});

test('a master that freezes is noticed though its connections stay', async () => {
  const pool = cluster.pool({ maxActive: 3 });
  await pool.redis.set('frozen', '1');
  const master = await cluster.ownerOf('frozen');
  master.freeze();
  const stuck = Promise.allSettled([pool.redis.get('frozen')]);
  await until('somebody else has its keys', () =>
    pool.redis.set('frozen', '2').then(
      () => true,
      () => false,
    ),
  );
  expect(await stuck).toMatchObject([{ status: 'fulfilled' }]);
  await cluster.heal();
});

/** A clock that goes on with its timers, however late these are, and stops short of what happens each ten seconds. */
function shortClock(): Clock {
  let now = 0;
  const after: Clock['after'] = (ms, run, background) => {
    const due = Math.min(now + ms, 9000);
    const ring = (): void => {
      now = Math.max(now, due);
      run();
    };
    return systemClock.after(ms, ring, background);
  };
  return { ...systemClock, after, now: () => now };
}

test('a master that freezes is noticed while leases have all its connections', async () => {
  const pool = cluster.pool({ maxActive: 2 }, shortClock());
  await pool.redis.set('lent', '1');
  const master = await cluster.ownerOf('lent');
  const held = await Promise.all([pool.acquire({ key: 'lent' }), pool.acquire({ key: 'lent' })]);
  master.freeze();
  const next = pool.use((lease) => lease.set('lent', '2'), { key: 'lent', timeoutMs: 50_000 });
  expect(await next).toBe('OK');
  for (const lease of held) lease.release();
  await cluster.heal();
});

test('a master that freezes is noticed by a command of a lease, or one that has a connection of its own', async () => {
  const pool = cluster.pool({}, shortClock());
  await pool.redis.set('alone', '1');
  const lease = await pool.acquire({ key: 'alone' });
  (await cluster.ownerOf('alone')).freeze();
  expect(await lease.get('alone')).toBe('1');
  lease.release();
  await cluster.heal();
  (await cluster.ownerOf('alone')).freeze();
  await expect(pool.redis.call('no.such', 'alone')).rejects.toMatchObject({ code: 'POOL_CONNECTION_LOST' });
  await cluster.heal();
});
