// Trap 11, about connections that are being checked; traps.test.ts begins the list.

import { describe, expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { check, deferred, follow, warm } from '../helpers/outcomes.ts';

describe('11. a connection that is being checked', () => {
  test('is lent to nobody else meanwhile', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2 });
    await warm(pool, 1);
    await redis.clock.advance(5000);
    for (const connection of redis.dials) connection.pingMs = 100;
    const first = pool.acquire();
    const second = await pool.acquire();
    await redis.clock.advance(100);
    expect([(await first).connectionId, second.connectionId]).toEqual([1, 2]);
    check(redis, pool, { dialed: 2, open: 2, inUse: 2 });
  });

  test('is left alone by the reaper', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ idleTimeoutMs: 5500, reapIntervalMs: 100 });
    await warm(pool, 1);
    await redis.clock.advance(5400);
    for (const connection of redis.dials) connection.pingMs = 900;
    const lease = follow(pool.acquire());
    await redis.clock.advance(900);
    expect(lease.is).toBe('done');
    check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
  });

  test('is not lent when it is lost during testOnBorrow, although that passes', async () => {
    const redis = new FakeRedis();
    const verdict = deferred();
    const pool = redis.pool({ testOnBorrow: () => verdict.promise });
    await warm(pool, 1);
    const lease = pool.acquire();
    redis.dials[0]?.die();
    verdict.resolve();
    expect((await lease).connectionId).toBe(2);
    check(redis, pool, { dialed: 2, open: 1, inUse: 1 });
  });

  test('is not lent when clear() made it stale meanwhile', async () => {
    const redis = new FakeRedis();
    const verdict = deferred();
    const pool = redis.pool({ testOnBorrow: () => verdict.promise });
    await warm(pool, 1);
    const lease = pool.acquire();
    pool.clear();
    verdict.resolve();
    expect((await lease).connectionId).toBe(2);
    expect(pool.stats().closed.cleared).toBe(1);
  });

  test('is not taken for one of those in use by its age: held times begin when it is lent', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ checkAfterIdleMs: 0 });
    const held: number[] = [];
    pool.on('release', ({ heldMs }) => held.push(heldMs));
    await warm(pool, 1);
    for (const connection of redis.dials) connection.pingMs = 300;
    const job = pool.use(() => redis.clock.advance(10));
    await redis.clock.advance(300);
    await job;
    expect(held).toEqual([0, 10]);
  });

  test('in the background does not grow younger by it', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ idleTimeoutMs: 20_000, reapIntervalMs: 1000 });
    await warm(pool, 3);
    await redis.clock.advance(15_000);
    for (const connection of redis.dials) connection.pingMs = connection.id === 3 ? Infinity : 500;
    const lease = follow(pool.acquire());
    await redis.clock.advance(1000);
    expect(lease.is).toBe('done');
    expect(pool.stats()).toMatchObject({ inUse: 3, idle: 0 });
    await redis.clock.advance(500);
    expect(pool.stats()).toMatchObject({ inUse: 1, idle: 2 });
    expect(redis.dials.map((one) => one.pings.length)).toEqual([1, 1, 1, 0]);
    await redis.clock.advance(4500);
    // Nobody has used the first two for 21 seconds.
    expect(pool.stats().closed).toMatchObject({ broken: 1, idle: 2 });
  });
});

test('11. callers whose checks fail go back into the line in the order they came', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({
    maxActive: 2,
    maxConnecting: 1,
    testOnBorrow: () => Promise.reject(new Error('no')),
  });
  await warm(pool, 2);
  redis.dialMs = 10;
  const served: string[] = [];
  void pool.acquire().then(() => served.push('first'));
  void pool.acquire().then(() => served.push('second'));
  await redis.clock.advance(100);
  expect(served).toEqual(['first', 'second']);
});

test('11. a connection that dies while ready() holds it is not put to rest', async () => {
  const redis = new FakeRedis();
  redis.dial = 'hangs';
  const pool = redis.pool({ minIdle: 2 });
  const ready = pool.ready();
  await settled();
  redis.dials[0]?.succeed();
  await settled();
  redis.dials[0]?.die();
  redis.dial = 'succeeds';
  redis.dials[1]?.succeed();
  await ready;
  await settled();
  check(redis, pool, { dialed: 3, open: 2, inUse: 0 });
  expect(pool.stats().closed.broken).toBe(1);
});
