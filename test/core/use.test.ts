import { expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { check, errorOf, follow } from '../helpers/outcomes.ts';

test.each([
  ['a value', () => 7, 7],
  ['nothing', () => {}, undefined],
  ['a promise', async () => 7, 7],
  // biome-ignore lint/suspicious/noThenProperty: a thenable that is no promise, as old libraries return them
  ['a thenable', () => ({ then: (done: (value: number) => void) => done(7) }), 7],
])('use() resolves with %s that the work returns, and gives the connection back', async (_, work, value) => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  expect(await pool.use<unknown>(work)).toBe(value);
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
});

test.each([
  [
    'throws',
    () => {
      throw new Error('my own');
    },
  ],
  ['rejects', () => Promise.reject(new Error('my own'))],
])('work that %s does not cost the connection, and its own error comes out', async (_, work) => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  expect(await errorOf(pool.use(work))).toMatchObject({ message: 'my own' });
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
});

test('an error reply does not cost the connection, a broken one does', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  const wrong = pool.use((lease) => {
    const { client } = behind(redis, lease);
    client.holdReplies = true;
    const reply = lease.incr('k');
    client.failHeld(() => new Error('WRONGTYPE'));
    client.holdReplies = false;
    return reply;
  });
  expect(await errorOf(wrong)).toMatchObject({ message: 'WRONGTYPE' });
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
  const broken = pool.use((lease) => {
    behind(redis, lease).client.holdReplies = true;
    const reply = lease.incr('k');
    behind(redis, lease).die();
    return reply;
  });
  expect(await errorOf(broken)).toMatchObject({ code: 'POOL_CONNECTION_LOST' });
  await settled();
  check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
});

test('the lease is over when the work is: what was kept of it is refused', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  const kept = await pool.use((lease) => [lease] as const);
  expect(await errorOf(kept[0].get('k'))).toMatchObject({ code: 'POOL_LEASE_RELEASED' });
});

test('work that releases or destroys its lease itself is no error', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  await pool.use((lease) => lease.release());
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
  await pool.use((lease) => lease.destroy());
  await settled();
  check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
  expect(pool.stats().closed.destroyed).toBe(1);
});

test('use() passes signal and timeoutMs on to its acquire, and they do not bound the work', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  const caller = new AbortController();
  const long = follow(
    pool.use(() => new Promise<void>((done) => void redis.clock.after(1000, done)), {
      timeoutMs: 10,
      signal: caller.signal,
    }),
  );
  await settled();
  const late = follow(pool.use(() => {}, { timeoutMs: 20 }));
  await redis.clock.advance(20);
  caller.abort();
  await settled();
  expect([late.is, long.is]).toEqual(['POOL_ACQUIRE_TIMEOUT', 'pending']);
  await redis.clock.advance(980);
  expect(long.is).toBe('done');
});

test('using gives the lease back at the end of the block', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  {
    using lease = await pool.acquire();
    await lease.ping();
    check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
  }
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
});

test('connectionId counts the dials, those that failed too', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  redis.dial = 'fails';
  await errorOf(pool.acquire());
  redis.dial = 'succeeds';
  await redis.clock.advance(50);
  expect((await pool.acquire()).connectionId).toBe(2);
  expect((await pool.acquire()).connectionId).toBe(3);
});
