import { RateLimiterRedis, RateLimiterRedisNonAtomic, type RateLimiterRes } from 'rate-limiter-flexible';
import { describe, expect, test } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { errorOf } from '../../helpers/outcomes.ts';

const options = { points: 3, duration: 10, keyPrefix: 'limit' };

/** What the script of RateLimiterRedis does, in the words of the mock. */
function answerScript(mock: MockPool): MockPool {
  return mock.reply('eval', (_script, _numKeys, key = '', points = '', seconds = '') =>
    // On a connection of its own: that of the script waits for it.
    mock.use(async (redis) => {
      await redis.set(key, 0, 'EX', Number(seconds), 'NX');
      return [await redis.incrby(key, points), await redis.pttl(key)];
    }),
  );
}

type Limiter = RateLimiterRedis | RateLimiterRedisNonAtomic;

describe.each<[string, (mock: MockPool) => Limiter]>([
  [
    'RateLimiterRedisNonAtomic, as it is',
    (mock) =>
      new RateLimiterRedisNonAtomic({ ...options, storeClient: mock.redis, rejectIfRedisNotReady: true }),
  ],
  [
    'RateLimiterRedis, with an answer for its script',
    (mock) =>
      new RateLimiterRedis({
        ...options,
        storeClient: answerScript(mock).redis,
        rejectIfRedisNotReady: true,
      }),
  ],
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
