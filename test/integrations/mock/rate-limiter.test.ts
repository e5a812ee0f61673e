import type { Options } from 'express-rate-limit';
import { type RedisReply, RedisStore } from 'rate-limit-redis';
import { RateLimiterRedis, RateLimiterRedisNonAtomic, type RateLimiterRes } from 'rate-limiter-flexible';
import { describe, expect, test } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { errorOf } from '../../helpers/outcomes.ts';

const options = { points: 3, duration: 10, keyPrefix: 'limit' };

type Limiter = RateLimiterRedis | RateLimiterRedisNonAtomic;

const storeOptions = (mock: MockPool) => ({
  ...options,
  storeClient: mock.redis,
  rejectIfRedisNotReady: true,
});

describe.each<[string, (mock: MockPool) => Limiter]>([
  ['RateLimiterRedisNonAtomic', (mock) => new RateLimiterRedisNonAtomic(storeOptions(mock))],
  ['RateLimiterRedis', (mock) => new RateLimiterRedis(storeOptions(mock))],
])('rate-limiter-flexible on MockPool: %s', (_, make) => {
  test('counts points, and refuses one too many until the time is over', async () => {
    const mock = new MockPool();
    const limiter = make(mock);
    for (const left of [2, 1, 0]) {
      expect(await limiter.consume('alice')).toMatchObject({ remainingPoints: left, msBeforeNext: 10_000 });
    }
    const refused = (await errorOf(limiter.consume('alice'))) as RateLimiterRes;
    expect(refused).toMatchObject({ consumedPoints: 4, remainingPoints: 0 });
    expect(await limiter.consume('bob')).toMatchObject({ remainingPoints: 2 });
    await mock.advance(9999);
    await errorOf(limiter.consume('alice'));
    await mock.advance(1);
    expect(await limiter.consume('alice')).toMatchObject({ remainingPoints: 2 });
  });

  test('gives penalties and rewards, blocks, reports and deletes', async () => {
    const mock = new MockPool();
    const limiter = make(mock);
    await limiter.consume('alice');
    expect(await limiter.penalty('alice')).toMatchObject({ consumedPoints: 2 });
    expect(await limiter.reward('alice')).toMatchObject({ consumedPoints: 1 });
    expect(await limiter.get('alice')).toMatchObject({ consumedPoints: 1, remainingPoints: 2 });
    await limiter.block('alice', 60);
    expect(await errorOf(limiter.consume('alice'))).toMatchObject({ remainingPoints: 0 });
    expect([await limiter.delete('alice'), await limiter.get('alice')]).toEqual([true, null]);
    mock.assertClean();
  });

  test('rejects when Redis is gone', async () => {
    const mock = new MockPool().failConnects(new Error('down'));
    expect(await errorOf(make(mock).consume('alice'))).toMatchObject({ code: 'POOL_CONNECT_FAILED' });
  });
});

test('rate-limit-redis on MockPool counts hits of a window, takes one back, and begins anew', async () => {
  const mock = new MockPool();
  const store = new RedisStore({
    sendCommand: (name, ...args) => mock.redis.call(name, ...args) as Promise<RedisReply>,
  });
  await store.init({ windowMs: 10_000 } as Options);
  const hits = async (key: string) => (await store.increment(key)).totalHits;
  expect([await hits('alice'), await hits('alice'), await hits('bob')]).toEqual([1, 2, 1]);
  await store.decrement('alice');
  expect((await store.get('alice'))?.totalHits).toBe(1);
  await store.resetKey('bob');
  expect(await hits('bob')).toBe(1);
  await mock.advance(10_000);
  expect(await hits('alice')).toBe(1);
  mock.assertClean();
});
