import type { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import type { Pool } from '../../src/index.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer(['--rename-command', 'STRLEN', 'X.STRLEN']);

function freeze(): void {
  server.freeze();
  onTestFinished(() => server.thaw());
}

/** Has as many connections dialled as the pool may have. */
async function warm(pool: Pool, count: number): Promise<void> {
  for (const lease of await Promise.all(Array.from({ length: count }, () => pool.acquire()))) lease.release();
}

const LOST = /no reply within 100 ms \(replyTimeoutMs\); the command may have run/;

test('replyTimeoutMs applies to an unknown command, in a pipeline too, and its slot becomes free', async () => {
  const pool = server.pool({ maxActive: 3, replyTimeoutMs: 100 });
  const redis = pool.redis as Redis;
  await warm(pool, 3);
  freeze();
  const single = await poolErrorOf(redis.call('X.STRLEN', 'k') as Promise<unknown>, 'POOL_CONNECTION_LOST');
  expect(single.message).toMatch(LOST);
  const replies = await redis.pipeline().call('X.STRLEN', 'k').exec();
  expect(replies?.[0]?.[0]).toMatchObject({
    code: 'POOL_CONNECTION_LOST',
    message: expect.stringMatching(LOST),
  });
  server.thaw();
  expect(await until('it is back', () => redis.call('X.STRLEN', 'k').then(String, () => false))).toBe('0');
  await until('all places are free', () => pool.stats().inUse === 0);
});

test('a blocking command ends at its own time-out plus replyTimeoutMs', async () => {
  const { redis } = server.pool({ maxActive: 9, replyTimeoutMs: 250 });
  const empty = [
    redis.blpop('none', 0.3),
    redis.brpoplpush('none', 'none', 0.3),
    redis.blmove('none', 'none', 'LEFT', 'LEFT', 0.3),
    redis.blmpop(0.3, 1, 'none', 'LEFT'),
    redis.bzpopmin('none', 0.3),
    redis.bzmpop(0.3, 1, 'none', 'MIN'),
    redis.xread('BLOCK', 300, 'STREAMS', 'none', '$'),
    redis.pipeline().blpop('none', 0.2).blpop('none', 0.2).exec(),
  ];
  const replies = await Promise.all(empty as Promise<unknown>[]);
  expect(replies.slice(0, -1).every((reply) => reply === null)).toBe(true);
  expect(replies.at(-1)).toEqual([
    [null, null],
    [null, null],
  ]);
  const lost = poolErrorOf(redis.blpop('none', 0.2), 'POOL_CONNECTION_LOST');
  await until('it blocks', async () => (await server.info('blocked_clients')) === 1);
  freeze();
  expect((await lost).message).toMatch(/no reply within 250 ms \(replyTimeoutMs\)/);
});

test('one that blocks for ever has no limit', async () => {
  const clock = new FakeClock();
  const pool = server.pool({ replyTimeoutMs: 1000 }, clock);
  const blocked = pool.redis.blpop('jobs', 0);
  await until('it blocks', async () => (await server.info('blocked_clients')) === 1);
  for (let i = 0; i < 20; i++) expect(await pool.redis.call('X.STRLEN', 'k')).toBe(0);
  await clock.advance(60_000);
  await pool.redis.rpush('jobs', 'x');
  expect(await blocked).toEqual(['jobs', 'x']);
});

test('commands that wait for a dedicated connection are visible in stats, counted, and emitted', async () => {
  const pool = server.pool({ maxActive: 3, acquireTimeoutMs: 1500 });
  const told: number[] = [];
  pool.on('wait', ({ waiting }) => told.push(waiting));
  const redis = pool.redis as Redis;
  await warm(pool, 3);
  const work = Array.from({ length: 50 }, () => redis.blpop('nothing', 0));
  const errors = Promise.allSettled(work);
  await until('two block', async () => (await server.info('blocked_clients')) === 2);
  expect(pool.stats()).toMatchObject({ waiting: 48, idle: 1, inUse: 2, waits: 48 });
  expect(told).toEqual(Array.from({ length: 48 }, (_, i) => i + 1));
  await until('they give up', () => pool.stats().waiting === 0);
  expect(pool.stats().timedOut).toBe(48);
  expect(pool.stats().waitMs).toBeGreaterThan(48 * 1400);
  for (let i = 0; i < 2; i++) await redis.rpush('nothing', 'x');
  const messages = (await errors).flatMap((one) => (one.status === 'rejected' ? [one.reason.message] : []));
  expect(messages).toHaveLength(48);
  const first = /within 1500 ms .*2 in use, 1 idle, 0 connecting; 47 waiting/;
  expect(messages.filter((message) => first.test(message))).toHaveLength(1);
});

test('unknown commands of one tick are sent together, over one connection', async () => {
  const pool = server.pool();
  const redis = pool.redis as Redis;
  const work = Array.from({ length: 200 }, (_, i) => redis.call('X.STRLEN', `k${i}`));
  expect(await Promise.all(work)).toEqual(Array(200).fill(0));
  expect(pool.stats()).toMatchObject({ connected: 1, acquired: 1 });
});

test('with one connection, and no waiting, it is had as soon as the lane has done what came before', async () => {
  const { redis } = server.pool({ maxActive: 1, wait: false });
  await redis.ping();
  for (let i = 0; i < 20; i++) {
    const replies = [redis.set('k', 'v'.repeat(i)), redis.call('X.STRLEN', 'k'), redis.get('k')];
    expect(await Promise.all(replies)).toEqual(['OK', i, 'v'.repeat(i)]);
  }
});

test('an error for one that got no connection names a time-out in whole milliseconds', async () => {
  const pool = server.pool({ maxActive: 2, acquireTimeoutMs: 30 });
  await pool.acquire();
  await pool.acquire();
  const { message } = await poolErrorOf((pool.redis as Redis).blpop('none', 0), 'POOL_ACQUIRE_TIMEOUT');
  expect(message).toMatch(/^no connection within \d+ ms /);
});
