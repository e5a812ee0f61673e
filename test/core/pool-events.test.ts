import { expect, test } from 'vitest';
import type { PoolStats } from '../../src/api/stats.ts';
import type { Pool } from '../../src/pool.ts';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { errorOf, record, take, warm } from '../helpers/outcomes.ts';

/** What a listener hears, without what every event carries. */
function story(pool: Pool) {
  const all = record(pool);
  return () =>
    all.splice(0).map(({ name, event }) => {
      const { pool: _, stats: __, ...detail } = event;
      return { [name]: detail };
    });
}

/** A day in the life of a pool of two: everything there is an event for. */
async function everything(redis: FakeRedis, pool: Pool): Promise<void> {
  const [a, b] = await take(pool, 2);
  const caller = new AbortController();
  const line = [
    errorOf(pool.acquire({ timeoutMs: 10 })),
    errorOf(pool.acquire({ signal: caller.signal })),
    errorOf(pool.acquire()), // one too many
  ];
  caller.abort();
  await redis.clock.advance(10);
  await Promise.all(line);
  await redis.clock.advance(1000); // both leak
  a?.release();
  b?.destroy();
  await settled();
  pool.clear();
  await settled();
  redis.dial = 'fails';
  await errorOf(pool.acquire());
  redis.dial = 'succeeds';
  await redis.clock.advance(50);
  await pool.use((lease) => lease.call('MONITOR'));
  await pool.use((lease) => behind(redis, lease).die());
  await warm(pool, 2); // one of them excess
  await pool.close();
}

const options = {
  maxActive: 2,
  maxIdle: 1,
  maxWaiting: 2,
  outageWaitMs: 0,
  leakThresholdMs: 500,
  name: 'sessions',
};

test('events report the life of a connection, from the dial to its end', async () => {
  const redis = new FakeRedis();
  redis.dialMs = 5;
  const pool = redis.pool();
  const heard = story(pool);
  const lease = pool.acquire();
  await redis.clock.advance(5);
  expect(heard()).toEqual([
    { connecting: { connectionId: 1 } },
    { connect: { connectionId: 1, durationMs: 5 } },
    { acquire: { connectionId: 1, waitedMs: 5, connected: true } },
  ]);
  await redis.clock.advance(30);
  (await lease).release();
  expect(heard()).toEqual([{ release: { connectionId: 1, heldMs: 30 } }]);
  await redis.clock.advance(100);
  await pool.use(() => {});
  expect(heard()).toEqual([
    { acquire: { connectionId: 1, waitedMs: 0, connected: false } },
    { release: { connectionId: 1, heldMs: 0 } },
  ]);
  pool.clear();
  expect(heard()).toEqual([
    { clear: {} },
    { close: { connectionId: 1, reason: 'cleared', ageMs: 130, uses: 2 } },
  ]);
  await pool.close();
  expect(heard()).toEqual([{ drain: {} }]);
});

test('a failed dial is reported with its error and duration, and uses a number', async () => {
  const redis = new FakeRedis();
  Object.assign(redis, { dial: 'fails', dialMs: 5, dialError: new Error('connect ECONNREFUSED') });
  const pool = redis.pool();
  const heard = story(pool);
  await Promise.all([errorOf(pool.acquire()), redis.clock.advance(5)]);
  redis.dial = 'succeeds';
  await redis.clock.advance(50);
  await Promise.all([pool.acquire(), redis.clock.advance(5)]);
  expect(heard()).toEqual([
    { connecting: { connectionId: 1 } },
    { connectError: { connectionId: 1, durationMs: 5, error: redis.dialError } },
    { connecting: { connectionId: 2 } },
    { connect: { connectionId: 2, durationMs: 5 } },
    { acquire: { connectionId: 2, waitedMs: 5, connected: true } },
  ]);
});

test('events report that callers wait, give up, are refused or are served at last', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1, maxWaiting: 3 });
  const held = await pool.acquire();
  const heard = story(pool);
  const caller = new AbortController();
  const line = [pool.acquire({ timeoutMs: 10 }), pool.acquire({ signal: caller.signal }), pool.acquire()];
  const refused = errorOf(pool.acquire());
  expect(heard()).toEqual([
    { wait: { waiting: 1 } },
    { wait: { waiting: 2 } },
    { wait: { waiting: 3 } },
    { exhausted: { waiting: 3 } },
  ]);
  const gaveUp = line.slice(0, 2).map(errorOf);
  await redis.clock.advance(7);
  caller.abort();
  await redis.clock.advance(10);
  held.release();
  await Promise.all([refused, ...gaveUp, line[2]]);
  expect(heard()).toEqual([
    { abort: { waitedMs: 7 } },
    { timeout: { waitedMs: 10 } },
    { release: { connectionId: 1, heldMs: 17 } },
    { acquire: { connectionId: 1, waitedMs: 17, connected: false } },
  ]);
  await errorOf(pool.acquire({ signal: AbortSignal.abort() }));
  expect(heard()).toEqual([{ abort: { waitedMs: 0 } }]);
});

test.each<[string, object, (redis: FakeRedis, pool: Pool) => unknown]>([
  ['idle', {}, (redis) => redis.clock.advance(70_000)],
  ['lifetime', { maxLifetimeMs: 1000 }, (redis) => redis.clock.advance(10_000)],
  ['broken', {}, (redis) => redis.dials[0]?.die()],
  ['dirty', {}, (_, pool) => pool.use((lease) => lease.call('MONITOR'))],
  ['excess', { maxIdle: 0 }, () => {}],
  ['cleared', {}, (_, pool) => pool.clear()],
  ['stale', {}, (redis) => redis.dials[0]?.owner.unwanted('readOnly')],
  ['destroyed', {}, (_, pool) => pool.use((lease) => lease.destroy())],
  ['poolClosed', {}, (_, pool) => pool.close()],
])('a connection is closed for the reason %s, which is told and counted', async (reason, given, close) => {
  const redis = new FakeRedis();
  const reasons: string[] = [];
  const pool = redis.pool({ ...given, hooks: { close: (event) => reasons.push(event.reason) } });
  await warm(pool, 1);
  await close(redis, pool);
  await settled();
  expect(reasons).toEqual([reason]);
  expect(Object.entries(pool.stats().closed).filter(([, n]) => n > 0)).toEqual([[reason, 1]]);
});

test('every event there is comes to pass, names the pool and carries its numbers of that moment', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool(options);
  const events = record(pool);
  await everything(redis, pool);
  expect(new Set(events.map(({ name }) => name)).size).toBe(13);
  for (const { name, event } of events) {
    expect(event).toMatchObject({ pool: 'sessions', stats: { maxActive: 2 } });
    expect(Object.isFrozen(event['stats'])).toBe(true);
    const { total, inUse, idle, connecting, closing, connected, closed } = event['stats'] as PoolStats;
    expect(inUse + idle + connecting + closing, name).toBe(total);
    expect(total).toBeLessThanOrEqual(2);
    const ended = Object.values(closed).reduce((a, b) => a + b);
    expect(inUse + idle + ended, name).toBe(connected);
  }
});

test('a listener for clear that acquires gets a new connection', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  await pool.use(() => {});
  const taken: Promise<number>[] = [];
  pool.on('clear', () => taken.push(pool.use(({ connectionId }) => connectionId)));
  pool.clear();
  expect(await Promise.all(taken)).toEqual([2]);
});

test('counters are the numbers of events, whether or not anyone has listened', async () => {
  const [heard, silent] = [new FakeRedis(), new FakeRedis()];
  const [one, other] = [heard.pool(options), silent.pool(options)];
  const events = record(one);
  await everything(heard, one);
  await everything(silent, other);
  expect(other.stats()).toEqual(one.stats());
  const count = (name: string) => events.filter((event) => event.name === name).length;
  expect(one.stats()).toMatchObject({
    acquired: count('acquire'),
    timedOut: count('timeout'),
    exhausted: count('exhausted'),
    aborted: count('abort'),
    connected: count('connect'),
    connectFailed: count('connectError'),
    waits: count('wait'),
    leaked: events.filter(({ name, event }) => name === 'leak' && !event['returned']).length,
  });
  const ended = Object.values(one.stats().closed).reduce((a, b) => a + b);
  expect(ended).toBe(count('close'));
  expect(count('acquire')).toBe(count('release'));
  expect(count('connecting')).toBe(count('connect') + count('connectError'));
});

test('stats() is a frozen snapshot that later events leave as it is', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  const before = pool.stats();
  await pool.acquire();
  expect(before).toMatchObject({ total: 0, acquired: 0 });
  expect(Object.isFrozen(before) && Object.isFrozen(before.closed)).toBe(true);
  expect(pool.stats()).toMatchObject({ total: 1, acquired: 1 });
});
