import { describe, expect, test } from 'vitest';
import type { Pool } from '../../src/pool.ts';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { check, deferred, errorOf, follow, take, times, warm } from '../helpers/outcomes.ts';

type Outcomes = ReturnType<typeof follow>[];

/** Ways to bring a pool of two connections into a state; each returns what is pending then, if anything. */
const states: Record<string, (redis: FakeRedis, pool: Pool) => Promise<Outcomes>> = {
  'before its first use': async () => [],
  'with idle connections': async (_, pool) => {
    await warm(pool, 2);
    return [];
  },
  'while it dials': async (redis, pool) => {
    redis.dial = 'hangs';
    return times(3, () => follow(pool.acquire()));
  },
  'while it is about to dial': async (_, pool) => [follow(pool.acquire())],
  'while callers wait': async (_, pool) => {
    await take(pool, 2);
    return times(3, () => follow(pool.acquire({ timeoutMs: Infinity })));
  },
  'while leases are out': async (_, pool) => {
    await take(pool, 2);
    return [];
  },
  'while leases are watched for leaks': async (redis, pool) => {
    await take(pool, 2);
    await redis.clock.advance(1500);
    return [];
  },
  'while a command is under way': async (redis, pool) => {
    const [lease] = await take(pool, 1);
    for (const { client } of redis.dials) client.holdReplies = true;
    return lease ? [follow(lease.get('k'))] : [];
  },
  'while a connection is sent a PING': async (redis, pool) => {
    await warm(pool, 2);
    for (const connection of redis.dials) connection.pingMs = Infinity;
    await redis.clock.advance(5000);
    return times(2, () => follow(pool.acquire()));
  },
  'while your own test looks at a connection': async (_, pool) => {
    const lease = await pool.acquire();
    lease.release();
    return [follow(pool.acquire())];
  },
  'while a connection comes clean': async (redis, pool) => {
    const lease = await pool.acquire();
    for (const { client } of redis.dials) client.holdReplies = true;
    const late = follow(lease.get('k'));
    lease.release();
    return [late];
  },
  'while it may not dial': async (redis, pool) => {
    const lease = await pool.acquire();
    redis.dial = 'fails';
    const waiting = times(2, () => follow(pool.acquire()));
    await settled();
    behind(redis, lease).die();
    return waiting;
  },
  'while sockets are being closed': async (redis, pool) => {
    redis.closeMs = 50;
    for (const lease of await take(pool, 2)) lease.destroy();
    return [follow(pool.acquire())];
  },
  'while it becomes ready': async (redis, pool) => {
    redis.dial = 'hangs';
    return [follow(pool.ready())];
  },
};

describe.each([0, 100])('5. close with %i ms of grace', (graceMs) => {
  test.each(Object.entries(states))('%s leaves nothing', async (state, begin) => {
    const redis = new FakeRedis();
    const hangs = state.includes('your own test');
    const pool = redis.pool({
      maxActive: 2,
      leakThresholdMs: state.includes('leaks') ? 60_000 : Infinity,
      testOnBorrow: () => (hangs ? deferred().promise : undefined),
    });
    const pending = await begin(redis, pool);
    let timers = -1;
    const closing = follow(
      pool.close({ graceMs }).then(() => {
        timers = redis.clock.timers();
      }),
    );
    const next = follow(pool.acquire());
    await redis.clock.advance(graceMs + redis.closeMs);
    expect(closing.is).toBe('done');
    expect(redis.sockets).toBe(0);
    expect(timers).toBe(0);
    expect(next.is).toBe('POOL_CLOSED');
    expect(pending.map((one) => one.is)).not.toContain('pending');
    const { total, waiting, connected, closed } = pool.stats();
    expect({ total, waiting }).toEqual({ total: 0, waiting: 0 });
    expect(Object.values(closed).reduce((a, b) => a + b)).toBe(connected);
  });
});

test('who waits hears of it at once; who holds a lease may finish', async () => {
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

test('when the grace is over, leases are cut, and their commands are told that they may have run', async () => {
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
    const calls = [follow(pool.close({ graceMs: 1000 }))];
    calls.push(follow(pool.close({ graceMs: 9000 })), follow(pool.close({ graceMs: 200 })));
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

test('a listener that hears of the first closed connection and calls clear() or close() disturbs nothing', async () => {
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
