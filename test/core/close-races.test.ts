// Trap 5, about the end in every state; traps.test.ts begins the list.

import { describe, expect, test } from 'vitest';
import type { Pool } from '../../src/pool.ts';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { deferred, follow, take, times, warm } from '../helpers/outcomes.ts';

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
