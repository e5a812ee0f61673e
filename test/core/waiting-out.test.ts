import { describe, expect, test } from 'vitest';
import type { PoolOptions } from '../../src/api/options.ts';
import type { Pool } from '../../src/pool.ts';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { errorOf, follow, take, times, warm } from '../helpers/outcomes.ts';

const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6379'), { code: 'ECONNREFUSED' });
const wrongPassword = new Error('WRONGPASS invalid username-password pair or user is disabled.');

/** Redis goes away: what is open dies, and dials fail. */
function goes(redis: FakeRedis, dialError: Error = refused): void {
  Object.assign(redis, { dial: 'fails', dialError });
  for (const one of redis.dials) if (one.alive) one.die();
}

/** A pool that was connected, and whose Redis is away now. */
async function away(options: PoolOptions = {}): Promise<{ redis: FakeRedis; pool: Pool }> {
  const redis = new FakeRedis();
  const pool = redis.pool(options);
  await warm(pool, 1);
  goes(redis);
  return { redis, pool };
}

/** When dials began, from now on; from now. */
function dialsOf(redis: FakeRedis, pool: Pool): number[] {
  const begun = redis.clock.now();
  const at: number[] = [];
  pool.on('connecting', () => at.push(redis.clock.now() - begun));
  return at;
}

describe('while Redis is away, and was there before', () => {
  test('callers wait, and are served in the order they came, once it is back', async () => {
    const { redis, pool } = await away({ maxActive: 1 });
    const served: number[] = [];
    const line = times(5, (i) => follow(pool.use(() => void served.push(i))));
    await redis.clock.advance(1200);
    expect(line.map((one) => one.is)).toEqual(times(5, () => 'pending'));
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(line.map((one) => one.is)).toEqual(times(5, () => 'done'));
    expect(served).toEqual([0, 1, 2, 3, 4]);
    expect(pool.stats()).toMatchObject({ timedOut: 0, exhausted: 0, errors: { POOL_CONNECT_FAILED: 0 } });
  });

  test('those who still wait when it has been away for outageWaitMs are told why, and later ones at once', async () => {
    const { redis, pool } = await away({ outageWaitMs: 1000, acquireTimeoutMs: 5000 });
    const first = follow(pool.acquire());
    await redis.clock.advance(999);
    const second = follow(pool.acquire({ timeoutMs: 10 }));
    await settled();
    expect([first.is, second.is]).toEqual(['pending', 'pending']);
    await redis.clock.advance(1);
    expect([first.is, second.is]).toEqual(['POOL_CONNECT_FAILED', 'POOL_CONNECT_FAILED']);
    expect(first.error).toMatchObject({ cause: refused });
    const third = follow(pool.acquire());
    await settled();
    expect(third.is).toBe('POOL_CONNECT_FAILED');
    expect(redis.clock.timers('waited')).toBe(0);
  });

  test.each<[string, PoolOptions]>([
    ['outageWaitMs 0', { outageWaitMs: 0 }],
    ['wait: false', { wait: false }],
  ])('with %s they are told at once', async (_, options) => {
    const { pool } = await away(options);
    expect(await errorOf(pool.acquire())).toMatchObject({ code: 'POOL_CONNECT_FAILED', cause: refused });
    expect(await errorOf(pool.redis.get('k'))).toMatchObject({ code: 'POOL_CONNECT_FAILED' });
  });

  test('with Infinity they wait for ever, within their own deadlines', async () => {
    const { redis, pool } = await away({ outageWaitMs: Infinity, acquireTimeoutMs: Infinity });
    const line = times(3, () => follow(pool.acquire()));
    await redis.clock.advance(3_600_000);
    const late = follow(pool.acquire({ timeoutMs: 100 }));
    await redis.clock.advance(100);
    expect(late.is).toBe('POOL_ACQUIRE_TIMEOUT');
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(line.map((one) => one.is)).toEqual(['done', 'done', 'done']);
  });

  test('a deadline that passes says that Redis is away and since when, with the last connect error as cause', async () => {
    const { redis, pool } = await away();
    const late = follow(pool.acquire({ timeoutMs: 300 }));
    await redis.clock.advance(300);
    expect(late.is).toBe('POOL_ACQUIRE_TIMEOUT');
    expect(late.error).toMatchObject({ cause: refused });
    const { message } = late.error as Error;
    expect(message).toContain('no connection within 300 ms (');
    const [, since = ''] = /Redis has been away for 300 ms, since (\S+Z)/.exec(message) ?? [];
    expect(Math.abs(Date.now() - Date.parse(since))).toBeLessThan(60_000);
  });

  test('who asks in a listener of connectError is judged by that error, not by the one before', async () => {
    const { redis, pool } = await away({ minIdle: 1 });
    redis.dialError = wrongPassword;
    await redis.clock.advance(100);
    redis.dialError = refused;
    const asked: ReturnType<typeof follow>[] = [];
    pool.once('connectError', () => asked.push(follow(pool.acquire())));
    await redis.clock.advance(2000);
    expect(asked.map((one) => one.is)).toEqual(['pending']);
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(asked.map((one) => one.is)).toEqual(['done']);
  });

  test('maxWaiting holds, and an aborted caller leaves', async () => {
    const { redis, pool } = await away({ maxActive: 2, maxWaiting: 1 });
    const caller = new AbortController();
    const aborted = follow(pool.acquire({ signal: caller.signal }));
    await settled();
    const line = times(3, () => follow(pool.acquire()));
    await settled();
    expect(line.map((one) => one.is)).toEqual(['pending', 'pending', 'POOL_EXHAUSTED']);
    expect(line[2]?.error).toMatchObject({ cause: refused });
    caller.abort(new Error('mine'));
    await settled();
    expect(aborted.is).toBe('mine');
    expect(pool.stats()).toMatchObject({ aborted: 1, waiting: 0 });
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(line.slice(0, 2).map((one) => one.is)).toEqual(['done', 'done']);
  });

  test('one prober dials, no more than 500 ms apart while somebody waits, whatever maxActive', async () => {
    const { redis, pool } = await away({ maxActive: 1000, maxWaiting: 1e6, outageWaitMs: Infinity });
    redis.dialMs = 1;
    const dials = dialsOf(redis, pool);
    for (let ms = 0; ms < 10_000; ms += 100) {
      for (let i = 0; i < 10; i++) follow(pool.acquire({ timeoutMs: 1000 }));
      await redis.clock.advance(100);
    }
    // The four that began together, after 50 … 400, and then every 500 ms.
    const gaps = dials.slice(4).map((at, i) => at - (dials[i + 3] ?? 0) - 1);
    expect(gaps.slice(0, 5)).toEqual([50, 100, 200, 400, 500]);
    expect(new Set(gaps.slice(5))).toEqual(new Set([500]));
    expect(pool.stats().waiting).toBe(0); // all have a place
    await redis.clock.advance(2000);
    const quiet = dials.length;
    await redis.clock.advance(10_000);
    expect(dials.length).toBe(quiet); // nobody waits
    expect(redis.clock.timers('waited')).toBe(0);
  });

  test('with nobody waiting the back-off is what it was, and whoever comes makes it short', async () => {
    const { redis, pool } = await away({ minIdle: 1, outageWaitMs: Infinity });
    await redis.clock.advance(4000);
    const dials = dialsOf(redis, pool);
    await redis.clock.advance(8000);
    expect(dials.length).toBe(4);
    const line = follow(pool.acquire());
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(line.is).toBe('done');
  });

  test('what waiting cannot mend is told to all at once, and what follows it is waited out', async () => {
    const { redis, pool } = await away();
    const line = times(3, () => follow(pool.acquire()));
    await redis.clock.advance(40);
    expect(line[0]?.is).toBe('pending');
    redis.dialError = wrongPassword;
    await redis.clock.advance(20);
    expect(line.map((one) => one.is)).toEqual(times(3, () => 'POOL_CONNECT_FAILED'));
    expect(await errorOf(pool.acquire())).toMatchObject({ cause: wrongPassword });
    redis.dialError = refused;
    await redis.clock.advance(200);
    const next = follow(pool.acquire());
    await redis.clock.advance(100);
    expect(next.is).toBe('pending');
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(next.is).toBe('done');
  });

  test('a host that does not answer is away since the dial began, and who waits too long hears of it during the next', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ outageWaitMs: 3000, acquireTimeoutMs: Infinity });
    await warm(pool, 1);
    Object.assign(redis, { dial: 'fails', dialMs: 2000, dialError: refused });
    redis.dials[0]?.die();
    const line = follow(pool.acquire());
    await redis.clock.advance(2999);
    expect(line.is).toBe('pending');
    expect(pool.stats().connecting).toBe(1);
    await redis.clock.advance(1);
    expect(line.is).toBe('POOL_CONNECT_FAILED');
  });

  test('a lease that is out dead is no connection', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2 });
    const [a] = await take(pool, 1);
    goes(redis);
    const line = follow(pool.use(() => {}));
    await redis.clock.advance(100);
    expect(line.is).toBe('pending');
    a?.release();
    await redis.clock.advance(100);
    expect(line.is).toBe('pending');
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(line.is).toBe('done');
  });

  test('an outage that began with the last connection, while no dial was allowed, is waited out too', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2 });
    const lease = await pool.acquire();
    Object.assign(redis, { dial: 'fails', dialError: refused });
    await errorOf(pool.acquire()); // the first in line hears of it while a connection stands
    const line = follow(pool.acquire());
    redis.dials[0]?.die();
    lease.release();
    await settled();
    expect(line.is).toBe('pending');
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(line.is).toBe('done');
  });

  test('so is one that begins with clear()', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2 });
    const lease = await pool.acquire();
    Object.assign(redis, { dial: 'fails', dialError: refused });
    await errorOf(pool.acquire());
    lease.release();
    pool.clear();
    const line = follow(pool.acquire());
    await settled();
    expect(line.is).toBe('pending');
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(line.is).toBe('done');
  });

  test('health() says that it is down, status says connecting, and the numbers are as ever', async () => {
    const { redis, pool } = await away();
    const { redis: client } = pool;
    const line = follow(pool.acquire());
    await settled();
    expect(await pool.health()).toMatchObject({ ok: false, error: `cannot connect: ${refused.message}` });
    expect(client.status).toBe('connecting');
    expect(pool.stats()).toMatchObject({ total: 0, inUse: 0, waiting: 0, connectFailed: 1 });
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(line.is).toBe('done');
    expect(client.status).toBe('ready');
    expect(await pool.health()).toMatchObject({ ok: true });
  });

  test('close() tells who waits, and leaves nothing', async () => {
    const { redis, pool } = await away();
    const line = times(3, () => follow(pool.acquire()));
    const command = follow(pool.redis.get('k'));
    await redis.clock.advance(100);
    await pool.close();
    expect([...line, command].map((one) => one.is)).toEqual(times(4, () => 'POOL_CLOSED'));
    expect(redis.clock.timers()).toBe(0);
  });
});

describe('pool.redis, while Redis is away', () => {
  test('keeps commands, pipelines, and those with a connection of their own, until it is back', async () => {
    const { redis, pool } = await away();
    const { redis: client } = pool;
    const work = [
      follow(client.set('k', '1')),
      follow(client.get('k')),
      follow(client.pipeline().get('a').get('b').exec()),
      follow(client.blpop('q', 1)),
      follow(client.call('NOBODY.KNOWS')),
    ];
    await redis.clock.advance(1000);
    expect(work.map((one) => one.is)).toEqual(times(5, () => 'pending'));
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    await redis.clock.advance(100);
    expect(work.map((one) => one.is)).toEqual(times(5, () => 'done'));
    const sent = redis.dials.flatMap((one) => one.client.log);
    expect(sent.filter((one) => one.endsWith(' k') || one.startsWith('set'))).toEqual(['set k 1', 'get k']);
  });

  test('refuses what is too much, and what has waited for too long says why', async () => {
    const { redis, pool } = await away({ maxQueuedCommands: 3, acquireTimeoutMs: 400 });
    const work = times(4, () => follow(pool.redis.get('k')));
    await settled();
    expect(work.map((one) => one.is)).toEqual(['pending', 'pending', 'pending', 'POOL_EXHAUSTED']);
    await redis.clock.advance(400);
    expect(work[0]?.is).toBe('POOL_ACQUIRE_TIMEOUT');
    expect(work[0]?.error).toMatchObject({
      cause: refused,
      message: expect.stringContaining('Redis has been away for 400 ms'),
    });
    expect(pool.stats().queuedCommands).toBe(0);
  });

  test('tells all that wait when the outage is too old', async () => {
    const { redis, pool } = await away({ outageWaitMs: 300 });
    const work = [follow(pool.redis.get('k')), follow(pool.redis.blpop('q', 1))];
    await redis.clock.advance(300);
    expect(work.map((one) => one.is)).toEqual(['POOL_CONNECT_FAILED', 'POOL_CONNECT_FAILED']);
    expect(pool.stats().queuedCommands).toBe(0);
  });
});

describe('while nobody was ever connected', () => {
  test('everything is told at once', async () => {
    const redis = Object.assign(new FakeRedis(), { dial: 'fails', dialError: refused });
    const pool = redis.pool();
    expect(await errorOf(pool.acquire())).toMatchObject({ code: 'POOL_CONNECT_FAILED', cause: refused });
    expect(await errorOf(pool.redis.get('k'))).toMatchObject({ code: 'POOL_CONNECT_FAILED' });
    expect(await errorOf(pool.ready())).toMatchObject({ code: 'POOL_CONNECT_FAILED' });
  });
});

describe('ready({ timeoutMs })', () => {
  /** A Redis that is not there yet. */
  const notYet = (dialError: Error = refused): FakeRedis =>
    Object.assign(new FakeRedis(), { dial: 'fails', dialError });

  test('tries again, with back-off, until Redis is there; callers are told at once meanwhile', async () => {
    const redis = notYet();
    const pool = redis.pool({ minIdle: 2 });
    const dials = dialsOf(redis, pool);
    const ready = follow(pool.ready({ timeoutMs: 60_000 }));
    const caller = follow(pool.acquire());
    await redis.clock.advance(10_000);
    expect([ready.is, caller.is]).toEqual(['pending', 'POOL_CONNECT_FAILED']);
    expect(dials.length).toBeLessThanOrEqual(2 + 5 + 20);
    redis.dial = 'succeeds';
    await redis.clock.advance(510);
    expect(ready.is).toBe('done');
    expect(pool.stats()).toMatchObject({ idle: 2 });
  });

  test('rejects with the last cause when its time is over, and then nobody dials', async () => {
    const redis = notYet();
    const pool = redis.pool();
    const ready = follow(pool.ready({ timeoutMs: 1000 }));
    await redis.clock.advance(500);
    const last = new Error('LOADING Redis is loading the dataset in memory');
    redis.dialError = last;
    await redis.clock.advance(500);
    expect(ready.is).toBe('POOL_CONNECT_FAILED');
    expect(ready.error).toMatchObject({ cause: last });
    const dials = redis.dials.length;
    await redis.clock.advance(60_000);
    expect(redis.dials.length).toBe(dials);
    expect(redis.clock.timers()).toBe(0);
  });

  test('rejects at once with what waiting cannot mend, also when it turns up later', async () => {
    const redis = notYet(wrongPassword);
    const pool = redis.pool();
    expect(await errorOf(pool.ready({ timeoutMs: 60_000 }))).toMatchObject({ cause: wrongPassword });
    expect(await errorOf(pool.ready({ timeoutMs: 60_000 }))).toMatchObject({ cause: wrongPassword });
    await redis.clock.advance(100);
    redis.dialError = refused;
    const ready = follow(pool.ready({ timeoutMs: 60_000 }));
    await redis.clock.advance(300);
    expect(ready.is).toBe('pending');
    redis.dialError = wrongPassword;
    await redis.clock.advance(500);
    expect(ready.error).toMatchObject({ cause: wrongPassword });
  });

  test('each call has its own time, and a signal of its own', async () => {
    const redis = notYet();
    const pool = redis.pool();
    const caller = new AbortController();
    const calls = [
      follow(pool.ready({ timeoutMs: Infinity })),
      follow(pool.ready({ timeoutMs: 100 })),
      follow(pool.ready({ timeoutMs: 200, signal: caller.signal })),
      follow(pool.ready({ signal: AbortSignal.abort(new Error('before')) })),
      follow(pool.ready()),
    ];
    const now = () => calls.map((one) => one.is);
    await settled();
    expect(now()).toEqual(['pending', 'pending', 'pending', 'before', 'POOL_CONNECT_FAILED']);
    caller.abort(new Error('mine'));
    await redis.clock.advance(100);
    expect(now().slice(0, 3)).toEqual(['pending', 'POOL_CONNECT_FAILED', 'mine']);
    redis.dial = 'succeeds';
    await redis.clock.advance(500);
    expect(now()[0]).toBe('done');
    await pool.ready({ timeoutMs: 0 });
  });

  test('ends with the pool, and refuses what it does not know', async () => {
    const redis = notYet();
    const pool = redis.pool();
    const ready = follow(pool.ready({ timeoutMs: Infinity }));
    expect(await errorOf(pool.ready({ timeoutMs: -1 }))).toMatchObject({ code: 'POOL_INVALID_OPTION' });
    expect(await errorOf(pool.ready({ timeout: 1 } as never))).toMatchObject({
      message: expect.stringContaining('timeoutMs'),
    });
    await settled();
    await pool.close();
    expect(ready.is).toBe('POOL_CLOSED');
    expect(redis.clock.timers()).toBe(0);
  });
});

test('connections that all die before they are of use starve nobody: once one lives, all are served', async () => {
  const redis = Object.assign(new FakeRedis(), { dialMs: 1 });
  const pool = redis.pool({ maxActive: 5 });
  let stormy = true;
  pool.on('connect', ({ connectionId }) => {
    const connection = redis.dials[connectionId - 1];
    if (!stormy || !connection) return;
    connection.answered = false;
    redis.clock.after(1, () => connection.die());
  });
  for (let ms = 0; ms < 20_000; ms += 100) {
    follow(pool.use((lease) => lease.get('k')));
    await redis.clock.advance(100);
  }
  stormy = false;
  const line = times(20, () => follow(pool.use((lease) => lease.get('k'))));
  await redis.clock.advance(502);
  await redis.clock.advance(50);
  expect(line.map((one) => one.is)).toEqual(times(20, () => 'done'));
});
