import { describe, expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { check, deferred, errorOf, follow, take, times, warm } from '../helpers/outcomes.ts';

test('waiting callers are rejected at once; holders of leases may finish', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  const lease = await pool.acquire();
  const waiting = times(3, () => follow(pool.acquire()));
  const closing = follow(pool.close());
  await settled();
  expect(waiting.map((one) => one.is)).toEqual(times(3, () => 'POOL_CLOSED'));
  expect(closing.is).toBe('pending');
  await redis.clock.advance(4999);
  await expect(lease.get('k')).resolves.toBe('OK');
  lease.release();
  await closing.promise;
  expect(pool.stats().closed).toMatchObject({ poolClosed: 1 });
});

test('when the grace is over, the connections of leases are closed, and their commands reject, since they may have run', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  const lease = await pool.acquire();
  behind(redis, lease).client.holdReplies = true;
  const command = follow(lease.get('k'));
  const closing = follow(pool.close());
  await redis.clock.advance(4999);
  expect([command.is, closing.is]).toEqual(['pending', 'pending']);
  await redis.clock.advance(1);
  expect([command.is, closing.is]).toEqual(['POOL_CONNECTION_LOST', 'done']);
  expect(String(command.error)).toContain('may have run');
  expect(await errorOf(lease.get('k'))).toMatchObject({ code: 'POOL_CONNECTION_LOST' });
  lease.release();
  lease.destroy();
  expect(await errorOf(lease.get('k'))).toMatchObject({ code: 'POOL_LEASE_RELEASED' });
  expect(pool.stats()).toMatchObject({ total: 0, closed: { poolClosed: 1, destroyed: 0 } });
});

test('infinite grace waits for the lease, however long it takes', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  const lease = await pool.acquire();
  const closing = follow(pool.close({ graceMs: Infinity }));
  await redis.clock.advance(3_600_000);
  expect(closing.is).toBe('pending');
  lease.release();
  await closing.promise;
});

test('it waits for the last socket, not only for the last lease', async () => {
  const redis = new FakeRedis();
  redis.closeMs = 400;
  const pool = redis.pool();
  await warm(pool, 2);
  const closing = follow(pool.close({ graceMs: 0 }));
  await redis.clock.advance(399);
  expect([closing.is, pool.stats().closing]).toEqual(['pending', 2]);
  await redis.clock.advance(1);
  expect(closing.is).toBe('done');
});

describe('called again', () => {
  test('it may shorten the grace, never lengthen it, and both calls end together', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    await pool.acquire();
    const calls = [1000, 200, 9000].map((graceMs) => follow(pool.close({ graceMs })));
    await redis.clock.advance(199);
    expect(calls.map((one) => one.is)).toEqual(['pending', 'pending', 'pending']);
    await redis.clock.advance(1);
    expect(calls.map((one) => one.is)).toEqual(['done', 'done', 'done']);
  });

  test('after the end it does nothing, and leaves no timer', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    await warm(pool, 1);
    let drains = 0;
    pool.on('drain', () => drains++);
    await pool.close();
    await pool.close({ graceMs: 100 });
    await pool[Symbol.asyncDispose]();
    expect(redis.clock.timers()).toBe(0);
    expect(drains).toBe(1);
  });
});

test('everything else is refused, or harmless, from then on', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ minIdle: 1 });
  const lease = await pool.acquire();
  const closing = pool.close();
  for (const refused of [pool.acquire(), pool.use(() => {}), pool.ready()]) {
    expect(await errorOf(refused)).toMatchObject({ code: 'POOL_CLOSED' });
  }
  pool.clear();
  lease.release();
  await closing;
  expect(await errorOf(pool.acquire({ signal: AbortSignal.abort(new Error('mine')) }))).toMatchObject({
    code: 'POOL_CLOSED',
  });
  pool.clear();
  pool.on('acquire', () => {}).off('acquire', () => {});
  await redis.clock.advance(60_000);
  check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
  expect(pool.stats()).toMatchObject({ exhausted: 0, timedOut: 0, aborted: 0 });
});

test.each(['PING', 'your own test'])('a connection whose %s is cut short was not broken', async (what) => {
  const redis = new FakeRedis();
  const verdict = deferred();
  const pool = redis.pool({
    checkAfterIdleMs: what === 'PING' ? 0 : Infinity,
    testOnBorrow: () => verdict.promise,
  });
  await warm(pool, 1);
  for (const connection of redis.dials) connection.pingMs = Infinity;
  const waiting = follow(pool.acquire());
  await settled();
  await Promise.all([pool.close(), redis.clock.advance(5000)]);
  expect(waiting.is).toBe('POOL_CLOSED');
  expect(pool.stats().closed).toMatchObject({ broken: 0, poolClosed: 1 });
});

test('drain is the last event, and comes when all the others are over', async () => {
  const redis = new FakeRedis();
  redis.closeMs = 50;
  const pool = redis.pool();
  const heard: string[] = [];
  const totals: number[] = [];
  pool.on('close', ({ reason }) => heard.push(`close ${reason}`));
  pool.on('release', () => heard.push('release'));
  pool.on('drain', ({ stats }) => {
    heard.push('drain');
    totals.push(stats.total);
  });
  const [a, b, c] = await take(pool, 3);
  c?.release();
  const closing = pool.close({ graceMs: 100 });
  a?.release();
  await redis.clock.advance(200);
  await closing;
  b?.release();
  await settled();
  expect(heard).toEqual([
    ...['release', 'close poolClosed', 'release', 'close poolClosed', 'close poolClosed', 'drain'],
  ]);
  expect(totals).toEqual([0]);
});

test('a listener for the first closed connection that calls clear() or close() disturbs nothing', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  await warm(pool, 3);
  pool.once('close', () => {
    pool.clear();
    void pool.close({ graceMs: 0 });
  });
  await pool.close();
  check(redis, pool, { dialed: 3, open: 0, inUse: 0 });
  expect(pool.stats().total).toBe(0);
});

test('await using closes the pool at the end of the block', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  {
    await using scoped = pool;
    await scoped.use((lease) => lease.ping());
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
  }
  check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
});
