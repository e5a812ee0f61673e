// The rest of redigo's pool tests: callers in line. redigo.test.ts lists the differences.

import { expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { check, errorOf, follow, take, times, warm } from '../helpers/outcomes.ts';

/** A pool of one connection, that one lent, and 10 callers in line who each do `work`. */
async function tenInLine(redis: FakeRedis, work: (id: number) => void = () => {}) {
  const pool = redis.pool({ maxActive: 1, outageWaitMs: 0 });
  const held = await pool.acquire();
  const ten = times(10, () => follow(pool.use((lease) => work(lease.connectionId))));
  await settled();
  check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
  expect(pool.stats()).toMatchObject({ waiting: 10, waits: 10 });
  return { pool, held, outcomes: () => ten.map((one) => one.is) };
}

test('a third caller at maxActive 2 is refused, until one comes back (TestPoolMaxActive)', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 2, wait: false });
  const [a] = await take(pool, 2);
  check(redis, pool, { dialed: 2, open: 2, inUse: 2 });
  expect(await errorOf(pool.acquire())).toMatchObject({ code: 'POOL_EXHAUSTED' });
  check(redis, pool, { dialed: 2, open: 2, inUse: 2 });
  a?.release();
  check(redis, pool, { dialed: 2, open: 2, inUse: 1 });
  await pool.acquire();
  check(redis, pool, { dialed: 2, open: 2, inUse: 2 });
});

test('waits and the time spent in them are counted (TestPoolWaitStats)', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 2 });
  const [a] = await take(pool, 2);
  const third = pool.acquire();
  expect(pool.stats()).toMatchObject({ waits: 1, waitMs: 0 });
  await redis.clock.advance(100);
  a?.release();
  await third;
  check(redis, pool, { dialed: 2, open: 2, inUse: 2 });
  expect(pool.stats()).toMatchObject({ waits: 1, waitMs: 100 });
});

test('one return is enough for all ten in the queue, one after another (TestWaitPool)', async () => {
  const redis = new FakeRedis();
  const { pool, held, outcomes } = await tenInLine(redis);
  held.release();
  await settled();
  expect(outcomes()).toEqual(times(10, () => 'done'));
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
});

test('closing rejects all ten in the queue, and not with POOL_EXHAUSTED (TestWaitPoolClose)', async () => {
  const redis = new FakeRedis();
  const { pool, held, outcomes } = await tenInLine(redis);
  const closing = pool.close();
  await settled();
  expect(outcomes()).toEqual(times(10, () => 'POOL_CLOSED'));
  check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
  held.release();
  await closing;
  check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
});

test('ten in the queue that each break their connection are all served (TestWaitPoolCommandError)', async () => {
  const redis = new FakeRedis();
  const { pool, held, outcomes } = await tenInLine(redis, (id) => redis.dials[id - 1]?.die());
  held.release();
  await settled();
  expect(outcomes()).toEqual(times(10, () => 'done'));
  check(redis, pool, { dialed: 10, open: 0, inUse: 0 });
});

test('when dialling fails, one of ten gets what was released, and nine reject with the cause (TestWaitPoolDialError)', async () => {
  const redis = new FakeRedis();
  const { pool, held, outcomes } = await tenInLine(redis, (id) => redis.dials[id - 1]?.die());
  redis.dial = 'fails';
  held.release();
  await settled();
  expect(outcomes()).toEqual(['done', ...times(9, () => 'POOL_CONNECT_FAILED')]);
  check(redis, pool, { dialed: 2, open: 0, inUse: 0 });
});

test('100 idle connections that all fail their check are replaced for 100 callers (TestLocking)', async () => {
  const redis = new FakeRedis();
  const testOnBorrow = () => Promise.reject(new Error('no good'));
  const pool = redis.pool({ maxActive: 100, testOnBorrow });
  await warm(pool, 100);
  check(redis, pool, { dialed: 100, open: 100, inUse: 0 });
  await take(pool, 100);
  check(redis, pool, { dialed: 200, open: 100, inUse: 100 });
});

test('a signal that is never aborted changes nothing (TestWaitPoolGetContext)', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  await pool.use(() => {}, { signal: new AbortController().signal });
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
});

test('after a caller whose time was too short, the next one is served (Issue520)', async () => {
  const redis = new FakeRedis();
  redis.dialMs = 10;
  const pool = redis.pool({ maxActive: 1 });
  const hasty = follow(pool.acquire({ timeoutMs: 0 }));
  const patient = follow(pool.acquire());
  await redis.clock.advance(10);
  expect([hasty.is, patient.is]).toEqual(['POOL_ACQUIRE_TIMEOUT', 'done']);
  check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
});

test('a pool that is closed before its first use serves nobody (TestWaitPoolGetAfterClose)', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  await pool.close();
  expect(await errorOf(pool.acquire())).toMatchObject({ code: 'POOL_CLOSED' });
  check(redis, pool, { dialed: 0, open: 0, inUse: 0 });
});

test.each([0, 1])(
  'a signal that is aborted already rejects with its reason, %i connections lent (CanceledContext)',
  async (lent) => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    await take(pool, lent);
    const reason = new Error('canceled');
    expect(await errorOf(pool.acquire({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    await settled();
    check(redis, pool, { dialed: lent, open: lent, inUse: lent });
  },
);
