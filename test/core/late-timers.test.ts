import { expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { follow } from '../helpers/outcomes.ts';

test('after a block, what has arrived is read before anyone is judged', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 2, replyTimeoutMs: 1000 });
  const held = await pool.acquire();
  await pool.redis.ping();
  const client = redis.dials[1]?.client;
  if (client) client.holdReplies = true;
  const shared = follow(pool.redis.incr('n'));
  const waiting = follow(pool.use(() => {}, { timeoutMs: 1000 }));
  await settled();
  await redis.clock.block(1300, () => {
    client?.answer();
    held.release();
  });
  expect([shared.is, waiting.is]).toEqual(['done', 'done']);
  expect(pool.stats()).toMatchObject({ connected: 2, timedOut: 0, closed: { broken: 0 } });
});

test('after a block, what is silent is closed, and who waits has the rest of the time', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1, replyTimeoutMs: 1000 });
  await pool.redis.ping();
  const client = redis.dials[0]?.client;
  if (client) client.holdReplies = true;
  const silent = follow(pool.redis.incr('n'));
  await settled();
  redis.dial = 'hangs';
  const waiting = follow(pool.acquire({ timeoutMs: 1500 }));
  await redis.clock.advance(500);
  await redis.clock.block(60_000, () => {});
  expect([silent.is, waiting.is]).toEqual(['POOL_CONNECTION_LOST', 'pending']);
  await redis.clock.advance(999);
  expect(waiting.is).toBe('pending');
  await redis.clock.advance(1);
  expect(waiting.is).toBe('POOL_ACQUIRE_TIMEOUT');
});

test('a block soon after the start of a wait takes nothing of its time, and gives nothing to who came later', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  await pool.acquire();
  const before = follow(pool.acquire({ timeoutMs: 1000 }));
  await redis.clock.advance(50);
  await redis.clock.block(5000, () => {});
  const after = follow(pool.acquire({ timeoutMs: 940 }));
  await redis.clock.advance(939);
  expect([before.is, after.is]).toEqual(['pending', 'pending']);
  await redis.clock.advance(1);
  expect([before.is, after.is]).toEqual(['pending', 'POOL_ACQUIRE_TIMEOUT']);
  await redis.clock.advance(10);
  expect(before.is).toBe('POOL_ACQUIRE_TIMEOUT');
});

test('a wait that is over soon sets no timer of its own', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  const lease = await pool.acquire();
  const timers = redis.clock.timers('waited');
  const waiting = [1, 2, 3].map(() => follow(pool.use(() => {})));
  expect(redis.clock.timers('waited')).toBe(timers + 1);
  lease.release();
  await settled();
  expect(waiting.map(({ is }) => is)).toEqual(['done', 'done', 'done']);
  expect(redis.clock.timers('waited')).toBe(0);
});
