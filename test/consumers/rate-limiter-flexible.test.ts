import type { Redis } from 'ioredis';
import { type IRateLimiterRedisOptions, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { beforeEach, expect, test } from 'vitest';
import { times } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';
import { BURST, burst, onPool, tally, throughOutage } from './helpers.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

const limiterOn = (redis: Redis, options: Partial<IRateLimiterRedisOptions> = {}): RateLimiterRedis =>
  new RateLimiterRedis({
    ...{ storeClient: redis, points: 10, duration: 600, rejectIfRedisNotReady: true },
    ...options,
  });

/** What came of a burst on one key. Anything but a verdict of the limiter fails. */
async function verdicts(limiter: RateLimiterRedis, keyOf: (i: number) => string = () => 'one') {
  const all = await burst((i) => limiter.consume(keyOf(i)).catch((refused: unknown) => refused));
  for (const one of all) expect(one).toBeInstanceOf(RateLimiterRes);
  return all as RateLimiterRes[];
}

const consumed = (all: RateLimiterRes[]): number[] =>
  all.map((one) => one.consumedPoints).sort((a, b) => a - b);
const upTo = (n: number): number[] => times(n, (i) => i + 1);

test('every point is counted once, and exactly as many pass as there are points', () =>
  onPool(server, async (redis) => {
    const limiter = limiterOn(redis);
    const all = await burst(() =>
      limiter.consume('one').then(
        () => 'passed',
        () => 'refused',
      ),
    );
    expect(tally(all)).toEqual({ passed: 10, refused: BURST - 10 });
    const later = await verdicts(limiter);
    expect(consumed(later)).toEqual(upTo(BURST).map((n) => n + BURST));
    for (const { remainingPoints, msBeforeNext } of later) {
      expect(remainingPoints).toBe(0);
      expect(msBeforeNext).toBeGreaterThan(500_000);
    }
  }));

test('keys, and limiters with scripts of the same name on one client, do not disturb each other', () =>
  onPool(server, async (redis) => {
    const twice = `redis.call('incrby', KEYS[1], 2 * ARGV[1]) redis.call('expire', KEYS[1], ARGV[2])
      return {redis.call('get', KEYS[1]), redis.call('pttl', KEYS[1])}`;
    const plain = limiterOn(redis, { keyPrefix: 'plain' });
    const keys = await verdicts(plain, (i) => `key ${i % 20}`);
    expect(tally(consumed(keys))).toEqual(Object.fromEntries(upTo(10).map((n) => [n, 20])));
    const double = limiterOn(redis, { keyPrefix: 'double', customIncrTtlLuaScript: twice });
    expect(consumed(await verdicts(double))).toEqual(upTo(BURST).map((n) => 2 * n));
  }));

test('a client that takes too much is blocked for longer, until the block is deleted', () =>
  onPool(server, async (redis) => {
    const limiter = limiterOn(redis, { duration: 60, blockDuration: 600 });
    const all = await burst(() => limiter.consume('one').catch(() => 'refused' as const));
    expect(all.filter((one) => one !== 'refused')).toHaveLength(10);
    const blocked = (await limiter.get('one')) ?? expect.fail('nothing is stored');
    expect(blocked.consumedPoints).toBeGreaterThan(10);
    expect(blocked.msBeforeNext).toBeGreaterThan(500_000);
    expect(await limiter.delete('one')).toBe(true);
    expect(await limiter.delete('one')).toBe(false);
    expect(await limiter.get('one')).toBeNull();
    expect(await limiter.consume('one', 3)).toMatchObject({ consumedPoints: 3, remainingPoints: 7 });
    await limiter.block('one', 300);
    await expect(limiter.consume('one')).rejects.toMatchObject({ remainingPoints: 0 });
  }));

test('penalties, rewards and values that were set add up', () =>
  onPool(server, async (redis) => {
    const limiter = limiterOn(redis, { points: 1000 });
    await burst((i) => (i % 2 ? limiter.penalty('one', 3) : limiter.reward('one', 1)));
    expect(await limiter.get('one')).toMatchObject({ consumedPoints: BURST, remainingPoints: 800 });
    await burst((i) => limiter.set(`key ${i}`, i, 60));
    const all = await burst((i) => limiter.get(`key ${i}`));
    expect(all.map((one) => one?.consumedPoints)).toEqual(times(BURST, (i) => i));
  }));

test('points without an end are counted in a transaction', () =>
  onPool(server, async (redis) => {
    const limiter = limiterOn(redis, { duration: 0 });
    expect(consumed(await verdicts(limiter))).toEqual(upTo(BURST));
    expect(await server.observer.pttl('rlflx:one')).toBe(-1);
  }));

test.each([true, false])(
  'it comes through an outage, with rejectIfRedisNotReady %s',
  (rejectIfRedisNotReady) =>
    throughOutage(server, async (redis) => {
      const limiter = limiterOn(redis, { rejectIfRedisNotReady });
      let asked = 0;
      return () => limiter.consume(`user ${asked++}`);
    }),
);
