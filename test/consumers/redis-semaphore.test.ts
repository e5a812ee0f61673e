import { Mutex, Semaphore } from 'redis-semaphore';
import { beforeEach, expect, test } from 'vitest';
import { times } from '../helpers/outcomes.ts';
import { until, useServer } from '../helpers/redis.ts';
import { BURST, burst, onPool, Section, tally, throughOutage } from './helpers.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

const timeouts = { lockTimeout: 60_000, acquireTimeout: 60_000, retryInterval: 5 };
const once = { ...timeouts, acquireAttemptsLimit: 1 };

test('a mutex lets one in at a time', { timeout: 60_000 }, () =>
  onPool(server, async (redis) => {
    const section = new Section(redis);
    await burst(async () => {
      const mutex = new Mutex(redis, 'one', timeouts);
      await mutex.acquire();
      await section.enter();
      await mutex.release();
    });
    expect(section.most).toBe(1);
    expect(await redis.get('count')).toBe(String(BURST));
    expect(await server.observer.exists('mutex:one')).toBe(0);
  }),
);

test('of all who try once for a mutex, one gets it, and only its holder can release it', () =>
  onPool(server, async (redis) => {
    const mutexes = times(BURST, () => new Mutex(redis, 'one', once));
    const got = await Promise.all(mutexes.map((mutex) => mutex.tryAcquire()));
    expect(tally(got)).toEqual({ true: 1, false: BURST - 1 });
    const holder = mutexes[got.indexOf(true)];
    await Promise.all(mutexes.filter((mutex) => mutex !== holder).map((mutex) => mutex.release()));
    expect(await server.observer.get('mutex:one')).toBe(holder?.identifier);
    await holder?.release();
    expect(await server.observer.exists('mutex:one')).toBe(0);
  }));

test('a held mutex is refreshed, and its holder is notified when somebody took it away', () =>
  onPool(server, async (redis) => {
    let lost = 0;
    const options = { ...timeouts, refreshInterval: 10, onLockLost: () => void lost++ };
    const mutex = new Mutex(redis, 'one', options);
    await mutex.acquire();
    await server.observer.pexpire('mutex:one', 20_000);
    await until('it is refreshed', async () => (await server.observer.pttl('mutex:one')) > 40_000);
    await server.observer.set('mutex:one', 'somebody else');
    await until('its holder is told', () => lost === 1);
    expect(mutex.isAcquired).toBe(false);
  }));

test('a semaphore lets in as many at a time as it has places', () =>
  onPool(server, async (redis) => {
    const section = new Section(redis);
    await burst(async () => {
      const semaphore = new Semaphore(redis, 'one', 5, timeouts);
      await semaphore.acquire();
      await section.enter();
      await semaphore.release();
    });
    expect(section.most).toBeGreaterThan(1);
    expect(section.most).toBeLessThanOrEqual(5);
    expect(await server.observer.zcard('semaphore:one')).toBe(0);
  }));

test('of all who try once for a semaphore, as many get in as it has places', () =>
  onPool(server, async (redis) => {
    const semaphores = times(BURST, () => new Semaphore(redis, 'one', 5, once));
    const got = await Promise.all(semaphores.map((semaphore) => semaphore.tryAcquire()));
    expect(tally(got)).toEqual({ true: 5, false: BURST - 5 });
    await Promise.all(semaphores.map((semaphore) => semaphore.release()));
    expect(await server.observer.zcard('semaphore:one')).toBe(0);
  }));

test.each([Mutex, Semaphore])('%o comes through an outage', (Lock) =>
  throughOutage(server, async (redis) => {
    return async () => {
      const lock = Lock === Mutex ? new Mutex(redis, 'one', once) : new Semaphore(redis, 'one', 5, once);
      await lock.acquire();
      await lock.release();
    };
  }),
);
