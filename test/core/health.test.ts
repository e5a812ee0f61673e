import { expect, test } from 'vitest';
import type { PoolHealth } from '../../src/index.ts';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { take, warm } from '../helpers/outcomes.ts';

/** Without the numbers of the pool. */
const told = ({ stats: _, ...rest }: PoolHealth) => rest;

test('an idle connection is asked, stays idle, and does not count as used', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  await warm(pool, 2);
  const [, top] = redis.dials;
  if (top) top.pingMs = 3;
  const looking = pool.health();
  await settled();
  expect(pool.stats()).toMatchObject({ idle: 2, inUse: 0 });
  await redis.clock.advance(3);
  const health = await looking;
  expect(told(health)).toEqual({ ok: true, latencyMs: 3 });
  expect(health.stats).toEqual(pool.stats());
  expect(Object.isFrozen(health)).toBe(true);
  expect(redis.dials.map(({ pings }) => pings)).toEqual([[], [1000]]);
  await pool.close();
});

test('a health check does not refresh an idle connection', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ idleTimeoutMs: 100, reapIntervalMs: 10 });
  await warm(pool, 1);
  for (let ms = 0; ms < 100; ms += 20) {
    await redis.clock.advance(20);
    await pool.health();
  }
  await redis.clock.advance(20);
  expect(pool.stats()).toMatchObject({ total: 0, closed: { idle: 1 } });
  await pool.close();
});

test('a caller that acquires meanwhile gets the connection at once', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  await warm(pool, 1);
  const [only] = redis.dials;
  if (only) only.pingMs = Number.POSITIVE_INFINITY;
  const looking = pool.health({ timeoutMs: 50 });
  const lease = await pool.acquire();
  await redis.clock.advance(50);
  expect(told(await looking)).toEqual({ ok: false, error: 'no answer within 50 ms' });
  lease.release();
  expect(pool.stats()).toMatchObject({ idle: 1, closed: { broken: 0 } });
  await pool.close();
});

test('an idle connection that is silent for as long as any PING may take is closed; one in a hurry closes none', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  await warm(pool, 1);
  const [only] = redis.dials;
  if (only) only.pingMs = Number.POSITIVE_INFINITY;
  const hasty = pool.health({ timeoutMs: 999 });
  await redis.clock.advance(999);
  expect((await hasty).ok).toBe(false);
  expect(pool.stats()).toMatchObject({ idle: 1 });
  const looking = pool.health();
  await redis.clock.advance(1000);
  expect(told(await looking)).toEqual({ ok: false, error: 'no answer within 1000 ms' });
  expect(pool.stats()).toMatchObject({ idle: 0, closed: { broken: 1 } });
  expect((await pool.health()).ok).toBe(true); // over a new one
  await pool.close();
});

test('with all in use no PING is sent, nothing is queued, and the numbers decide', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 2 });
  const leases = await take(pool, 2);
  expect(told(await pool.health())).toEqual({ ok: true });
  const waiting = pool.acquire();
  await redis.clock.advance(999);
  expect(told(await pool.health())).toEqual({ ok: true });
  await redis.clock.advance(1);
  expect(told(await pool.health())).toEqual({
    ok: false,
    error: 'no connection has come free for 1000 ms (maxActive 2: 2 in use, 0 idle, 0 connecting; 1 waiting)',
  });
  expect(pool.stats()).toMatchObject({ waiting: 1, waits: 1 });
  expect(redis.dials.flatMap(({ pings }) => pings)).toEqual([]);
  for (const lease of leases) lease.release();
  (await waiting).release();
  await pool.close();
});

test('a lane is asked, the one with the least to do', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 2, maxInFlight: 2, maxLanes: 2 });
  await warm(pool, 2);
  for (const { client } of redis.dials) client.holdReplies = true;
  const replies = [pool.redis.get('k'), pool.redis.get('k')];
  await settled();
  replies.push(pool.redis.get('k'));
  await settled();
  expect(pool.stats()).toMatchObject({ lanes: 2, idle: 0, inFlight: 3 });
  expect((await pool.health()).ok).toBe(true);
  const asked = redis.dials.filter(({ pings }) => pings.length > 0);
  expect(asked.map(({ client }) => client.commandQueue.length)).toEqual([1]);
  for (const { client } of redis.dials) {
    client.holdReplies = false;
    client.answer();
  }
  await Promise.all(replies);
  await pool.close();
});

test('with nothing open it dials, and what it dialled is for all', async () => {
  const redis = new FakeRedis();
  redis.dialMs = 5;
  const pool = redis.pool({ maxActive: 1 });
  const looking = pool.health();
  await redis.clock.advance(2);
  const acquiring = pool.acquire();
  await redis.clock.advance(3);
  const lease = await acquiring;
  expect(redis.dials.length).toBe(1);
  lease.release();
  expect(told(await looking)).toEqual({ ok: true, latencyMs: 5 });
  expect(pool.stats()).toMatchObject({ idle: 1, acquired: 1 });
  await pool.close();
});

test('with others in use and room for more it dials, rather than to take their word', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 2 });
  const lease = await pool.acquire();
  expect(told(await pool.health())).toMatchObject({ ok: true });
  expect(redis.dials.length).toBe(2);
  lease.release();
  await pool.close();
});

test('a pool without idle connections is checked by a dial', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxIdle: 0 });
  expect((await pool.health()).ok).toBe(true);
  await settled();
  expect(pool.stats()).toMatchObject({ total: 0, connected: 1 });
  await pool.close();
});

test('a failed dial is reported, and the back-off is respected', async () => {
  const redis = new FakeRedis();
  redis.dial = 'fails';
  const pool = redis.pool();
  const why = { ok: false, error: 'cannot connect: connect ECONNREFUSED' };
  expect((await pool.health()).error).toContain(why.error);
  for (let i = 0; i < 10; i++) expect(told(await pool.health())).toEqual(why);
  expect(redis.dials.length).toBe(1);
  redis.dial = 'succeeds';
  await redis.clock.advance(50);
  expect((await pool.health()).ok).toBe(true);
  await pool.close();
});

test('a dial that hangs costs no more than the time given, and leaves no timer', async () => {
  const redis = new FakeRedis();
  redis.dial = 'hangs';
  const pool = redis.pool();
  const looking = pool.health({ timeoutMs: 30 });
  await redis.clock.advance(30);
  expect(told(await looking)).toEqual({ ok: false, error: 'no answer within 30 ms' });
  expect(redis.clock.timers()).toBe(0);
  await pool.close();
  expect(redis.clock.timers()).toBe(0);
});

test('a pool that is closed, or is being closed meanwhile, is not well, and says so', async () => {
  const redis = new FakeRedis();
  redis.dial = 'hangs';
  const pool = redis.pool();
  const looking = pool.health();
  await pool.close();
  expect((await looking).error).toContain('the pool is closed');
  expect(told(await pool.health())).toEqual({ ok: false, error: 'the pool is closed' });
});

test('it never throws, not even for options that are wrong', async () => {
  const pool = new FakeRedis().pool();
  const wrong = (options: unknown) => pool.health(options as never).then(told);
  expect(await wrong({ timeoutMs: -1 })).toEqual({
    ok: false,
    error: 'option timeoutMs must be milliseconds from 0 to 2147483647, or Infinity, got -1',
  });
  expect(await wrong({ timeout: 1 })).toEqual({
    ok: false,
    error: 'unknown option `timeout`, did you mean `timeoutMs`?',
  });
  expect(await wrong(null)).toEqual({ ok: false, error: 'options must be an object, got null' });
});

test('a lease that comes back while it is still asked over is settled, and its connection kept', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  await pool.use((lease) => {
    behind(redis, lease).client.holdReplies = true;
  });
  const [only] = redis.dials;
  const answer = only?.client.ping();
  (await pool.acquire()).release();
  only?.client.answer();
  await answer;
  await settled();
  expect(pool.stats()).toMatchObject({ idle: 1, closed: { dirty: 0, broken: 0 } });
  await pool.close();
});
