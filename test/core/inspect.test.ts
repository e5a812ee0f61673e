import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { take } from '../helpers/outcomes.ts';

test('a pool prints as one line that can be read', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ name: 'sessions', maxActive: 3 });
  const leases = await take(pool, 2);
  leases[0]?.release();
  expect(inspect(pool)).toBe("Pool 'sessions' (maxActive 3: 1 in use, 1 idle, 0 connecting; 0 waiting)");
  expect(inspect({ pool })).toBe(
    "{\n  pool: Pool 'sessions' (maxActive 3: 1 in use, 1 idle, 0 connecting; 0 waiting)\n}",
  );
  redis.closeMs = 5;
  const closing = pool.close({ graceMs: 0 });
  expect(inspect(pool)).toBe(
    "Pool 'sessions' (maxActive 3: 0 in use, 0 idle, 0 connecting, 2 closing; 0 waiting, closed)",
  );
  await redis.clock.advance(5);
  await closing;
});

test('a pool knows its name', () => {
  expect(new FakeRedis().pool({ name: 'sessions' }).name).toBe('sessions');
  expect(new FakeRedis().pool().name).toBe('redis-pool');
});
