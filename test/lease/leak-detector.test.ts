import { expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { check } from '../helpers/outcomes.ts';

/** A pool that reports after a second, and what it has reported. */
function watched(options = {}) {
  const redis = new FakeRedis();
  const pool = redis.pool({ leakThresholdMs: 1000, ...options });
  const leaks: { connectionId: number; heldMs: number; stack: string; returned: boolean }[] = [];
  pool.on('leak', ({ connectionId, heldMs, stack, returned }) =>
    leaks.push({ connectionId, heldMs, stack, returned }),
  );
  return { redis, pool, leaks };
}

test('a lease that is held for too long is reported once, with the place that acquired it', async () => {
  const { redis, pool, leaks } = watched();
  async function forgetful() {
    return pool.acquire();
  }
  await forgetful();
  await redis.clock.advance(999);
  expect(leaks).toEqual([]);
  await redis.clock.advance(1);
  expect(leaks).toMatchObject([{ connectionId: 1, heldMs: 1000, returned: false }]);
  expect(leaks[0]?.stack).toContain('forgetful');
  expect(leaks[0]?.stack).toContain('leak-detector.test.ts');
  expect(leaks[0]?.stack.split('\n')[1]).toContain('forgetful'); // begins with the caller
  await redis.clock.advance(60_000);
  expect(leaks.length).toBe(1);
  expect(pool.stats()).toMatchObject({ leaked: 1, inUse: 1 });
});

test('use() reports its caller too', async () => {
  const { redis, pool, leaks } = watched();
  function slowHandler() {
    return pool.use(() => redis.clock.advance(1000));
  }
  await slowHandler();
  expect(leaks[0]?.stack).toContain('slowHandler');
});

test('one that is released after all is reported once more, and not counted again', async () => {
  const { redis, pool, leaks } = watched();
  const lease = await pool.acquire();
  await redis.clock.advance(2500);
  lease.release();
  expect(leaks).toMatchObject([
    { heldMs: 1000, returned: false },
    { connectionId: 1, heldMs: 2500, returned: true },
  ]);
  expect(leaks[1]?.stack).toBe(leaks[0]?.stack);
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
  expect(pool.stats().leaked).toBe(1);
});

test.each(['release', 'destroy'] as const)('one that ends in time, by %s, is not reported', async (end) => {
  const { redis, pool, leaks } = watched();
  const lease = await pool.acquire();
  await redis.clock.advance(999);
  lease[end]();
  await redis.clock.advance(60_000);
  expect(leaks).toEqual([]);
  expect(pool.stats().leaked).toBe(0);
});

test('each lease of a connection has its own time', async () => {
  const { redis, pool, leaks } = watched();
  for (let i = 0; i < 5; i++) await pool.use(() => redis.clock.advance(600));
  expect(leaks).toEqual([]);
  await pool.use(() => redis.clock.advance(1000));
  expect(leaks).toMatchObject([
    { connectionId: 1, returned: false },
    { connectionId: 1, returned: true },
  ]);
});

test('a leak is counted though nobody listens, and the lease goes on working', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ leakThresholdMs: 1000 });
  const lease = await pool.acquire();
  await redis.clock.advance(1000);
  expect(pool.stats().leaked).toBe(1);
  await expect(lease.get('k')).resolves.toBe('OK');
});

test('by default nobody is watched for the time', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  await pool.acquire();
  await redis.clock.advance(24 * 3_600_000);
  expect(pool.stats().leaked).toBe(0);
});

test('watching keeps no process alive', async () => {
  const { redis, pool } = watched();
  await pool.acquire();
  expect(redis.clock.timers('waited')).toBe(0);
});

test('what close() has cut is not reported any more', async () => {
  const { redis, pool } = watched();
  const lease = await pool.acquire();
  await pool.close({ graceMs: 0 });
  await redis.clock.advance(60_000);
  expect(pool.stats().leaked).toBe(0);
  lease.release();
  await settled();
  expect(pool.stats()).toMatchObject({ leaked: 0, total: 0 });
  expect(behind(redis, lease).state).toBe('closed');
});
