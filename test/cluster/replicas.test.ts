import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import type { ClusterPool } from '../../src/cluster/index.ts';
import { type ClusterNode, useCluster } from '../helpers/cluster.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { until } from '../helpers/redis.ts';

const cluster = useCluster();

/** How often `node` was asked for a GET. */
async function gets(node: ClusterNode): Promise<number> {
  const stats = await node.observer.info('commandstats');
  return Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

/** A node tells of a replica when it knows how much that has. */
beforeAll(async () => {
  for (const node of cluster.nodes) await node.observer.flushall().catch(() => {}); // a replica refuses
  await until('all tell of replicas', async () => {
    const told = await Promise.all(cluster.nodes.map((node) => node.observer.cluster('SLOTS')));
    return told.flat().every((range) => (range as unknown[]).length > 3);
  });
});

test('what only reads goes to replicas, all else to masters', async () => {
  const pool = cluster.pool({ replicas: 'prefer', maxActive: 2 });
  await pool.redis.set('read', '1');
  const master = await cluster.ownerOf('read');
  const replica = await cluster.replicaOf(master);
  await until('the replica has it', async () => (await replica.observer.call('DBSIZE')) !== 0);
  const before = [await gets(master), await gets(replica)] as const;
  for (let i = 0; i < 20; i++) expect(await pool.redis.get('read')).toBe('1');
  expect(await pool.redis.pipeline().get('read').get('read').exec()).toEqual([
    [null, '1'],
    [null, '1'],
  ]);
  expect([await gets(master), await gets(replica)]).toEqual([before[0], before[1] + 22]);
  expect(await pool.redis.multi().get('read').incr('read').exec()).toEqual([
    [null, '1'],
    [null, 2],
  ]);
  expect((await replica.clients()).length).toBeLessThanOrEqual(2);
  expect(Object.keys(pool.stats().nodes)).toContain(replica.address);
});

test('without a replica the master is read, unless that is not wanted', async () => {
  const prefers = cluster.pool({ replicas: 'prefer' });
  const insists = cluster.pool({ replicas: 'only', acquireTimeoutMs: 500 });
  await prefers.redis.set('alone', '1');
  await insists.ready();
  const replica = await cluster.replicaOf(await cluster.ownerOf('alone'));
  await replica.kill();
  expect(await prefers.redis.get('alone')).toBe('1');
  await expect(insists.redis.get('alone')).rejects.toMatchObject({
    code: 'POOL_ACQUIRE_TIMEOUT',
    cause: { code: 'POOL_CONNECT_FAILED' },
  });
  expect(await insists.redis.set('alone', '2')).toBe('OK');
  await cluster.heal();
  await until('the replica is read again', () =>
    insists.redis.get('alone').then(
      (one) => one === '2',
      () => false,
    ),
  );
});

test('a replica that freezes gets no more, though the cluster has not noticed yet', async () => {
  const patient = { connectTimeoutMs: 240_000, replyTimeoutMs: 240_000 };
  const prefers = cluster.pool({ replicas: 'prefer', ...patient }, fastClock(4));
  const insists = cluster.pool({ replicas: 'only', ...patient, acquireTimeoutMs: 300 }, fastClock(4));
  await prefers.redis.set('stuck', '1');
  const replica = await cluster.replicaOf(await cluster.ownerOf('stuck'));
  const both = [prefers, insists].map(({ redis }) => redis.get('stuck'));
  await Promise.all(both);
  const patience = (ms: number) =>
    Promise.all(cluster.nodes.map(({ observer }) => observer.config('SET', 'cluster-node-timeout', ms)));
  await patience(60_000);
  replica.freeze();
  const stuck = [prefers, insists].map(({ redis }) => redis.get('stuck'));
  // What was sent before it was noticed waits for its reply.
  const ask = (pool: ClusterPool, patienceMs: number): Promise<unknown> =>
    Promise.race([pool.redis.get('stuck').catch(({ code }) => code), sleep(patienceMs)]);
  await until('the master is read', async () => (await ask(prefers, 20)) === '1');
  await until('who insists is told', async () => (await ask(insists, 1000)) === 'POOL_ACQUIRE_TIMEOUT');
  replica.thaw();
  expect(await Promise.all(stuck)).toEqual(['1', '1']);
  await until('the replica is read again', async () => (await ask(insists, 1000)) === '1');
  await patience(1000);
  await cluster.heal();
});

test("a replica that takes its master's place is written to", async () => {
  const pool = cluster.pool({ replicas: 'prefer' });
  await pool.redis.set('swap', '0');
  const replica = await cluster.replicaOf(await cluster.ownerOf('swap'));
  await pool.redis.get('swap');
  await cluster.failover(replica);
  expect(await pool.redis.incr('swap')).toBe(1);
  await until('it is read', () => pool.redis.get('swap').then((one) => one === '1'));
  expect(() => cluster.pool({ replicas: 'always' as never })).toThrow(/replicas must be/);
});
