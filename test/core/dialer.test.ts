// Traps 6 to 10, about dials; traps.test.ts begins the list.

import { describe, expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { check, errorOf, follow, take, times } from '../helpers/outcomes.ts';

describe('6. a dial that fails while others wait', () => {
  test('rejects only the first in the queue while a connection is open, and the next dial is for the next', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2 });
    const held = await pool.acquire();
    redis.dial = 'fails';
    const waiting = times(3, () => follow(pool.use(() => {})));
    const now = () => waiting.map((one) => one.is);
    await settled();
    expect(now()).toEqual(['POOL_CONNECT_FAILED', 'pending', 'pending']);
    await redis.clock.advance(50);
    expect(now()).toEqual(['POOL_CONNECT_FAILED', 'POOL_CONNECT_FAILED', 'pending']);
    await redis.clock.advance(99);
    expect(now()).toEqual(['POOL_CONNECT_FAILED', 'POOL_CONNECT_FAILED', 'pending']);
    redis.dial = 'succeeds';
    await redis.clock.advance(1);
    expect(now()).toEqual(['POOL_CONNECT_FAILED', 'POOL_CONNECT_FAILED', 'done']);
    check(redis, pool, { dialed: 4, open: 2, inUse: 1 });
    held.release();
  });

  test('does not keep the queue from a connection that is released', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2 });
    const held = await pool.acquire();
    redis.dial = 'fails';
    const waiting = times(5, () => follow(pool.use(() => {})));
    await settled();
    held.release();
    await settled();
    expect(waiting.map((one) => one.is)).toEqual(['POOL_CONNECT_FAILED', ...times(4, () => 'done')]);
    check(redis, pool, { dialed: 2, open: 1, inUse: 0 });
  });

  test('rejects all when the last connection has died meanwhile, and nobody waits for the next', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2, outageWaitMs: 0 });
    const held = await pool.acquire();
    redis.dial = 'hangs';
    const waiting = times(3, () => follow(pool.use(() => {})));
    await settled();
    behind(redis, held).die();
    held.release();
    await settled();
    expect(waiting.map((one) => one.is)).toEqual(times(3, () => 'pending'));
    for (const dial of redis.dials) dial.fail();
    await settled();
    expect(waiting.map((one) => one.is)).toEqual(times(3, () => 'POOL_CONNECT_FAILED'));
    check(redis, pool, { dialed: 3, open: 0, inUse: 0 });
  });
});

describe('7. never more than maxActive', () => {
  test('a hundred callers in one tick make maxActive dials, maxConnecting at a time', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 10;
    const pool = redis.pool({ maxActive: 10, maxConnecting: 4 });
    const atOnce: number[] = [];
    pool.on('connecting', ({ stats }) => atOnce.push(stats.connecting));
    const jobs = times(100, () =>
      pool.use(() => new Promise<void>((done) => void redis.clock.after(100, done))),
    );
    await redis.clock.advance(2000);
    await Promise.all(jobs);
    expect(atOnce).toEqual([1, 2, 3, 4, 4, 4, 4, 4, 4, 4]);
    expect(redis.peak).toBe(10);
    check(redis, pool, { dialed: 10, open: 10, inUse: 0 });
  });

  test('a socket that is still being closed counts, whatever became of its connection', async () => {
    const redis = new FakeRedis();
    Object.assign(redis, { dialMs: 10, closeMs: 50 });
    const pool = redis.pool({ maxActive: 3, maxIdle: 1 });
    const jobs = times(30, (i) =>
      pool.use(async (lease) => {
        await new Promise<void>((done) => void redis.clock.after(20, done));
        if (i % 3 === 0) lease.destroy();
        if (i % 3 === 1) await lease.call('MONITOR');
        if (i % 7 === 0) pool.clear();
      }),
    );
    const most: number[] = [];
    for (const event of ['connecting', 'close', 'acquire', 'release'] as const) {
      pool.on(event, ({ stats }) => most.push(stats.total));
    }
    await redis.clock.advance(5000);
    await Promise.all(jobs);
    expect(redis.dials.length).toBeGreaterThan(20);
    expect(redis.peak).toBe(3);
    expect(Math.max(...most)).toBe(3);
  });

  test('the dial for the next in the queue starts when the socket is closed, not before', async () => {
    const redis = new FakeRedis();
    redis.closeMs = 50;
    const pool = redis.pool({ maxActive: 1 });
    const held = await pool.acquire();
    const next = follow(pool.acquire());
    held.destroy();
    await redis.clock.advance(49);
    expect(pool.stats()).toMatchObject({ total: 1, closing: 1, connecting: 0 });
    expect(redis.dials.length).toBe(1);
    await redis.clock.advance(1);
    expect(next.is).toBe('done');
    check(redis, pool, { dialed: 2, open: 1, inUse: 1 });
  });
});

describe('8. no storm of dials', () => {
  test('ten thousand callers within a second of an outage cause eight dials, and all reject with the cause', async () => {
    const redis = new FakeRedis();
    Object.assign(redis, { dial: 'fails', dialMs: 1, dialError: new Error('connect ECONNREFUSED') });
    const pool = redis.pool();
    const callers: ReturnType<typeof follow>[] = [];
    for (let ms = 0; ms < 1000; ms++) {
      for (let i = 0; i < 10; i++) callers.push(follow(pool.acquire()));
      await redis.clock.advance(1);
    }
    await redis.clock.advance(1);
    // Four at once, and then one each after 50, 100, 200 and 400 ms.
    expect(redis.dials.length).toBe(8);
    expect(new Set(callers.map((one) => one.is))).toEqual(new Set(['POOL_CONNECT_FAILED']));
    expect(new Set(callers.map((one) => (one.error as Error).cause))).toEqual(new Set([redis.dialError]));
  });

  test('dials that fail in the same instant are one failure, and delay the next one by 50 ms', async () => {
    const redis = new FakeRedis();
    redis.dial = 'fails';
    const pool = redis.pool();
    await Promise.all(times(10, () => errorOf(pool.acquire())));
    expect(redis.dials.length).toBe(4);
    redis.dial = 'succeeds';
    await redis.clock.advance(49);
    expect(await errorOf(pool.acquire())).toMatchObject({ code: 'POOL_CONNECT_FAILED' });
    await redis.clock.advance(1);
    await pool.acquire();
    check(redis, pool, { dialed: 5, open: 1, inUse: 1 });
  });

  test('with nobody who wants a connection, nothing is dialled', async () => {
    const redis = new FakeRedis();
    redis.dial = 'fails';
    const pool = redis.pool();
    await errorOf(pool.acquire());
    await redis.clock.advance(60_000);
    expect(redis.dials.length).toBe(1);
  });

  test('a connection whose life is 1 ms long is lent once; it is not dialled for ever', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 10;
    const pool = redis.pool({ maxLifetimeMs: 1 });
    const lease = pool.acquire();
    await redis.clock.advance(100);
    (await lease).release();
    await settled();
    check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
    expect(pool.stats().closed.lifetime).toBe(1);
  });
});

describe('9. a dial whose caller has left', () => {
  test.each(['abort', 'time-out'])('after %s, serves the next caller', async (how) => {
    const redis = new FakeRedis();
    redis.dialMs = 100;
    const pool = redis.pool({ maxActive: 1 });
    const caller = new AbortController();
    const timeoutMs = how === 'abort' ? 1000 : 30;
    const first = follow(pool.acquire({ signal: caller.signal, timeoutMs }));
    await redis.clock.advance(30);
    caller.abort(new Error('gave up'));
    await settled();
    expect(first.is).not.toBe('pending');
    const second = follow(pool.acquire());
    await redis.clock.advance(70);
    expect(second.is).toBe('done');
    check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
  });

  test('keeps its place while it is under way, and then rests', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 100;
    const pool = redis.pool({ maxActive: 2 });
    const callers = times(2, () => follow(pool.acquire({ timeoutMs: 10 })));
    await redis.clock.advance(10);
    expect(callers.map((one) => one.is)).toEqual(times(2, () => 'POOL_ACQUIRE_TIMEOUT'));
    expect(pool.stats()).toMatchObject({ total: 2, connecting: 2, waiting: 0 });
    const held = take(pool, 2);
    const third = follow(pool.acquire());
    await redis.clock.advance(90);
    await held;
    expect(third.is).toBe('pending');
    check(redis, pool, { dialed: 2, open: 2, inUse: 2 });
  });

  test('closes what is above maxIdle', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 100;
    const pool = redis.pool({ maxActive: 3, maxIdle: 1 });
    const callers = times(3, () => follow(pool.acquire({ timeoutMs: 10 })));
    await redis.clock.advance(100);
    expect(callers.map((one) => one.is)).toEqual(times(3, () => 'POOL_ACQUIRE_TIMEOUT'));
    check(redis, pool, { dialed: 3, open: 1, inUse: 0 });
    expect(pool.stats().closed.excess).toBe(2);
  });
});

describe('10. one deadline for the whole acquire', () => {
  test.each([
    ['waiting in line and its dial', { hold: 1, hang: 'dial' }],
    ['failing checks, one after another', { hold: 0, hang: 'checks' }],
    ['a silent connection and the dial after it', { hold: 0, hang: 'ping' }],
  ])('%s have it together', async (_, { hold, hang }) => {
    const redis = new FakeRedis();
    const slow = () =>
      new Promise((_, reject) => void redis.clock.after(40, () => reject(new Error('no good'))));
    const pool = redis.pool({
      maxActive: hang === 'checks' ? 5 : 1,
      testOnBorrow: hang === 'checks' ? slow : () => {},
      checkAfterIdleMs: 0,
      connectTimeoutMs: 60,
    });
    const timeouts: number[] = [];
    pool.on('timeout', ({ waitedMs }) => timeouts.push(waitedMs));
    const leases = await take(pool, hang === 'checks' ? 5 : 1);
    for (const lease of leases.slice(hold)) lease.release();
    if (hang === 'ping') for (const connection of redis.dials) connection.pingMs = Infinity;
    redis.dialMs = 60;
    const late = follow(pool.acquire({ timeoutMs: 100 }));
    await redis.clock.advance(50);
    for (const lease of leases.slice(0, hold)) lease.destroy();
    await redis.clock.advance(49);
    expect(late.is).toBe('pending');
    await redis.clock.advance(1);
    expect(late.is).toBe('POOL_ACQUIRE_TIMEOUT');
    expect(timeouts).toEqual([100]);
  });

  test('borrowing again while holding the last connection ends at the deadline, not never', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    const outcome = follow(pool.use(() => pool.use(() => {})));
    await redis.clock.advance(5000);
    expect(outcome.is).toBe('POOL_ACQUIRE_TIMEOUT');
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
  });
});
