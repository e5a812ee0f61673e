import { ThrottlerStorageRedisService } from '@nest-lab/throttler-storage-redis';
import { beforeEach, expect, test } from 'vitest';
import { BURST, burst, onPool, tally, throughOutage } from '../consumers/helpers.ts';
import { times } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

const TTL = 600_000;

test('it takes pool.redis for the ioredis that it is, and leaves it open when its module ends', () =>
  onPool(server, async (redis) => {
    const storage = new ThrottlerStorageRedisService(redis);
    // It silently dials Redis on its own when it does not know its argument for a client.
    expect(storage.redis).toBe(redis);
    expect(storage.disconnectRequired).toBeUndefined();
    await storage.increment('one', TTL, 1, TTL, 'default');
    storage.onModuleDestroy();
    expect(await redis.get('{one:default}:hits')).toBe('1');
  }));

test('every hit is counted once, and all above the limit are blocked', () =>
  onPool(server, async (redis) => {
    const storage = new ThrottlerStorageRedisService(redis);
    const all = await burst(() => storage.increment('one', TTL, 50, 2 * TTL, 'default'));
    const hits = all.map(({ totalHits }) => totalHits).sort((a, b) => a - b);
    expect(hits).toEqual(times(BURST, (i) => i + 1));
    expect(tally(all.map(({ isBlocked }) => isBlocked))).toEqual({ true: BURST - 50, false: 50 });
    for (const { isBlocked, timeToExpire, timeToBlockExpire } of all) {
      expect(timeToExpire).toBeGreaterThan(500);
      expect(timeToBlockExpire > 1000).toBe(isBlocked);
    }
  }));

test('keys and throttlers are counted apart', () =>
  onPool(server, async (redis) => {
    const storage = new ThrottlerStorageRedisService(redis);
    const names = ['short', 'long'];
    const all = await burst((i) =>
      storage.increment(`key ${i % 10}`, TTL, 5, TTL, names[Math.floor(i / 10) % 2] ?? ''),
    );
    expect(tally(all.map(({ totalHits }) => totalHits))).toEqual(
      Object.fromEntries(times(10, (i) => [i + 1, 20])),
    );
    expect(tally(all.map(({ isBlocked }) => isBlocked))).toEqual({ true: 100, false: 100 });
  }));

test('it comes through an outage', () =>
  throughOutage(server, async (redis) => {
    const storage = new ThrottlerStorageRedisService(redis);
    return () => storage.increment('one', TTL, 1000, TTL, 'default');
  }));
