// The 15 traps that connection pools have fallen into; their issue trackers tell of each. Here those about places and
// callers, 1 to 4; in traps-close.test.ts 5, in traps-dials.test.ts 6 to 10, in traps-checks.test.ts 11, in
// traps-state.test.ts 12 and 13, in traps-rest.test.ts 14 and 15.

import { describe, expect, test, vi } from 'vitest';
import type { Pool } from '../../src/pool.ts';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { check, deferred, errorOf, follow, take, warm } from '../helpers/outcomes.ts';

describe('1. served, timed out and aborted in the same tick', () => {
  test.each([
    ['release', 'deadline', 'abort', 'done'],
    ['release', 'abort', 'deadline', 'done'],
    ['deadline', 'release', 'abort', 'POOL_ACQUIRE_TIMEOUT'],
    ['deadline', 'abort', 'release', 'POOL_ACQUIRE_TIMEOUT'],
    ['abort', 'release', 'deadline', 'gave up'],
    ['abort', 'deadline', 'release', 'gave up'],
  ])('of %s, %s and %s the first one counts, and the connection is not lost', async (...order) => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    const held = await pool.acquire();
    const caller = new AbortController();
    const outcomes: ReturnType<typeof follow>[] = [];
    const happen: Record<string, () => unknown> = {
      release: () => redis.clock.after(100, () => held.release()),
      deadline: () => outcomes.push(follow(pool.use(() => {}, { timeoutMs: 100, signal: caller.signal }))),
      abort: () => redis.clock.after(100, () => caller.abort(new Error('gave up'))),
    };
    for (const what of order.slice(0, 3)) happen[what]?.();
    redis.clock.leap(100);
    await settled();
    expect(outcomes.map((one) => one.is)).toEqual(order.slice(3));
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
    await pool.use(() => {});
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
  });

  test.each(['a dial', 'a check'])(
    'when %s ends at the deadline, its connection stays for the next',
    async (what) => {
      const redis = new FakeRedis();
      const pool = redis.pool({ maxActive: 1, checkAfterIdleMs: 0 });
      redis.dialMs = 100;
      if (what === 'a check') {
        const warmed = warm(pool, 1);
        await redis.clock.advance(100);
        await warmed;
        for (const connection of redis.dials) connection.pingMs = 100;
      }
      const late = follow(pool.acquire({ timeoutMs: 100 }));
      await settled();
      redis.clock.leap(100);
      await settled();
      expect(late.is).toBe('POOL_ACQUIRE_TIMEOUT');
      check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
    },
  );

  test('one that gives up during the dial leaves the connection to the next in the queue', async () => {
    const redis = new FakeRedis();
    const caller = new AbortController();
    const pool = redis.pool({ maxActive: 1, hooks: { release: () => caller.abort(new Error('gave up')) } });
    const held = await pool.acquire();
    const first = follow(pool.acquire({ signal: caller.signal }));
    const second = follow(pool.acquire());
    held.release();
    await settled();
    expect([first.is, second.is]).toEqual(['gave up', 'done']);
    check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
  });
});

/** Unusual ways to leave. Each takes the only place of the pool and must give it back. */
const exits: Record<
  string,
  (redis: FakeRedis, pool: Pool, tests: { run: () => unknown }) => Promise<unknown>
> = {
  'a dial that fails': async (redis, pool) => {
    redis.dial = 'fails';
    await errorOf(pool.acquire());
  },
  'a dial that fails after its caller left': async (redis, pool) => {
    redis.dial = 'hangs';
    await Promise.all([errorOf(pool.acquire({ timeoutMs: 5 })), redis.clock.advance(5)]);
    redis.dials[0]?.fail();
  },
  'work that throws': (_, pool) =>
    errorOf(
      pool.use(() => {
        throw new Error('my own');
      }),
    ),
  'work that rejects': (_, pool) => errorOf(pool.use(() => Promise.reject(new Error('my own')))),
  'a check that throws': async (_, pool, tests) => {
    await warm(pool, 1);
    tests.run = () => {
      throw new Error('no good');
    };
    await pool.use(() => {});
  },
  'a check that never ends': async (redis, pool, tests) => {
    await warm(pool, 1);
    tests.run = () => deferred().promise;
    await Promise.all([pool.use(() => {}), redis.clock.advance(2000)]);
  },
  'a check that fails after its caller left': async (redis, pool, tests) => {
    await warm(pool, 1);
    const verdict = deferred();
    tests.run = () => verdict.promise;
    await Promise.all([errorOf(pool.acquire({ timeoutMs: 5 })), redis.clock.advance(5)]);
    verdict.reject(new Error('no good'));
  },
  'a PING without an answer': async (redis, pool) => {
    await warm(pool, 1);
    for (const connection of redis.dials) connection.pingMs = Infinity;
    await redis.clock.advance(5000);
    await Promise.all([pool.use(() => {}), redis.clock.advance(1000)]);
  },
  'a connection that dies under its borrower': (redis, pool) =>
    pool.use((lease) => behind(redis, lease).die()),
  'a connection that dies at rest': async (redis, pool) => {
    await warm(pool, 1);
    redis.dials[0]?.die();
  },
  'a destroyed lease': async (_, pool) => (await pool.acquire()).destroy(),
  'a connection that comes back dirty': (_, pool) => pool.use((lease) => lease.call('MONITOR')),
  'a connection that never comes clean': async (redis, pool) => {
    await pool.use((lease) => {
      behind(redis, lease).client.holdReplies = true;
      lease.get('k').catch(() => {});
    });
    await redis.clock.advance(1000);
  },
  'a clear() during the dial': async (redis, pool) => {
    redis.dialMs = 10;
    const lease = pool.acquire();
    await settled();
    pool.clear();
    await redis.clock.advance(20);
    (await lease).release();
  },
};

test.each(Object.entries(exits))('2. after %s the one place is free again', async (_, exit) => {
  const redis = new FakeRedis();
  const tests = { run: (): unknown => undefined };
  const pool = redis.pool({ maxActive: 1, testOnBorrow: () => tests.run() });
  await exit(redis, pool, tests);
  await redis.clock.advance(100); // more than the first back-off
  Object.assign(redis, { dial: 'succeeds', dialMs: 0 });
  tests.run = () => undefined;
  const lease = await pool.acquire();
  expect(pool.stats()).toMatchObject({ total: 1, inUse: 1, idle: 0, connecting: 0, closing: 0, waiting: 0 });
  expect(redis.sockets).toBe(1);
  lease.release();
  await pool.close();
  expect(redis.sockets).toBe(0);
});

test('2. a listener that throws at every turn costs neither a place nor a caller', async () => {
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const redis = new FakeRedis();
  const thrower = () => {
    throw new Error('listener');
  };
  const hooks = { acquire: thrower, release: thrower, connecting: thrower, connect: thrower, close: thrower };
  const pool = redis.pool({
    maxActive: 1,
    outageWaitMs: 0,
    hooks: { ...hooks, wait: thrower, connectError: thrower },
  });
  const held = await pool.acquire();
  const next = pool.acquire();
  held.destroy();
  (await next).release();
  redis.dials[1]?.die();
  redis.dial = 'fails';
  expect(await errorOf(pool.acquire())).toMatchObject({ code: 'POOL_CONNECT_FAILED' });
  check(redis, pool, { dialed: 3, open: 0, inUse: 0 });
  expect(warning).toHaveBeenCalled();
  warning.mockRestore();
});

describe('3. a lease that ends more than once', () => {
  test('gives its connection back once', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2 });
    const lease = await pool.acquire();
    lease.release();
    lease.release();
    lease[Symbol.dispose]();
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
    const [a, b] = await take(pool, 2);
    expect(a?.connectionId).not.toBe(b?.connectionId);
  });

  test('cannot touch the next borrower of its connection', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    const stale = await pool.acquire();
    stale.release();
    const current = await pool.acquire();
    stale.release();
    stale.destroy();
    const waiting = follow(pool.acquire());
    await settled();
    expect(waiting.is).toBe('pending');
    await expect(current.get('k')).resolves.toBe('OK');
    check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
  });

  test('does not make room for one connection more', async () => {
    const redis = new FakeRedis();
    redis.closeMs = 50;
    const pool = redis.pool({ maxActive: 1 });
    const lease = await pool.acquire();
    lease.destroy();
    lease.destroy();
    lease.release();
    const next = take(pool, 1);
    await redis.clock.advance(200);
    await next;
    expect(redis.peak).toBe(1);
    expect(pool.stats()).toMatchObject({ total: 1, closed: { destroyed: 1 } });
  });
});

test.each<[string, (redis: FakeRedis, pool: Pool) => Promise<unknown>]>([
  ['is destroyed', async (_, pool) => (await pool.acquire()).destroy()],
  ['is disconnected by its borrower', async (_, pool) => (await pool.acquire()).disconnect()],
  ['dies under its borrower', (redis, pool) => pool.use((lease) => behind(redis, lease).die())],
  ['comes back dirty', (_, pool) => pool.use((lease) => lease.call('MONITOR'))],
  ['comes back after clear()', (_, pool) => pool.use(() => pool.clear())],
  ['comes back too old', (redis, pool) => pool.use(() => redis.clock.advance(1000))],
])('4. when the only connection %s, those who wait are served by another', async (_, lose) => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1, maxLifetimeMs: 1000 });
  const losing = lose(redis, pool);
  const waiting = follow(pool.acquire());
  await losing;
  await settled();
  expect(waiting.is).toBe('done');
  check(redis, pool, { dialed: 2, open: 1, inUse: 1 });
});
