import { expect, test } from 'vitest';
import type { Permits } from '../../src/core/permits.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { follow } from '../helpers/outcomes.ts';

const never = (): Promise<never> => new Promise(() => {});

function engine(parts: Partial<Permits>): () => Permits {
  return () => ({
    size: 0,
    acquire: () => Promise.resolve({}),
    giveBack: () => {},
    close: () => Promise.resolve(),
    ...parts,
  });
}

test('an engine that refuses is like a dial that fails, and keeps no place', async () => {
  const refuses = (): Promise<never> => Promise.reject(new Error('no permit'));
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 }, { permits: engine({ acquire: refuses }) });
  const asked = follow(pool.acquire());
  await redis.clock.advance(1);
  expect(asked.is).toBe('POOL_CONNECT_FAILED');
  expect(pool.stats()).toMatchObject({ total: 0, connectFailed: 1 });
  const closed = follow(pool.close());
  await redis.clock.advance(0);
  expect(closed.is).toBe('done');
});

test.each([
  ['never answers', { acquire: never }],
  ['never ends', { close: never }],
  ['refuses to end', { close: () => Promise.reject(new Error('no end')) }],
])('an engine that %s holds nobody up who closes the pool', async (_, parts) => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 }, { permits: engine(parts) });
  const asked = follow(pool.acquire());
  await redis.clock.advance(10);
  const closed = follow(pool.close({ graceMs: 0 }));
  await redis.clock.advance(500);
  expect(asked.is).not.toBe('pending');
  expect(closed.is).toBe('done');
  expect(pool.stats().total).toBe(0);
});
