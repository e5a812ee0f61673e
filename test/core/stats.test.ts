import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import type { PoolStats } from '../../src/index.ts';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { errorOf, take, warm } from '../helpers/outcomes.ts';

test('stats have the bounds, and what pool.redis has on the way and before it', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 4, maxIdle: 3, minIdle: 1, maxInFlight: 2, maxLanes: 1 });
  expect(pool.stats()).toMatchObject({ maxActive: 4, maxIdle: 3, minIdle: 1 });
  await warm(pool, 1);
  await settled();
  for (const { client } of redis.dials) client.holdReplies = true;
  const replies = [1, 2, 3].map(() => pool.redis.get('k'));
  expect(pool.stats()).toMatchObject({ inFlight: 0, queuedCommands: 3 });
  await settled();
  expect(pool.stats()).toMatchObject({ lanes: 1, inFlight: 2, queuedCommands: 1 });
  for (const { client } of redis.dials) {
    client.holdReplies = false;
    client.answer();
  }
  await Promise.all(replies);
  await settled();
  expect(pool.stats()).toMatchObject({ lanes: 0, inFlight: 0, queuedCommands: 0 });
  await pool.close();
});

test("errors are counted by code as they are made, and an error's own stats include it", async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1, maxWaiting: 1, outageWaitMs: 0 });
  const lease = await pool.acquire();
  const late = errorOf(pool.acquire({ timeoutMs: 5 }));
  const refused = (await errorOf(pool.acquire())) as { stats: PoolStats };
  expect(refused.stats.errors).toMatchObject({ POOL_EXHAUSTED: 1, POOL_ACQUIRE_TIMEOUT: 0 });
  await redis.clock.advance(5);
  await late;
  behind(redis, lease).client.holdReplies = true;
  const lost = errorOf(lease.get('k'));
  behind(redis, lease).die();
  await lost;
  lease.release();
  await errorOf(lease.get('k'));
  await errorOf(pool.redis.watch('k'));
  redis.dial = 'fails';
  await errorOf(pool.acquire());
  await pool.close();
  await errorOf(pool.acquire());
  expect(pool.stats().errors).toEqual({
    POOL_EXHAUSTED: 1,
    POOL_ACQUIRE_TIMEOUT: 1,
    POOL_CONNECTION_LOST: 1,
    POOL_LEASE_RELEASED: 1,
    POOL_STATEFUL_COMMAND: 1,
    POOL_CONNECT_FAILED: 1,
    POOL_CLOSED: 1,
  });
});

test('an error that nobody gets is none', async () => {
  const redis = new FakeRedis();
  redis.dial = 'fails';
  const pool = redis.pool({ minIdle: 1 });
  await settled();
  expect(pool.stats().connectFailed).toBe(1);
  await pool.close();
  expect(Object.values(pool.stats().errors)).toEqual([0, 0, 0, 0, 0, 0, 0]);
});

test('a snapshot stays as it was, whatever comes after it', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1, wait: false });
  const before = pool.stats();
  const copy = structuredClone(before);
  const lease = await pool.acquire();
  await errorOf(pool.acquire());
  lease.destroy();
  await settled();
  expect(before).toEqual(copy);
  expect(pool.stats()).not.toEqual(copy);
  for (const part of [before, before.closed, before.errors]) expect(Object.isFrozen(part)).toBe(true);
  await pool.close();
});

test("listeners for 'acquire' run in the context of who acquires, not of who gives back", async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  const request = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  pool.on('acquire', () => seen.push(request.getStore()));
  const [held] = await request.run('first', () => take(pool, 1));
  const waiting = request.run('second', () => pool.acquire());
  request.run('first', () => held?.release());
  (await waiting).release();
  expect(seen).toEqual(['first', 'second']);
  await pool.close();
});
