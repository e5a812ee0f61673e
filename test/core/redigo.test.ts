// The tests of redigo's pool (redis/pool_test.go), in our words and with its counts; those about callers in line are in
// redigo-waiting.test.ts. Where the pool decides otherwise, its own behaviour is tested; these are all the differences:
//
// - Above maxIdle redigo closes the connection that rested longest, here the one that comes back: it is at hand.
// - A lifetime ends a random 0 to 10 % early, so that connections dialled together do not all end together.
// - A check before lending is told how long the connection was idle, not when it was last used: time is monotonic.
// - A caller that gives up during a check leaves at once, and the connection stays if it passes (redigo closes it
//   and dials again: 2 dialled, 0 open): the connection has done nothing wrong.
// - A subscribed connection is closed instead of sending UNSUBSCRIBE, PUNSUBSCRIBE and ECHO: that is three commands
//   and an unbounded wait to save one dial, and messages already under way would reach the next borrower.
// - Redis down, 10 waiting: one failed dial rejects all that wait (redigo dials once for each: 10 dialled).
// - A dial whose caller gave up goes on, and serves the next one (redigo cancels it, and dials again).
// - WaitCount and WaitDuration are exact, since one state machine counts, and include those that gave up.
// - Closing waits for what is lent, up to its grace; redigo returns at once.
// - acquire() rejects; redigo's Get() returns a connection on which everything fails.
//
// Not here: split Send/Receive and Dial against DialContext (Go's own), the benchmarks (bench/), and the stress of
// goroutines against locks (one thread).

import { describe, expect, test } from 'vitest';
import type { Pool } from '../../src/pool.ts';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { check, deferred, errorOf, follow, warm } from '../helpers/outcomes.ts';

/** Borrows once and gives back, `n` times. */
async function borrow(pool: Pool, n: number): Promise<void> {
  for (let i = 0; i < n; i++) await pool.use((lease) => lease.ping());
  await settled();
}

test('two connections serve ten rounds of two borrowers, and close takes both (TestPoolReuse)', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxIdle: 2 });
  for (let round = 0; round < 10; round++) await warm(pool, 2);
  check(redis, pool, { dialed: 2, open: 2, inUse: 0 });
  await pool.close();
  check(redis, pool, { dialed: 2, open: 0, inUse: 0 });
});

test('a third borrower beyond maxIdle costs a dial in each round (TestPoolMaxIdle)', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxIdle: 2 });
  for (let round = 0; round < 10; round++) {
    await warm(pool, 3);
    await settled();
  }
  check(redis, pool, { dialed: 12, open: 2, inUse: 0 });
  expect(pool.stats().closed.excess).toBe(10);
  await pool.close();
  check(redis, pool, { dialed: 12, open: 0, inUse: 0 });
});

test('a connection that broke is closed when it comes back (TestPoolError)', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxIdle: 2 });
  for (let round = 0; round < 2; round++) {
    const lease = await pool.acquire();
    behind(redis, lease).die();
    lease.release();
    await settled();
  }
  check(redis, pool, { dialed: 2, open: 0, inUse: 0 });
  expect(pool.stats().closed.broken).toBe(2);
});

test('close takes the idle ones now, and those that are lent when they come back (TestPoolClose)', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxIdle: 2 });
  const [a, b, c] = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
  a.release();
  await expect(a.ping()).rejects.toMatchObject({ code: 'POOL_LEASE_RELEASED' });
  a.release();
  b.release();
  check(redis, pool, { dialed: 3, open: 3, inUse: 1 });
  const closing = follow(pool.close());
  await settled();
  check(redis, pool, { dialed: 3, open: 1, inUse: 1 });
  expect(closing.is).toBe('pending');
  await expect(c.ping()).resolves.toBe('OK');
  c.release();
  await closing.promise;
  check(redis, pool, { dialed: 3, open: 0, inUse: 0 });
  expect(await errorOf(pool.acquire())).toMatchObject({ code: 'POOL_CLOSED' });
});

test('after its return a lease does nothing at all (TestPoolClosedConn)', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  const lease = await pool.acquire();
  lease.release();
  for (const command of [
    lease.get('k'),
    lease.call('PING'),
    lease.multi({ pipeline: false }),
    lease.quit(),
  ]) {
    expect(await errorOf(command)).toMatchObject({ code: 'POOL_LEASE_RELEASED' });
  }
  expect(behind(redis, lease).client.log).toEqual([]);
});

test.each([
  ['one that was idle for too long (TestPoolIdleTimeout)', { idleTimeoutMs: 300_000 }, 300_001, 'idle'],
  ['one that has lived its life (TestPoolMaxLifetime)', { maxLifetimeMs: 300_000 }, 300_000, 'lifetime'],
] as const)('is not lent but replaced: %s', async (_, limit, ms, reason) => {
  const redis = new FakeRedis();
  const pool = redis.pool({ idleTimeoutMs: Infinity, reapIntervalMs: Infinity, maxIdle: 2, ...limit });
  await borrow(pool, 1);
  await redis.clock.advance(ms - 1);
  await borrow(pool, 1);
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
  await redis.clock.advance(reason === 'idle' ? ms : 1);
  await borrow(pool, 1);
  check(redis, pool, { dialed: 2, open: 1, inUse: 0 });
  expect(pool.stats().closed[reason]).toBe(1);
});

describe('a check before lending (TestPoolBorrowCheck)', () => {
  test.each([
    [
      'throws',
      () => {
        throw new Error('no good');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no good'))],
  ])('that %s costs a dial each time', async (_, testOnBorrow) => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxIdle: 2, testOnBorrow });
    await borrow(pool, 10);
    check(redis, pool, { dialed: 10, open: 1, inUse: 0 });
  });

  test('that passes costs none, and gets how long the connection was idle', async () => {
    const redis = new FakeRedis();
    const heard: number[] = [];
    const signals = new Set<boolean>();
    const pool = redis.pool({
      maxIdle: 2,
      testOnBorrow: (_, { idleMs, signal }) => {
        heard.push(idleMs);
        signals.add(signal.aborted);
      },
    });
    for (let i = 1; i <= 10; i++) {
      await borrow(pool, 1);
      await redis.clock.advance(i);
    }
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
    expect(heard).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect([...signals]).toEqual([false]);
  });

  test('whose caller gives up meanwhile does not cost the connection (context.Canceled)', async () => {
    const redis = new FakeRedis();
    const verdict = deferred();
    const pool = redis.pool({ maxIdle: 2, testOnBorrow: () => verdict.promise });
    await warm(pool, 1);
    const caller = new AbortController();
    const outcome = follow(pool.acquire({ signal: caller.signal }));
    caller.abort(new Error('canceled'));
    await settled();
    expect(outcome.is).toBe('canceled');
    verdict.resolve();
    await settled();
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
  });
});

test.each(['monitor', 'subscribe', 'psubscribe'])(
  'after %s the connection is closed, and nothing else is sent on it (TestPoolMonitorCleanup, TestPoolPubSubCleanup)',
  async (name) => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxIdle: 2 });
    await pool.use((lease) => lease.call(name, 'x'));
    await settled();
    expect(redis.dials[0]?.client.log).toEqual([`${name} x`]);
    check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
    expect(pool.stats().closed.dirty).toBe(1);
  },
);

test.each([
  ['watch k, ping', 'unwatch'],
  ['watch k, unwatch, ping', undefined],
  ['watch k, multi, ping', 'discard'],
  ['watch k, multi, discard, ping', undefined],
  ['watch k, multi, exec, ping', undefined],
])('after %s the connection is sent %s, and kept (TestPoolTransactionCleanup)', async (sent, undo) => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxIdle: 2 });
  const commands = sent.split(', ');
  const lease = await pool.acquire();
  for (const command of commands) {
    const [name = '', ...args] = command.split(' ');
    await lease.call(name, ...args);
  }
  lease.release();
  await settled();
  expect(behind(redis, lease).client.log).toEqual(undo ? [...commands, undo] : commands);
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
});
