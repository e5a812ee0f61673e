import { describe, expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { check, errorOf, follow, take, times, warm } from '../helpers/outcomes.ts';

/** A Redis that refuses. */
function down(): FakeRedis {
  const redis = new FakeRedis();
  return Object.assign(redis, { dial: 'fails', dialMs: 1, dialError: new Error('connect ECONNREFUSED') });
}

describe('with no connection left', () => {
  test('one failed dial rejects all that wait, with the real cause', async () => {
    const redis = down();
    const pool = redis.pool({ maxActive: 2, maxConnecting: 1, name: 'sessions' });
    const line = times(20, () => follow(pool.acquire()));
    await redis.clock.advance(1);
    expect(line.map((one) => one.is)).toEqual(times(20, () => 'POOL_CONNECT_FAILED'));
    expect(line[19]?.error).toMatchObject({
      message: 'cannot connect: connect ECONNREFUSED; see its cause [sessions]',
      pool: 'sessions',
      cause: redis.dialError,
      stats: { connectFailed: 1, inUse: 0, connecting: 0 },
    });
    expect(redis.dials.length).toBe(1);
  });

  test('an error of several addresses, which has no message, is reported with the first', async () => {
    const redis = down();
    redis.dialError = new AggregateError(
      [new Error('connect ECONNREFUSED ::1:6379'), new Error('other')],
      '',
    );
    const failed = follow(redis.pool().acquire());
    await redis.clock.advance(1);
    expect(String(failed.error)).toContain('cannot connect: connect ECONNREFUSED ::1:6379');
    expect(failed.error).toMatchObject({ cause: redis.dialError });
  });

  test('until the back-off ends callers are refused at once, with the remembered cause', async () => {
    const redis = down();
    const pool = redis.pool();
    const first = follow(pool.acquire());
    await redis.clock.advance(1);
    await redis.clock.advance(49);
    const second = follow(pool.acquire());
    await settled();
    expect([first.is, second.is]).toEqual(['POOL_CONNECT_FAILED', 'POOL_CONNECT_FAILED']);
    expect(second.error).toMatchObject({ cause: redis.dialError });
    expect(redis.dials.length).toBe(1);
    expect(pool.stats()).toMatchObject({ waits: 0, exhausted: 0, timedOut: 0 });
  });

  test('the first caller after it dials alone, and the others wait for what becomes of it', async () => {
    const redis = down();
    const pool = redis.pool();
    await Promise.all([errorOf(pool.acquire()), redis.clock.advance(1)]);
    await redis.clock.advance(50);
    redis.dial = 'hangs';
    const line = times(10, () => follow(pool.acquire()));
    await settled();
    expect(pool.stats()).toMatchObject({ connecting: 1, total: 1 });
    redis.dial = 'succeeds';
    redis.dials[1]?.succeed();
    await redis.clock.advance(10);
    expect(line.map((one) => one.is)).toEqual(times(10, () => 'done'));
    check(redis, pool, { dialed: 11, open: 10, inUse: 10 });
  });

  test.each([
    ['no chance', 0, [50, 100, 200, 400, 800, 1600, 2000, 2000]],
    ['all the chance there is', 1, [25, 50, 100, 200, 400, 800, 1000, 1000]],
  ])('the back-off doubles from 50 ms to 2 s, and %s takes up to half of it', async (_, random, waits) => {
    const redis = down();
    const pool = redis.pool({}, { random: () => random });
    const starts: number[] = [];
    pool.on('connecting', () => starts.push(redis.clock.now()));
    for (let i = 0; i < 10_000 && starts.length <= waits.length; i++) {
      follow(pool.acquire());
      await redis.clock.advance(1);
    }
    // Each dial takes 1 ms to fail.
    expect(starts.slice(1).map((at, i) => at - (starts[i] ?? 0) - 1)).toEqual(waits);
  });

  test('once Redis is back, so is the pool, within one back-off, and the next outage begins at 50 ms', async () => {
    const redis = down();
    const pool = redis.pool({ outageWaitMs: 0 });
    const outcomes: string[] = [];
    const ask = async () => {
      const one = follow(pool.use(() => {}));
      await redis.clock.advance(10);
      outcomes.push(one.is);
    };
    for (let i = 0; i < 1000; i++) await ask();
    expect(new Set(outcomes)).toEqual(new Set(['POOL_CONNECT_FAILED']));
    redis.dial = 'succeeds';
    outcomes.length = 0;
    for (let i = 0; i < 201; i++) await ask();
    expect(outcomes.at(-1)).toBe('done');
    await redis.clock.advance(1000); // so long dials are paced after an outage
    redis.dial = 'fails';
    redis.dials.at(-1)?.die();
    await ask();
    redis.dial = 'succeeds';
    await redis.clock.advance(41);
    await ask();
    expect(outcomes.slice(-2)).toEqual(['POOL_CONNECT_FAILED', 'done']);
  });

  test('minIdle goes on trying in the background, and fills up when Redis is back', async () => {
    const redis = down();
    const pool = redis.pool({ minIdle: 3 });
    await redis.clock.advance(10_000);
    // Three at first, then after 50, 100 … 1600 and every 2000 ms.
    expect(redis.dials.length).toBe(3 + 6 + 3);
    redis.dial = 'succeeds';
    await redis.clock.advance(2010);
    expect(pool.stats()).toMatchObject({ idle: 3, connecting: 0 });
  });
});

describe('while a connection is open', () => {
  test('a failed dial rejects only the first in the queue, and the last error is the cause of later failures', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2, maxWaiting: 1 });
    const held = await pool.acquire();
    Object.assign(redis, { dial: 'fails', dialError: new Error('ERR max number of clients reached') });
    const first = follow(pool.acquire({ timeoutMs: 20 }));
    await settled();
    expect(first.is).toBe('POOL_CONNECT_FAILED');
    const late = follow(pool.acquire({ timeoutMs: 20 })); // has room, may not dial yet
    const line = follow(pool.acquire({ timeoutMs: 40 }));
    const refused = follow(pool.acquire());
    await redis.clock.advance(40);
    expect([late.is, line.is, refused.is]).toEqual([
      ...['POOL_ACQUIRE_TIMEOUT', 'POOL_ACQUIRE_TIMEOUT', 'POOL_EXHAUSTED'],
    ]);
    for (const { error } of [first, late, line, refused]) {
      expect(error).toMatchObject({ cause: redis.dialError });
    }
    held.release();
  });

  test('once a dial has succeeded, no later error carries the old cause', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2 });
    await pool.acquire();
    redis.dial = 'fails';
    await errorOf(pool.acquire());
    redis.dial = 'succeeds';
    const second = follow(pool.acquire());
    await redis.clock.advance(50);
    expect(second.is).toBe('done');
    const late = follow(pool.acquire({ timeoutMs: 10 }));
    await redis.clock.advance(10);
    expect(late.is).toBe('POOL_ACQUIRE_TIMEOUT');
    expect(late.error).not.toHaveProperty('cause');
  });

  test('what comes back during the back-off is lent as ever', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 3 });
    const held = await pool.acquire();
    redis.dial = 'fails';
    await errorOf(pool.acquire());
    const waiting = follow(pool.use(() => {}));
    held.release();
    await settled();
    expect(waiting.is).toBe('done');
    await pool.use(() => {});
    check(redis, pool, { dialed: 2, open: 1, inUse: 0 });
  });
});

describe('connections that die', () => {
  test('at rest are gone at once, and never lent', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    await warm(pool, 5);
    for (const connection of redis.dials.slice(0, 4)) connection.die();
    expect(pool.stats()).toMatchObject({ idle: 1, closed: { broken: 4 } });
    await settled();
    const lease = await pool.acquire();
    expect(lease.connectionId).toBe(5);
    check(redis, pool, { dialed: 5, open: 1, inUse: 1 });
  });

  test('but whose sockets are not gone yet are not lent any more either', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    await warm(pool, 2);
    const top = redis.dials[1];
    if (top) top.state = 'closing'; // the server has said goodbye
    const lease = await pool.acquire();
    expect(lease.connectionId).toBe(1);
    expect(pool.stats().closed.broken).toBe(1);
  });

  test('under a lease are found when it comes back, and its commands say so until then', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    const lease = await pool.acquire();
    behind(redis, lease).client.holdReplies = true;
    const command = follow(lease.get('k'));
    behind(redis, lease).die();
    await settled();
    expect(command.is).toBe('POOL_CONNECTION_LOST');
    expect(await errorOf(lease.get('k'))).toMatchObject({ code: 'POOL_CONNECTION_LOST' });
    expect(pool.stats()).toMatchObject({ inUse: 1, closed: { broken: 0 } });
    lease.release();
    await settled();
    expect(pool.stats()).toMatchObject({ total: 0, closed: { broken: 1 } });
  });

  test('all at once, as when the server restarts, are replaced by as many as are wanted', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    await warm(pool, 10);
    for (const connection of redis.dials) connection.die();
    await settled();
    check(redis, pool, { dialed: 10, open: 0, inUse: 0 });
    await take(pool, 3);
    check(redis, pool, { dialed: 13, open: 3, inUse: 3 });
  });
});

test('while Redis hangs, callers time out one by one, and what was dialled for them serves the next', async () => {
  const redis = new FakeRedis();
  redis.dial = 'hangs';
  const pool = redis.pool({ maxActive: 2 });
  for (let i = 0; i < 5; i++) {
    const late = follow(pool.acquire({ timeoutMs: 100 }));
    await redis.clock.advance(100);
    expect(late.is).toBe('POOL_ACQUIRE_TIMEOUT');
  }
  expect(redis.dials.length).toBe(1);
  redis.dials[0]?.succeed();
  await pool.acquire();
  check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
});
