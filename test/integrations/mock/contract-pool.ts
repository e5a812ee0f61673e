import { expect, test } from 'vitest';
import type { RedisPool } from '../../../src/api/redis-pool.ts';
import { expectBalanced, poolErrorOf } from '../../helpers/redis.ts';
import type { World } from './contract.ts';

/** What pool.redis does. */
export function multiplexed(makeWorld: () => World): void {
  test('pool.redis sends ordinary commands over few connections, in order', async () => {
    const { redis, stats } = bound(makeWorld().pool({ maxActive: 4 }));
    const sent = Array.from({ length: 200 }, () => redis.incr('n'));
    expect(await Promise.all(sent)).toEqual(sent.map((_, i) => i + 1));
    expect(await redis.mget('n', 'none')).toEqual(['200', null]);
    expect(await redis.pipeline().hset('h', 'f', 'v').hgetall('h').exec()).toEqual([
      [null, 1],
      [null, { f: 'v' }],
    ]);
    expect(stats().connected).toBeLessThan(4);
  });

  test("pool.redis is an instance of ioredis' client", async () => {
    const { redis } = makeWorld().pool();
    expect(redis.status).toBe('ready');
    const called = new Promise((resolve) => redis.set('k', 'v', (error, reply) => resolve([error, reply])));
    expect(await called).toEqual([null, 'OK']);
    expect(await redis.call('get', 'k')).toBe('v');
    await redis.mset('page:1', 1, 'page:2', 2, 'other', 3);
    const found: string[] = [];
    for await (const keys of redis.scanStream({ match: 'page:*' })) found.push(...keys);
    expect(found.sort()).toEqual(['page:1', 'page:2']);
  });

  test('what belongs to one connection is refused on pool.redis', async () => {
    const { redis } = makeWorld().pool();
    for (const refused of [redis.watch('k'), redis.select(1), redis.subscribe('news')]) {
      expect((await poolErrorOf(refused, 'POOL_STATEFUL_COMMAND')).message).toContain('pool.use()');
    }
  });

  test('a blocking command uses a dedicated connection, and others go on', async () => {
    const { redis } = makeWorld().pool({ maxActive: 2 });
    const job = redis.blpop('jobs', 0);
    expect(await redis.set('k', 'v')).toBe('OK');
    await redis.rpush('jobs', 'first');
    expect(await job).toEqual(['jobs', 'first']);
  });

  test('when all connections are lent, pool.redis waits in the same line', async () => {
    const world = makeWorld();
    const pool = world.pool({ maxActive: 1, acquireTimeoutMs: 40 });
    const lease = await pool.acquire();
    await poolErrorOf(world.during(pool.redis.get('k')), 'POOL_ACQUIRE_TIMEOUT');
    const served = pool.redis.get('k');
    lease.release();
    expect(await served).toBeNull();
  });
}

function bound(pool: RedisPool): { redis: RedisPool['redis']; stats: RedisPool['stats'] } {
  return { redis: pool.redis, stats: () => pool.stats() };
}

/** What the pool does by itself. */
export function upkeep(makeWorld: () => World): void {
  test('ready() dials minIdle', async () => {
    const pool = makeWorld().pool({ maxActive: 4, minIdle: 2 });
    await pool.ready();
    expect(pool.stats()).toMatchObject({ idle: 2, total: 2 });
  });

  test('idle connections go when their time is over', async () => {
    const world = makeWorld();
    const pool = world.pool({ idleTimeoutMs: 20, reapIntervalMs: 5 });
    await pool.use(() => {});
    await world.until('it is reaped', () => pool.stats().total === 0);
    expect(pool.stats().closed).toMatchObject({ idle: 1 });
  });

  test('an old connection is closed, however busy it was', async () => {
    const world = makeWorld();
    const pool = world.pool({ maxLifetimeMs: 20, reapIntervalMs: 5 });
    await pool.use(() => {});
    await world.until('it is closed', () => pool.stats().total === 0);
    expect(pool.stats().closed).toMatchObject({ lifetime: 1 });
  });

  test('clear() closes idle connections now, and lent ones when they come back', async () => {
    const world = makeWorld();
    const pool = world.pool();
    const [lent, idle] = await Promise.all([pool.acquire(), pool.acquire()]);
    idle.release();
    pool.clear();
    expect(await lent.ping()).toBe('PONG');
    lent.release();
    await world.until('both are closed', () => pool.stats().total === 0);
    expect(pool.stats().closed).toMatchObject({ cleared: 2 });
  });

  test('a lease that is held for too long is reported, with the stack that acquired it', async () => {
    const world = makeWorld();
    const pool = world.pool({ leakThresholdMs: 20 });
    const stacks: string[] = [];
    pool.on('leak', ({ stack }) => stacks.push(stack));
    await pool.acquire();
    await world.until('it is reported', () => stacks.length > 0);
    expect(stacks[0]).toMatch(/contract-pool\.ts/);
    expect(pool.stats().leaked).toBe(1);
  });
}

/** What the pool tells. */
export function events(makeWorld: () => World): void {
  test('events report the life of a connection, in order, with the numbers of that moment', async () => {
    const world = makeWorld();
    const told: string[] = [];
    const tell = (name: string) => (event: { connectionId?: number; stats: { total: number } }) =>
      told.push(`${name} ${event.connectionId ?? '-'} of ${event.stats.total}`);
    const pool = world.pool({ maxActive: 1, hooks: { connecting: tell('connecting') } });
    pool.on('connect', tell('connect')).on('acquire', tell('acquire')).on('wait', tell('wait'));
    pool.on('release', tell('release')).on('close', tell('close')).once('drain', tell('drain'));
    const lease = await pool.acquire();
    const second = pool.use(() => {});
    lease.release();
    await second;
    await pool.close();
    expect(told).toEqual([
      ...['connecting 1 of 1', 'connect 1 of 1', 'acquire 1 of 1', 'wait - of 1', 'release 1 of 1'],
      ...['acquire 1 of 1', 'release 1 of 1', 'close 1 of 1', 'drain - of 0'],
    ]);
  });

  test('a listener that was removed is not called', async () => {
    const pool = makeWorld().pool();
    let heard = 0;
    const listener = (): void => void heard++;
    pool.on('acquire', listener);
    await pool.use(() => {});
    pool.off('acquire', listener);
    await pool.use(() => {});
    expect(heard).toBe(1);
  });

  test('stats() is a frozen snapshot in which every connection is accounted for', async () => {
    const pool = makeWorld().pool();
    const before = pool.stats();
    const lease = await pool.acquire();
    await pool.redis.ping();
    expect(before).toMatchObject({ total: 0, acquired: 0 });
    expect(Object.isFrozen(before)).toBe(true);
    expectBalanced(pool.stats());
    lease.release();
    expect(pool.stats()).toMatchObject({ acquired: 1, inUse: 0, idle: 2 });
  });
}

/** How it ends. */
export function closing(makeWorld: () => World): void {
  test('close() refuses what is new and who waits, lets leases finish, and ends with nothing left', async () => {
    const pool = makeWorld().pool({ maxActive: 1 });
    const lease = await pool.acquire();
    const waits = poolErrorOf(pool.acquire(), 'POOL_CLOSED');
    const closed = pool.close();
    await waits;
    await poolErrorOf(pool.acquire(), 'POOL_CLOSED');
    expect(await lease.ping()).toBe('PONG');
    lease.release();
    await closed;
    await pool.close();
    expect(pool.stats()).toMatchObject({ total: 0, closed: { poolClosed: 1 } });
  });

  test('close() cuts leases when its grace is over', async () => {
    const world = makeWorld();
    const pool = world.pool();
    const lease = await pool.acquire();
    const blocked = poolErrorOf(lease.blpop('never', 0), 'POOL_CONNECTION_LOST');
    await world.during(pool.close({ graceMs: 20 }));
    await blocked;
    expect(pool.stats().total).toBe(0);
  });

  test('await using closes the pool', async () => {
    const pool = makeWorld().pool();
    {
      await using scoped = pool;
      await scoped.use((lease) => lease.ping());
    }
    expect(pool.stats().total).toBe(0);
  });
}
