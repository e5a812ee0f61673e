// Traps 14 and 15, about time and connections at rest; traps.test.ts begins the list.

import { describe, expect, test, vi } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { check, errorOf, follow, take, times, warm } from '../helpers/outcomes.ts';

describe('14. clocks and timers', () => {
  test('everybody takes their timers along: a pool at rest waits for nothing, a closed one has none', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 10;
    const pool = redis.pool({
      maxActive: 2,
      outageWaitMs: 0,
      leakThresholdMs: 60_000,
      testOnBorrow: () => {},
    });
    const leases = take(pool, 2);
    const late = follow(pool.acquire({ timeoutMs: 5 }));
    const caller = new AbortController();
    const aborted = follow(pool.acquire({ signal: caller.signal }));
    await redis.clock.advance(10);
    caller.abort(new Error('gave up'));
    await settled();
    expect([late.is, aborted.is]).toEqual(['POOL_ACQUIRE_TIMEOUT', 'gave up']);
    const [a, b] = await leases;
    await a?.watch('k');
    a?.release();
    b?.destroy();
    await redis.clock.advance(6000);
    await pool.use(() => {}); // checked
    redis.dials[0]?.die();
    redis.dial = 'fails';
    const failed = errorOf(pool.acquire());
    await redis.clock.advance(10);
    expect(await failed).toMatchObject({ code: 'POOL_CONNECT_FAILED' });
    expect(redis.clock.timers('waited')).toBe(0);
    await redis.clock.advance(60_000);
    expect(redis.clock.timers()).toBe(0); // nothing rests, so there is nothing to reap
    await pool.close();
    expect(redis.clock.timers()).toBe(0);
  });

  test('a caller that waits for the next allowed dial keeps the process alive', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2, acquireTimeoutMs: Infinity });
    await pool.acquire();
    redis.dial = 'fails';
    await errorOf(pool.acquire());
    const waiting = follow(pool.acquire());
    await settled();
    expect(waiting.is).toBe('pending');
    expect(redis.clock.timers('waited')).toBe(1);
  });

  test('a dial that only minIdle wants does not keep the process alive', async () => {
    const redis = new FakeRedis();
    redis.dial = 'fails';
    redis.pool({ minIdle: 1 });
    await settled();
    expect([redis.clock.timers(), redis.clock.timers('waited')]).toEqual([1, 0]);
  });

  test('the time of day does not matter', async () => {
    let year = 2000;
    const wall = vi.spyOn(Date, 'now').mockImplementation(() => Date.UTC(year));
    const redis = new FakeRedis();
    const pool = redis.pool({ leakThresholdMs: 60_000 });
    await warm(pool, 2);
    year = 2099;
    await redis.clock.advance(4999);
    await pool.use(() => {});
    check(redis, pool, { dialed: 2, open: 2, inUse: 0 });
    const late = follow(take(pool, 11));
    year = 1970;
    await redis.clock.advance(4999);
    expect(late.is).toBe('pending');
    await redis.clock.advance(1);
    expect(late.is).toBe('POOL_ACQUIRE_TIMEOUT');
    expect(pool.stats()).toMatchObject({ leaked: 0, waitMs: 5000 });
    wall.mockRestore();
  });

  test('after an hour of suspension no old connection is lent, and the queue is served', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2, acquireTimeoutMs: Infinity });
    await warm(pool, 2);
    redis.clock.leap(3_600_000);
    const leases = times(2, () => follow(pool.acquire()));
    await settled();
    expect(leases.map((one) => one.is)).toEqual(['done', 'done']);
    check(redis, pool, { dialed: 4, open: 2, inUse: 2 });
  });

  test('connections dialled together do not expire together', async () => {
    const redis = new FakeRedis();
    const chances = [0, 0.5, 1];
    const random = () => chances.shift() ?? 0;
    const pool = redis.pool(
      { maxLifetimeMs: 100_000, idleTimeoutMs: Infinity, reapIntervalMs: 1000 },
      { random },
    );
    await warm(pool, 3);
    const open: number[] = [];
    for (const ms of [89_999, 1, 4999, 1, 4999, 1]) {
      await redis.clock.advance(ms);
      open.push(redis.open);
    }
    expect(open).toEqual([3, 2, 2, 1, 1, 0]);
  });
});

describe('15. the reaper', () => {
  test('closes what was idle for too long without any traffic, and does not refresh their idle time', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ idleTimeoutMs: 1000, reapIntervalMs: 100 });
    await warm(pool, 3);
    await redis.clock.advance(1000);
    check(redis, pool, { dialed: 3, open: 3, inUse: 0 });
    await redis.clock.advance(100);
    check(redis, pool, { dialed: 3, open: 0, inUse: 0 });
    expect(pool.stats().closed.idle).toBe(3);
    await redis.clock.advance(100);
    expect(redis.clock.timers()).toBe(0); // it rests as well
  });

  test('leaves those alone that are in use by the load there is', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ idleTimeoutMs: 1000, reapIntervalMs: 100 });
    await warm(pool, 3);
    for (let i = 0; i < 20; i++) {
      await redis.clock.advance(100);
      await pool.use(() => {});
    }
    check(redis, pool, { dialed: 3, open: 1, inUse: 0 });
  });

  test('stops at minIdle, and closes and dials nothing in rounds', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ minIdle: 2, maxLifetimeMs: Infinity });
    await warm(pool, 5);
    await redis.clock.advance(600_000);
    const { length } = redis.dials;
    expect(pool.stats()).toMatchObject({ idle: 2, total: 2 });
    await redis.clock.advance(600_000);
    check(redis, pool, { dialed: length, open: 2, inUse: 0 });
  });

  test('ends lives below minIdle too, and has others begin', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ minIdle: 2, maxLifetimeMs: 60_000 });
    await settled();
    await redis.clock.advance(59_999);
    check(redis, pool, { dialed: 2, open: 2, inUse: 0 });
    await redis.clock.advance(1);
    check(redis, pool, { dialed: 4, open: 2, inUse: 0 });
    expect(pool.stats().closed).toMatchObject({ lifetime: 2, idle: 0 });
  });

  test('survives any exception, and reports it', async () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const redis = new FakeRedis();
    const pool = redis.pool({ idleTimeoutMs: 1000, reapIntervalMs: 100 });
    await warm(pool, 1);
    redis.clock.now = () => {
      throw new Error('no time');
    };
    await redis.clock.advance(100);
    Reflect.deleteProperty(redis.clock, 'now');
    expect(warning).toHaveBeenCalledTimes(1);
    expect(String(warning.mock.calls[0]?.[0])).toContain('no time');
    await redis.clock.advance(1000);
    check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
    warning.mockRestore();
  });

  test('does not wait for the sockets it closes', async () => {
    const redis = new FakeRedis();
    redis.closeMs = 60_000;
    const pool = redis.pool({ maxActive: 3, idleTimeoutMs: 1000, reapIntervalMs: 100 });
    await warm(pool, 2);
    await redis.clock.advance(1100);
    expect(pool.stats()).toMatchObject({ closing: 2, idle: 0 });
    const lease = follow(pool.acquire());
    await settled();
    expect(lease.is).toBe('done');
  });

  test.each(['the reaper', 'clear()'])(
    'a listener that borrows when %s closes a connection disturbs nothing',
    async (how) => {
      const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
      const redis = new FakeRedis();
      const pool = redis.pool({ maxLifetimeMs: 5000, reapIntervalMs: 5000, checkAfterIdleMs: Infinity });
      await warm(pool, 3);
      const borrowed: unknown[] = [];
      pool.once('close', () => borrowed.push(follow(pool.acquire())));
      if (how === 'clear()') expect(() => pool.clear()).not.toThrow();
      else await redis.clock.advance(5000);
      await settled();
      expect(borrowed).toMatchObject([{ is: 'done' }]);
      check(redis, pool, { dialed: 4, open: 1, inUse: 1 });
      expect(warning).not.toHaveBeenCalled();
      warning.mockRestore();
    },
  );
});
