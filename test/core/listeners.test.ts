import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, test, vi } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';

test('without a listener no payload is built', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  const stats = vi.spyOn(pool, 'stats');
  await pool.use(() => {});
  expect(stats).not.toHaveBeenCalled();
  pool.on('release', () => {});
  await pool.use(() => {});
  expect(stats).toHaveBeenCalledTimes(1);
});

test('hooks get every event from the first dial on, and so do listeners added right after the constructor', async () => {
  const redis = new FakeRedis();
  const heard: string[] = [];
  const pool = redis.pool({ minIdle: 1, hooks: { connecting: () => heard.push('hook') } });
  pool.on('connecting', () => heard.push('listener'));
  await settled();
  expect(heard).toEqual(['hook', 'listener']);
});

test('a listener that throws or rejects is reported as a warning, and the rest goes on', async () => {
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const redis = new FakeRedis();
  const pool = redis.pool({ name: 'sessions' });
  const after = vi.fn();
  pool.on('acquire', () => {
    throw new Error('thrown');
  });
  pool.on('release', () => Promise.reject(new Error('rejected')) as unknown as undefined);
  pool.on('acquire', after).on('release', after);
  await pool.use(() => {});
  await settled();
  expect(after).toHaveBeenCalledTimes(2);
  const texts = warning.mock.calls.map(([text]) => String(text));
  expect(texts.length).toBe(2);
  for (const [i, words] of [
    ["'acquire'", 'sessions', 'thrown'],
    ["'release'", 'sessions', 'rejected'],
  ].entries()) {
    for (const word of words) expect(texts[i]).toContain(word);
  }
  warning.mockRestore();
});

test('the diagnostics channels carry the same events, with the name of the pool', async () => {
  const heard: unknown[] = [];
  const note = (message: unknown) => void heard.push(message);
  subscribe('bounded-redis-pool:acquire', note);
  try {
    for (const name of ['sessions', 'cache']) await new FakeRedis().pool({ name }).acquire();
  } finally {
    unsubscribe('bounded-redis-pool:acquire', note);
  }
  await new FakeRedis().pool().acquire();
  expect(heard).toMatchObject([
    { pool: 'sessions', connectionId: 1, waitedMs: 0, stats: { inUse: 1 } },
    { pool: 'cache', connectionId: 1, waitedMs: 0, stats: { inUse: 1 } },
  ]);
});

test('a listener may use the pool: its requests are served after the event that it got', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 2 });
  const jobs: Promise<unknown>[] = [];
  for (const event of ['connecting', 'connect', 'acquire', 'release', 'close'] as const) {
    pool.once(event, () => void jobs.push(pool.use(() => {})));
  }
  const lease = await pool.acquire();
  lease.destroy();
  await settled();
  expect(jobs.length).toBe(5);
  await Promise.all(jobs);
  expect(pool.stats()).toMatchObject({ inUse: 0, waiting: 0, acquired: 6 });
  expect(redis.peak).toBe(2);
});

test('removeListener is another name of off', async () => {
  const pool = new FakeRedis().pool();
  const heard = vi.fn();
  pool.on('release', heard);
  expect(pool.removeListener('release', heard)).toBe(pool);
  await pool.use(() => {});
  expect(heard).not.toHaveBeenCalled();
});
