import type { RedisOptions } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import type { Pool, PoolOptions } from '../../src/index.ts';
import { causeOf, poolErrorOf, type TestServer, testPool, until } from '../helpers/redis.ts';
import { GROUP, incr, Load, type TestSentinel, useTrio } from '../helpers/sentinels.ts';

const trio = useTrio();

function poolOf(more: PoolOptions = {}, redis: RedisOptions = {}): Pool {
  return testPool({ redis: trio.redis(redis), acquireTimeoutMs: 20_000, ...more });
}

function load(...given: ConstructorParameters<typeof Load>): Load {
  const made = new Load(...given);
  onTestFinished(() => made.stop());
  return made;
}

/** Whatever a test has done, the next one finds all at rest. */
function healAfterwards(): void {
  onTestFinished(() => trio.settle());
}

const askFailover = (): Promise<unknown> | undefined =>
  trio.sentinels[0]?.asker.call('sentinel', 'failover', GROUP);

/** How many connections of pools the node has. */
const connections = async (node: TestServer, name = 'redis-pool'): Promise<number> =>
  (await node.clients(name)).length;

/** Which of the sentinels a pool hears. */
async function heardBy(name: string): Promise<TestSentinel> {
  return until('a sentinel is heard', async () => {
    for (const one of trio.sentinels) if ((await one.clients(name)) > 0) return one;
    return false;
  });
}

test('a pool hears failovers over one socket, to one of the sentinels, which close() ends', async () => {
  const pool = poolOf({ name: 'watching' });
  expect(pool.stats().sentinelConnections).toBe(0);
  await pool.redis.set('k', 'v');
  await heardBy('watching');
  expect(pool.stats()).toMatchObject({ sentinelConnections: 1, total: 1 });
  const sockets = async (): Promise<number> => {
    const all = await Promise.all(trio.sentinels.map((one) => one.clients('watching')));
    return all.reduce((sum, n) => sum + n, 0);
  };
  expect(await sockets()).toBe(1);
  await pool.close();
  expect(pool.stats()).toMatchObject({ sentinelConnections: 0, total: 0 });
  await until('the sentinels know it', async () => (await sockets()) === 0);
});

test('a managed failover heals by itself, and what is acknowledged after it is found', async () => {
  healAfterwards();
  const pool = poolOf();
  const callers = load(pool, incr);
  await callers.back(0);
  const old = trio.master;
  const since = performance.now();
  await askFailover();
  const { at, port } = await trio.untilSwitched(since);
  await until('nobody is left at the old master', async () => (await connections(old)) === 0);
  await callers.back(at);
  // From now on all that is acknowledged is written at the new one.
  const fresh = load(pool, (_, door) =>
    door === 'redis' ? pool.redis.incr('fresh') : pool.use((lease) => lease.incr('fresh')),
  );
  await fresh.back(performance.now());
  await Promise.all([fresh.stop(), callers.stop()]);
  const { redis, use } = fresh.acknowledged;
  expect(Number(await trio.node(port).observer.get('fresh'))).toBe(redis + use);
  expect(callers.counts).not.toHaveProperty('POOL_ACQUIRE_TIMEOUT');
  expect(Object.keys(callers.counts).filter((code) => code.includes('READONLY'))).toEqual([]);
  expect(pool.stats().closed.stale).toBeGreaterThan(0);
});

test('SIGKILL of the master: both doors are back in a moment after the word of the sentinels', async () => {
  healAfterwards();
  const pool = poolOf();
  const callers = load(pool, incr);
  await callers.back(0);
  const since = performance.now();
  const old = trio.master;
  await old.kill();
  onTestFinished(() => old.start());
  const { at } = await trio.untilSwitched(since);
  expect((await callers.back(at)) - at).toBeLessThan(5000);
});

test('a master that is frozen: who waits there is let go as soon as there is another, at both doors', async () => {
  healAfterwards();
  const pool = poolOf({ replyTimeoutMs: 60_000 });
  const reader = poolOf({ replyTimeoutMs: 60_000 });
  await reader.redis.get('none');
  const callers = load(pool, incr, 24); // more than there are places
  const blocked = pool.acquire();
  await callers.back(0);
  const blpop = blocked.then((lease) => lease.blpop('none', 0).finally(() => lease.release()));
  const losing = poolErrorOf(blpop, 'POOL_CONNECTION_LOST');
  const since = performance.now();
  trio.master.freeze();
  const read = reader.redis.get('none');
  const { at } = await trio.untilSwitched(since);
  const lost = await losing;
  expect(String(lost.cause)).toMatch(/Redis has moved: a sentinel names 127\.0\.0\.1:\d+ as the master/);
  expect((await callers.back(at)) - at).toBeLessThan(5000);
  expect(await read).toBeNull(); // it only reads, and was sent once more
  await until('all is new', () => pool.stats().closed.stale > 0 && pool.stats().closing === 0);
});

test('a switch that the sentinel it hears did not tell, for it was mute, is heard from another', async () => {
  healAfterwards();
  const pool = poolOf({ name: 'deaf' });
  await pool.redis.set('k', 'v');
  const old = trio.master;
  const mute = await heardBy('deaf');
  mute.freeze();
  const since = performance.now();
  await trio.sentinels.find((one) => one !== mute)?.asker.call('sentinel', 'failover', GROUP);
  await trio.untilSwitched(since);
  await until('it has left the old master', async () => (await connections(old, 'deaf')) === 0);
  expect(pool.stats().sentinelConnections).toBeLessThanOrEqual(1);
  expect(await pool.redis.set('k', 'w')).toBe('OK');
});

test("role 'slave': a replica that is promoted is left for one that is a replica still", async () => {
  healAfterwards();
  const pool = poolOf({ maxActive: 4 }, { role: 'slave' });
  const read = (_: Pool, door: 'redis' | 'use'): Promise<unknown> =>
    door === 'redis' ? pool.redis.get('k') : pool.use((lease) => lease.get('k'));
  const callers = load(pool, read);
  await callers.back(0);
  const since = performance.now();
  await askFailover();
  const { port } = await trio.untilSwitched(since);
  await until('nobody reads at the new master', async () => (await connections(trio.node(port))) === 0);
  await callers.back(performance.now());
  // A server that changes its role closes its connections, and for a moment sentinels still name it as what it was.
  const why =
    /ECONNRESET|the server closed the connection|a sentinel named 127\.0\.0\.1:\d+ as the slave, but that is a master/;
  for (const { error } of callers.errors) expect(String((error as Error).cause)).toMatch(why);
});

test("role 'slave': a replica that is frozen is left when the sentinels take it for down", async () => {
  healAfterwards();
  const pool = poolOf({ maxActive: 1, replyTimeoutMs: 60_000 }, { role: 'slave' });
  await pool.redis.get('none');
  const [used] = await Promise.all(
    trio.replicas.map(async (one) => ({ one, n: await connections(one) })),
  ).then((all) => all.filter(({ n }) => n > 0));
  used?.one.freeze();
  expect(await pool.redis.get('k')).not.toBe(undefined);
  expect(pool.stats()).toMatchObject({ closed: { stale: 1 } });
});

test.each<[what: string, redis: RedisOptions, reason: RegExp]>([
  ['a name that no sentinel knows', { name: 'nosuch' }, /sentinel 127\.0\.0\.1:\d+ knows no master 'nosuch'/],
  ['no password, where sentinels ask for one', { sentinelPassword: null as never }, /NOAUTH/],
  ['a wrong password of sentinels', { sentinelPassword: 'wrong-one' }, /WRONGPASS|NOAUTH/],
])('%s is told as that, by the sentinel, and without a secret', async (_, redis, reason) => {
  const cause = await causeOf({ redis: trio.redis(redis) });
  expect(cause.message).toMatch(reason);
  for (const { port } of trio.sentinels) expect(cause.message).toContain(`sentinel 127.0.0.1:${port} `);
  expect(cause.message).not.toMatch(/wrong-one|the server closed/);
});
