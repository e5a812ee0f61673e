import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { check, errorOf, follow, take, times, warm } from '../helpers/outcomes.ts';

test('by default ten connections are the most, and the eleventh caller waits', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  const leases = await take(pool, 10);
  const eleventh = follow(pool.acquire());
  await settled();
  check(redis, pool, { dialed: 10, open: 10, inUse: 10 });
  expect([eleventh.is, pool.stats().waiting]).toEqual(['pending', 1]);
  leases[3]?.release();
  await settled();
  expect(eleventh.is).toBe('done');
});

describe('callers in the queue', () => {
  test('are served in the order they came, and nobody who comes later is served before', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    const held = await pool.acquire();
    const order: number[] = [];
    const jobs = times(5, (i) => pool.use(() => void order.push(i)));
    held.release();
    jobs.push(pool.use(() => void order.push(5)));
    await Promise.all(jobs);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('who give up leave no place, no timer and no listener behind, though Redis hangs', async () => {
    const redis = new FakeRedis();
    redis.dial = 'hangs';
    const pool = redis.pool({ maxActive: 1 });
    const { signal } = new AbortController();
    const caller = new AbortController();
    const hasty = times(3, () => follow(pool.acquire({ signal, timeoutMs: 100 })));
    const aborted = follow(pool.acquire({ signal: caller.signal }));
    expect(pool.stats()).toMatchObject({ connecting: 1, waiting: 3 });
    caller.abort();
    expect(pool.stats().waiting).toBe(2);
    await redis.clock.advance(100);
    expect(hasty.map((one) => one.is)).toEqual(times(3, () => 'POOL_ACQUIRE_TIMEOUT'));
    expect(aborted.error).toBe(caller.signal.reason);
    expect(pool.stats()).toMatchObject({ waiting: 0, waits: 3, timedOut: 3, aborted: 1, waitMs: 200 });
    expect(redis.clock.timers()).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  });

  test('may have their own timeoutMs: 0, or Infinity', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1, acquireTimeoutMs: 1000 });
    const held = await pool.acquire();
    const [zero, usual, patient] = [{ timeoutMs: 0 }, {}, { timeoutMs: Infinity }].map((options) =>
      follow(pool.acquire(options)),
    );
    await redis.clock.advance(0);
    expect([zero?.is, usual?.is]).toEqual(['POOL_ACQUIRE_TIMEOUT', 'pending']);
    await redis.clock.advance(1000);
    expect([usual?.is, patient?.is]).toEqual(['POOL_ACQUIRE_TIMEOUT', 'pending']);
    await redis.clock.advance(3_600_000);
    expect(patient?.is).toBe('pending');
    held.release();
    await settled();
    expect(patient?.is).toBe('done');
  });
});

describe('wait: false', () => {
  test('refuses at once, with numbers', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2, wait: false, name: 'sessions' });
    await take(pool, 2);
    const error = await errorOf(pool.acquire());
    expect(error).toMatchObject({
      code: 'POOL_EXHAUSTED',
      pool: 'sessions',
      stats: { maxActive: 2, inUse: 2, exhausted: 1, waiting: 0 },
    });
    expect(String(error)).toContain('wait is false');
    expect(String(error)).toContain('maxActive 2: 2 in use, 0 idle, 0 connecting; 0 waiting; 2 leases held');
    expect(pool.stats()).toMatchObject({ exhausted: 1, waits: 0 });
  });

  test('does not refuse those for whom there is a slot, though maxConnecting delays their dials', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 10;
    const pool = redis.pool({ maxActive: 5, maxConnecting: 1, wait: false });
    const callers = times(6, () => follow(pool.acquire()));
    await redis.clock.advance(50);
    expect(callers.map((one) => one.is)).toEqual([...times(5, () => 'done'), 'POOL_EXHAUSTED']);
    expect(pool.stats()).toMatchObject({ waits: 0, exhausted: 1 });
  });

  test('does not refuse a caller who finds only connections that were idle for too long', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1, wait: false, idleTimeoutMs: 1000, reapIntervalMs: Infinity });
    await warm(pool, 1);
    await redis.clock.advance(1001);
    const lease = await pool.acquire();
    expect(lease.connectionId).toBe(2);
    expect(redis.peak).toBe(1);
  });

  test('does not refuse a caller whose connection fails its check', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1, wait: false, checkAfterIdleMs: 0 });
    await warm(pool, 1);
    for (const connection of redis.dials) connection.answersPing = false;
    const lease = await pool.acquire();
    expect(lease.connectionId).toBe(2);
    check(redis, pool, { dialed: 2, open: 1, inUse: 1 });
  });
});

describe('maxWaiting', () => {
  test('bounds the line: the next one is refused, until there is room again', async () => {
    const redis = new FakeRedis();
    redis.dialMs = 10;
    const pool = redis.pool({ maxActive: 2, maxWaiting: 3 });
    const caller = new AbortController();
    // Two of the five have a slot to come, and do not count as waiting.
    const line = [...times(4, () => follow(pool.acquire())), follow(pool.acquire({ signal: caller.signal }))];
    await settled();
    expect(pool.stats()).toMatchObject({ connecting: 2, waiting: 3, exhausted: 0 });
    const error = await errorOf(pool.acquire());
    expect(error).toMatchObject({ code: 'POOL_EXHAUSTED', stats: { waiting: 3, exhausted: 1 } });
    expect(String(error)).toContain('3 callers wait already (maxWaiting)');
    caller.abort(new Error('gave up'));
    const next = follow(pool.acquire());
    await redis.clock.advance(10);
    expect(line.map((one) => one.is)).toEqual(['done', 'done', 'pending', 'pending', 'gave up']);
    expect([next.is, pool.stats().waiting]).toEqual(['pending', 3]);
  });

  test('0 lets nobody wait', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1, maxWaiting: 0 });
    const lease = await pool.acquire();
    expect(await errorOf(pool.acquire())).toMatchObject({ code: 'POOL_EXHAUSTED' });
    lease.release();
    await pool.acquire();
    expect(pool.stats()).toMatchObject({ acquired: 2, waits: 0, exhausted: 1 });
  });

  test('does not put out one whose check failed, though the line is full meanwhile', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1, maxWaiting: 1, checkAfterIdleMs: 0, connectTimeoutMs: 100 });
    await warm(pool, 1);
    for (const connection of redis.dials) connection.pingMs = Infinity;
    const served: string[] = [];
    const first = follow(pool.use(() => served.push('first')));
    const second = follow(pool.use(() => served.push('second')));
    expect(await errorOf(pool.acquire())).toMatchObject({ code: 'POOL_EXHAUSTED' });
    await redis.clock.advance(100);
    expect([first.is, second.is]).toEqual(['done', 'done']);
    expect(served).toEqual(['first', 'second']);
  });
});

describe('a time-out reports the state of the pool', () => {
  test('the bound, the connections, the line and the leases', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 3, name: 'sessions' });
    await pool.acquire();
    await redis.clock.advance(12);
    await pool.acquire();
    redis.dial = 'hangs';
    const line = times(3, () => follow(pool.acquire({ timeoutMs: 5000 })));
    const patient = follow(pool.acquire({ timeoutMs: 6000 }));
    await redis.clock.advance(5000);
    expect(line.map((one) => one.is)).toEqual(times(3, () => 'POOL_ACQUIRE_TIMEOUT'));
    expect(String(line[0]?.error)).toContain(
      'no connection within 5000 ms (maxActive 3: 2 in use, 0 idle, 1 connecting; 2 waiting; 2 leases held, oldest 5012 ms)',
    );
    expect(String(line[0]?.error)).toContain('sessions');
    expect(line[0]?.error).toMatchObject({
      pool: 'sessions',
      stats: { inUse: 2, connecting: 1, timedOut: 1 },
    });
    expect(line[0]?.error).not.toHaveProperty('cause');
    expect(patient.is).toBe('pending');
  });

  test('those being closed, if there are any', async () => {
    const redis = new FakeRedis();
    redis.closeMs = Infinity;
    const pool = redis.pool({ maxActive: 1 });
    (await pool.acquire()).destroy();
    const late = follow(pool.acquire({ timeoutMs: 10 }));
    await redis.clock.advance(10);
    expect(String(late.error)).toContain(
      'within 10 ms (maxActive 1: 0 in use, 0 idle, 0 connecting, 1 closing; 0 waiting; 0 leases held)',
    );
  });
});

describe('maxIdle', () => {
  test('is the most that rest: the next to come back is closed, as excess', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxIdle: 2 });
    const [a, b, c] = await take(pool, 3);
    for (const lease of [a, b, c]) lease?.release();
    await settled();
    check(redis, pool, { dialed: 3, open: 2, inUse: 0 });
    expect(redis.dials.map((one) => one.state)).toEqual(['open', 'open', 'closed']);
    expect(pool.stats().closed.excess).toBe(1);
  });

  test('0 keeps none, but callers in the queue still get what is released', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1, maxIdle: 0 });
    await Promise.all(times(5, () => pool.use(() => {})));
    await settled();
    check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
    expect(pool.stats()).toMatchObject({ acquired: 5, closed: { excess: 1 } });
  });
});
