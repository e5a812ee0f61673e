import { describe, expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { check, deferred, errorOf, follow, times, warm } from '../helpers/outcomes.ts';

/** A pool with `n` connections that have been idle for 5 seconds. */
async function rested(n: number, options = {}) {
  const redis = new FakeRedis();
  const pool = redis.pool(options);
  await warm(pool, n);
  await redis.clock.advance(5000);
  return { redis, pool, pings: () => redis.dials.map((one) => one.pings.length) };
}

describe('a connection that was idle for checkAfterIdleMs', () => {
  test('gets one PING before it is lent, and a younger one none', async () => {
    const { redis, pool, pings } = await rested(1);
    await pool.use(() => {});
    expect(pings()).toEqual([1]);
    await redis.clock.advance(4999);
    await pool.use(() => {});
    expect(pings()).toEqual([1]);
    await redis.clock.advance(5000);
    await pool.use(() => {});
    expect(pings()).toEqual([2]);
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
  });

  test('is not validated when it is new, nor when it is passed on to the next in the queue', async () => {
    const { redis, pool, pings } = await rested(1, { maxActive: 1, checkAfterIdleMs: 0 });
    await Promise.all(times(5, () => pool.use(() => {})));
    expect(pings().reduce((a, b) => a + b)).toBeLessThanOrEqual(5);
    await warm(pool, 1);
    redis.dials[0]?.die();
    await pool.use(() => {});
    expect(pings()[1]).toBe(0);
  });

  test('has a second to answer, or as long as a dial may take, if that is less', async () => {
    for (const [connectTimeoutMs, limit] of [
      [2000, 1000],
      [300, 300],
      [Infinity, 1000],
    ]) {
      const { redis, pool } = await rested(1, { connectTimeoutMs });
      await pool.use(() => {});
      expect(redis.dials[0]?.pings).toEqual([limit]);
    }
  });

  test('if it stays silent, is closed as broken, and the acquire dials', async () => {
    const { redis, pool } = await rested(1);
    for (const connection of redis.dials) connection.pingMs = Infinity;
    const lease = follow(pool.acquire());
    await redis.clock.advance(999);
    expect(lease.is).toBe('pending');
    check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
    await redis.clock.advance(1);
    expect(lease.is).toBe('done');
    check(redis, pool, { dialed: 2, open: 1, inUse: 1 });
    expect(pool.stats().closed.broken).toBe(1);
  });
});

test('of callers whose connections are being validated, the first gets the first that is valid', async () => {
  const { redis, pool } = await rested(3, { maxActive: 3 });
  redis.dial = 'hangs';
  // The last caller is given the first connection.
  for (const one of redis.dials) Object.assign(one, { pingMs: 900, answersPing: one.id === 1 });
  const leases = times(3, () => follow(pool.acquire()));
  await redis.clock.advance(900);
  expect(leases.map(({ is }) => is)).toEqual(['done', 'pending', 'pending']);
  expect(redis.dials.map(({ state }) => state)).toEqual(['open', 'closed', 'closed', 'dialling', 'dialling']);
});

test('after a failed check the acquire dials at once, and does not wait for the socket to be closed', async () => {
  const { redis, pool } = await rested(1);
  redis.closeMs = 500;
  for (const connection of redis.dials) connection.answersPing = false;
  const lease = await pool.acquire();
  expect(lease.connectionId).toBe(2);
  expect(pool.stats()).toMatchObject({ inUse: 1, closing: 1 });
});

describe('when one stayed silent, all that were idle for as long are suspect', () => {
  test('they get their PING in the background, and the silent ones among them go', async () => {
    const { redis, pool, pings } = await rested(4);
    for (const connection of redis.dials.slice(1)) connection.pingMs = Infinity;
    const lease = follow(pool.acquire());
    await redis.clock.advance(1000);
    // The acquire does not wait for the suspects: it has dialled.
    expect(lease.is).toBe('done');
    expect(pings()).toEqual([1, 1, 1, 1, 0]);
    await redis.clock.advance(1000);
    check(redis, pool, { dialed: 5, open: 2, inUse: 1 });
    expect(pool.stats().closed.broken).toBe(3);
  });

  test('one that goes is replaced, if that leaves fewer than minIdle', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ minIdle: 2, maxActive: 3 });
    await pool.ready();
    await redis.clock.advance(5000);
    for (const connection of redis.dials) connection.pingMs = Infinity;
    const lease = follow(pool.acquire());
    await redis.clock.advance(3000);
    expect(lease.is).toBe('done');
    expect(pool.stats()).toMatchObject({ inUse: 1, idle: 2, closed: { broken: 2 } });
  });

  test('those that came to rest later are not, and the acquire takes one of them', async () => {
    const { redis, pool, pings } = await rested(2);
    const [, silent] = redis.dials;
    if (silent) silent.pingMs = Infinity;
    const first = follow(pool.acquire());
    // While the caller waits for the answer of the second, a third comes and goes.
    const suspect = follow(pool.use(() => {}));
    redis.dialMs = 600;
    const young = follow(pool.use(() => {}));
    await redis.clock.advance(600);
    expect([first.is, suspect.is, young.is]).toEqual(['pending', 'done', 'done']);
    await redis.clock.advance(400);
    expect(first.is).toBe('done');
    expect(pings()).toEqual([1, 1, 0]);
    expect(redis.dials.length).toBe(3);
  });

  test('they are lent to nobody until they have answered, and are at rest afterwards', async () => {
    const { redis, pool } = await rested(2, { maxActive: 3 });
    const [suspect, silent] = redis.dials;
    if (!suspect || !silent) throw new Error('two were dialled');
    silent.pingMs = Infinity;
    suspect.pingMs = 500;
    const first = follow(pool.acquire());
    await redis.clock.advance(1000);
    expect(first.is).toBe('done');
    const second = await pool.acquire();
    expect(second.connectionId).toBe(4);
    await redis.clock.advance(500);
    expect(pool.stats()).toMatchObject({ inUse: 2, idle: 1, closed: { broken: 1 } });
    suspect.pingMs = 0;
    expect((await pool.acquire()).connectionId).toBe(1);
  });

  test('one that has replied is lent at once to the first in the queue', async () => {
    const { redis, pool } = await rested(2);
    for (const connection of redis.dials) connection.pingMs = connection.id === 2 ? Infinity : 500;
    redis.dialMs = 2000;
    const served: number[] = [];
    void pool.acquire().then((lease) => served.push(lease.connectionId));
    await redis.clock.advance(1499);
    expect(served).toEqual([]);
    await redis.clock.advance(1);
    expect(served).toEqual([1]);
  });

  test('minIdle does not dial for those that are only being validated', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ minIdle: 4 });
    await redis.clock.advance(5000);
    for (const connection of redis.dials) connection.pingMs = connection.id === 4 ? Infinity : 10;
    const lease = follow(pool.acquire());
    await redis.clock.advance(1010);
    expect(lease.is).toBe('done');
    // One for the caller, and one for the silent one, that rested besides.
    check(redis, pool, { dialed: 6, open: 5, inUse: 1 });
  });
});

describe('testOnBorrow', () => {
  test('is given the client and how long that was idle, at each borrowing of a connection that rested', async () => {
    const redis = new FakeRedis();
    const seen: unknown[] = [];
    const pool = redis.pool({ testOnBorrow: (client, { idleMs }) => seen.push([client, idleMs]) });
    await pool.use(() => {});
    expect(seen).toEqual([]);
    await redis.clock.advance(7);
    await pool.use(() => {});
    expect(seen).toEqual([[redis.dials[0]?.client, 7]]);
  });

  test('comes after the PING, and not at all if that failed', async () => {
    const seen: unknown[] = [];
    const { redis, pool, pings } = await rested(2, {
      testOnBorrow: (client: unknown) =>
        seen.push([redis.dials.findIndex((one) => one.client === client), pings()[0]]),
    });
    const top = redis.dials[1];
    if (top) top.answersPing = false;
    await pool.acquire();
    await settled();
    expect(pings()[1]).toBe(1);
    expect(seen[0]).toEqual([0, 1]); // the suspect, after its PING
    expect(seen).not.toContainEqual([1, expect.anything()]);
  });

  test('that throws closes the connection, and the acquire goes on with the next one', async () => {
    const redis = new FakeRedis();
    const bad = new Set([3, 2]);
    const pool = redis.pool({
      testOnBorrow: (client) => {
        if (redis.dials.some((one) => one.client === client && bad.has(one.id))) throw new Error('no good');
      },
    });
    await warm(pool, 3);
    const lease = await pool.acquire();
    expect(lease.connectionId).toBe(1);
    check(redis, pool, { dialed: 3, open: 1, inUse: 1 });
    expect(pool.stats()).toMatchObject({ acquired: 4, closed: { broken: 2 } });
  });

  test('that takes longer than a dial may is over: its signal is aborted, and the connection closed', async () => {
    const redis = new FakeRedis();
    const signals: AbortSignal[] = [];
    const pool = redis.pool({
      connectTimeoutMs: 100,
      testOnBorrow: (_, { signal }) => {
        signals.push(signal);
        return deferred().promise;
      },
    });
    await warm(pool, 1);
    const lease = follow(pool.acquire());
    await redis.clock.advance(99);
    expect([lease.is, signals[0]?.aborted]).toEqual(['pending', false]);
    await redis.clock.advance(1);
    expect([lease.is, signals[0]?.aborted]).toEqual(['done', true]);
    check(redis, pool, { dialed: 2, open: 1, inUse: 1 });
  });

  test('whose answer comes after the caller left leaves the connection to the next', async () => {
    const redis = new FakeRedis();
    const verdict = deferred();
    const pool = redis.pool({ maxActive: 1, testOnBorrow: () => verdict.promise });
    await warm(pool, 1);
    const late = errorOf(pool.acquire({ timeoutMs: 10 }));
    const next = follow(pool.acquire());
    await redis.clock.advance(10);
    expect(await late).toMatchObject({ code: 'POOL_ACQUIRE_TIMEOUT' });
    verdict.resolve();
    await settled();
    expect(next.is).toBe('done');
    check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
  });
});
