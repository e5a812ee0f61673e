import { createRequire } from 'node:module';
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, test } from 'vitest';
import { BURST, burst, onPool, Section, tally, throughOutage } from '../consumers/helpers.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

/** What both majors have in common. They have no types of their own that could be found. */
interface Redlock {
  acquire(resources: string[], ttl: number): Promise<Lock>;
  on(event: string, listener: (error: Error) => void): void;
  quit(): Promise<unknown>;
}
interface Lock {
  readonly value: string;
  unlock?(): Promise<unknown>;
  release?(): Promise<unknown>;
  extend(ttl: number): Promise<Lock>;
}
type Constructor = new (clients: Redis[], settings: Record<string, number>) => Redlock;

const require = createRequire(import.meta.url);
const majors: [name: string, Redlock: Constructor][] = [
  ['redlock 4.2.0', require('redlock')],
  ['redlock 5 beta', require('redlock5').default],
];

const TTL = 60_000;
/** Tries for ever, and often. */
const patient = { retryCount: -1, retryDelay: 5, retryJitter: 5 };
const release = async (lock: Lock): Promise<unknown> => lock.release?.() ?? lock.unlock?.();

describe.each(majors)('%s', (_, Redlock) => {
  /** A redlock, and the errors that it met besides locks of others. */
  function make(redis: Redis, settings: Record<string, number>) {
    const redlock = new Redlock([redis], settings);
    const errors: Error[] = [];
    const note = (error: Error) => error.name === 'ResourceLockedError' || errors.push(error);
    redlock.on('clientError', note);
    redlock.on('error', note);
    return { redlock, errors };
  }

  test('lets one in at a time', { timeout: 60_000 }, () =>
    onPool(server, async (redis) => {
      const { redlock, errors } = make(redis, patient);
      const section = new Section(redis);
      await burst(async () => {
        const lock = await redlock.acquire(['one'], TTL);
        await section.enter();
        await release(lock);
      });
      expect(section.most).toBe(1);
      expect(await redis.get('count')).toBe(String(BURST));
      expect(await server.observer.exists('one')).toBe(0);
      expect(errors).toEqual([]);
    }),
  );

  test('of all who try once for a lock, one gets it', () =>
    onPool(server, async (redis) => {
      const { redlock, errors } = make(redis, { retryCount: 0 });
      const refused = (error: Error): string => error.name;
      const got = await burst(() => redlock.acquire(['one', 'two'], TTL).catch(refused));
      const locks = got.filter((one) => typeof one !== 'string');
      const names = got.filter((one) => typeof one === 'string');
      expect(locks).toHaveLength(1);
      expect(Object.keys(tally(names))).toEqual([expect.stringMatching(/^(LockError|ExecutionError)$/)]);
      expect(await server.observer.mget('one', 'two')).toEqual([locks[0]?.value, locks[0]?.value]);
      expect(errors).toEqual([]);
    }));

  test('locks of different things do not wait for each other, are extended and released', () =>
    onPool(server, async (redis) => {
      const { redlock, errors } = make(redis, { retryCount: 0 });
      const locks = await burst((i) => redlock.acquire([`thing ${i}`], TTL));
      expect(await server.observer.dbsize()).toBe(BURST);
      const extended = await Promise.all(locks.map((lock) => lock.extend(10 * TTL)));
      expect(await server.observer.pttl('thing 7')).toBeGreaterThan(5 * TTL);
      await Promise.all(extended.map(release));
      expect(await server.observer.dbsize()).toBe(0);
      expect(errors).toEqual([]);
    }));

  test('comes through an outage', () =>
    throughOutage(server, async (redis) => {
      const { redlock } = make(redis, { retryCount: 0 });
      return async () => release(await redlock.acquire(['one'], TTL));
    }));

  test('quit ends the pool', async () => {
    const pool = server.pool({ maxActive: 3 });
    const { redlock } = make(pool.redis, patient);
    await release(await redlock.acquire(['one'], TTL));
    await redlock.quit();
    expect(pool.stats().total).toBe(0);
    expect(await server.clients()).toEqual([]);
  });
});
