import { describe, expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { check, errorOf, follow, take, warm } from '../helpers/outcomes.ts';

describe('minIdle', () => {
  test('is dialled without being asked, maxConnecting at a time', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 10;
    const pool = redis.pool({ minIdle: 3, maxConnecting: 2 });
    await settled();
    expect(pool.stats()).toMatchObject({ idle: 0, connecting: 2 });
    await redis.clock.advance(20);
    check(redis, pool, { dialed: 3, open: 3, inUse: 0 });
    expect(pool.stats()).toMatchObject({ acquired: 0, waits: 0 });
  });

  test('comes on top of what is lent, up to maxActive', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 5, minIdle: 2 });
    await settled();
    for (const [lent, idle] of [
      [1, 2],
      [2, 2],
      [3, 2],
      [4, 1],
      [5, 0],
    ]) {
      await pool.acquire();
      await settled();
      expect(pool.stats()).toMatchObject({ inUse: lent, idle });
    }
    expect(redis.peak).toBe(5);
  });

  test('is filled up again when one dies, is destroyed, or comes back dirty', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2, minIdle: 2 });
    await settled();
    redis.dials[0]?.die();
    await settled();
    check(redis, pool, { dialed: 3, open: 2, inUse: 0 });
    (await pool.acquire()).destroy();
    await settled();
    check(redis, pool, { dialed: 4, open: 2, inUse: 0 });
    await pool.use((lease) => lease.call('MONITOR'));
    await settled();
    check(redis, pool, { dialed: 5, open: 2, inUse: 0 });
  });

  test('is filled up again after a borrowing that took a check, too', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ minIdle: 2, reapIntervalMs: Infinity });
    await redis.clock.advance(5000);
    await pool.acquire();
    await settled();
    check(redis, pool, { dialed: 3, open: 3, inUse: 1 });
  });

  test('does not dial while the queue needs all dials that are allowed', async () => {
    const redis = new FakeRedis();
    redis.dial = 'hangs';
    const pool = redis.pool({ maxActive: 3, minIdle: 1, maxConnecting: 1 });
    await settled();
    const first = follow(pool.acquire());
    redis.dials[0]?.succeed();
    await settled();
    expect(first.is).toBe('done');
    expect(pool.stats()).toMatchObject({ inUse: 1, connecting: 1 }); // and now for minIdle
  });

  test('of 0 dials nothing by itself', async () => {
    const redis = new FakeRedis();
    redis.pool();
    await redis.clock.advance(60_000);
    expect(redis.dials.length).toBe(0);
  });
});

describe('ready()', () => {
  test('does not count a connection that was lost, and is still held', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    const lease = await pool.acquire();
    behind(redis, lease).die();
    redis.dial = 'fails';
    const ready = follow(pool.ready({ timeoutMs: 5000 }));
    await redis.clock.advance(1000);
    expect(ready.is).toBe('pending');
    redis.dial = 'succeeds';
    await redis.clock.advance(2000);
    expect(ready.is).toBe('done');
    expect(pool.stats()).toMatchObject({ inUse: 1, idle: 1 });
  });

  test('dials one connection at least, and leaves it at rest', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 10;
    const pool = redis.pool();
    const ready = follow(pool.ready());
    await redis.clock.advance(9);
    expect(ready.is).toBe('pending');
    await redis.clock.advance(1);
    expect(ready.is).toBe('done');
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
    expect(pool.stats().acquired).toBe(0);
  });

  test('dials minIdle, no more and no fewer', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 10;
    const pool = redis.pool({ minIdle: 3 });
    const ready = follow(pool.ready());
    await redis.clock.advance(10);
    expect(ready.is).toBe('done');
    expect(pool.stats().idle).toBe(3);
    await redis.clock.advance(100);
    check(redis, pool, { dialed: 3, open: 3, inUse: 0 });
  });

  test('has nothing to do when they are there, called twice or later', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ minIdle: 2 });
    await Promise.all([pool.ready(), pool.ready()]);
    await pool.ready();
    await settled();
    check(redis, pool, { dialed: 2, open: 2, inUse: 0 });
  });

  test('rejects with the connect error, and the pool goes on', async () => {
    const redis = new FakeRedis();
    Object.assign(redis, { dial: 'fails', dialError: new Error('WRONGPASS invalid password') });
    const pool = redis.pool({ minIdle: 2, maxConnecting: 2 });
    expect(await errorOf(pool.ready())).toMatchObject({
      code: 'POOL_CONNECT_FAILED',
      cause: redis.dialError,
    });
    redis.dial = 'succeeds';
    await redis.clock.advance(2000);
    await pool.ready();
    expect(pool.stats()).toMatchObject({ idle: 2, inUse: 0 });
  });

  test('that failed does not keep minIdle from going on in the background', async () => {
    const redis = new FakeRedis();
    redis.dial = 'fails';
    const pool = redis.pool({ minIdle: 2 });
    expect(await errorOf(pool.ready())).toMatchObject({ code: 'POOL_CONNECT_FAILED' });
    redis.dial = 'succeeds';
    await redis.clock.advance(100);
    check(redis, pool, { dialed: 4, open: 2, inUse: 0 });
  });

  test('rejects when only some of them came about', async () => {
    const redis = new FakeRedis();
    redis.dial = 'hangs';
    const pool = redis.pool({ minIdle: 2 });
    const ready = follow(pool.ready());
    await settled();
    redis.dials[0]?.succeed();
    await settled();
    redis.dials[1]?.fail(new Error('ENOTFOUND'));
    await settled();
    expect(ready.is).toBe('POOL_CONNECT_FAILED');
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 0 });
  });

  test('ends at the acquire deadline, and keeps nothing', async () => {
    const redis = new FakeRedis();
    redis.dial = 'hangs';
    const pool = redis.pool({ acquireTimeoutMs: 100 });
    const ready = follow(pool.ready());
    await redis.clock.advance(100);
    expect(ready.is).toBe('POOL_ACQUIRE_TIMEOUT');
    expect(pool.stats()).toMatchObject({ waiting: 0, inUse: 0, connecting: 1 });
  });
});

describe('clear()', () => {
  test('closes what rests now, and what is lent when it comes back', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    const [a, b, c] = await take(pool, 3);
    b?.release();
    c?.release();
    pool.clear();
    expect(pool.stats()).toMatchObject({ idle: 0, inUse: 1, closed: { cleared: 2 } });
    await expect(a?.get('k')).resolves.toBe('OK');
    a?.release();
    await settled();
    check(redis, pool, { dialed: 3, open: 0, inUse: 0 });
    expect(pool.stats().closed).toMatchObject({ cleared: 3, broken: 0 });
  });

  test('does not let anyone have what was being dialled then', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 10;
    const pool = redis.pool();
    const lease = pool.acquire();
    await redis.clock.advance(5);
    pool.clear();
    await redis.clock.advance(15);
    expect((await lease).connectionId).toBe(2);
    expect(pool.stats()).toMatchObject({ connected: 2, closed: { cleared: 1 } });
  });

  test('leaves what is dialled afterwards alone, and minIdle is filled up again', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ minIdle: 2 });
    await settled();
    pool.clear();
    await settled();
    check(redis, pool, { dialed: 4, open: 2, inUse: 0 });
    await pool.use(() => {});
    await redis.clock.advance(20_000);
    expect(pool.stats().closed.cleared).toBe(2);
  });
});

describe('maxLifetimeMs', () => {
  test('ends no lease: the connection is closed when it comes back', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxLifetimeMs: 1000 });
    const lease = await pool.acquire();
    await redis.clock.advance(5000);
    await expect(lease.get('k')).resolves.toBe('OK');
    expect(behind(redis, lease).state).toBe('open');
    lease.release();
    await settled();
    check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
    expect(pool.stats().closed.lifetime).toBe(1);
  });

  test('counts from the end of the dial, however often the connection is used', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 500;
    const pool = redis.pool({ maxLifetimeMs: 1000, reapIntervalMs: Infinity });
    const warming = warm(pool, 1);
    await redis.clock.advance(500);
    await warming;
    for (let i = 0; i < 9; i++) {
      await redis.clock.advance(100);
      await pool.use(() => {});
    }
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
    await redis.clock.advance(100);
    const next = follow(pool.use(() => {}));
    await redis.clock.advance(500);
    expect(next.is).toBe('done');
    check(redis, pool, { dialed: 2, open: 1, inUse: 0 });
  });

  test('and idleTimeoutMs, when Infinity, end nothing', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxLifetimeMs: Infinity, idleTimeoutMs: Infinity });
    await warm(pool, 2);
    await redis.clock.advance(24 * 3_600_000);
    await pool.use(() => {});
    check(redis, pool, { dialed: 2, open: 2, inUse: 0 });
  });
});
