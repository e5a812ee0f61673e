import { expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { errorOf } from '../helpers/outcomes.ts';

test('a connection is reused, the one last given back first', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  const [a, b] = await Promise.all([pool.acquire(), pool.acquire()]);
  a.release();
  b.release();
  const c = await pool.acquire();
  expect(c.connectionId).toBe(b.connectionId);
  expect(redis.dials.length).toBe(2);
});

test('dials that take their time do not make a burst build connections that nobody needs', async () => {
  // 50 jobs of 2 ms at once, 5 warm connections, dials of 150 ms: HikariCP's "spike demand".
  for (const [maxConnecting, built] of [
    [4, 9],
    [1, 6],
  ] as const) {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 50, maxConnecting });
    const warm = await Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
    for (const lease of warm) lease.release();
    redis.dialMs = 150;
    const jobs = Array.from({ length: 50 }, () =>
      pool.use(() => new Promise<void>((done) => void redis.clock.after(2, done))),
    );
    await redis.clock.advance(200);
    await Promise.all(jobs);
    expect(redis.dials.length).toBe(built);
  }
});

test('after release, a command is refused and never reaches the connection', async () => {
  const redis = new FakeRedis();
  const lease = await redis.pool().acquire();
  lease.release();
  await expect(lease.get('k')).rejects.toMatchObject({ code: 'POOL_LEASE_RELEASED' });
  await settled();
  expect(behind(redis, lease).client.log).toEqual([]);
});

test('a caller that times out while leases hold everything is warned that it may be waiting for itself', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1, acquireTimeoutMs: 100 });
  const nested = errorOf(pool.use(() => pool.use(() => {})));
  await redis.clock.advance(100);
  const held = await pool.acquire();
  const shared = errorOf(pool.redis.get('k'));
  await redis.clock.advance(100);
  for (const error of await Promise.all([nested, shared])) {
    expect((error as Error).message).toMatch(
      /1 leases held, oldest 100 ms\)\. Whoever holds a lease .* within use\(\)/,
    );
  }
  held.release();
});

test('while not everything is held by leases, there is no such warning', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 2, acquireTimeoutMs: 100 });
  const lease = await pool.acquire();
  redis.dial = 'hangs';
  const error = errorOf(pool.acquire());
  await redis.clock.advance(100);
  expect(((await error) as Error).message).toMatch(
    /1 leases held, oldest 100 ms\); hold leases [^.]+ \[redis-pool\]$/,
  );
  lease.release();
});
