import { inspect } from 'node:util';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { expect, test, vi } from 'vitest';
import { DURATIONS } from '../../src/api/durations.ts';
import { EVENT_NAMES } from '../../src/api/events.ts';
import type { Lease } from '../../src/api/lease.ts';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { follow } from '../helpers/outcomes.ts';
import { expectBalanced } from '../helpers/redis.ts';

/** What somebody else's code may do where the pool calls it. */
const DEEDS = {
  nothing: () => undefined,
  throws: () => {
    throw new Error('mine');
  },
  'throws what cannot be shown': () => {
    throw {
      [inspect.custom]() {
        throw new Error('not even this');
      },
    };
  },
  rejects: () => Promise.reject(new Error('mine')),
  'returns what throws in then': () => ({
    // biome-ignore lint/suspicious/noThenProperty: that is the point
    get then() {
      throw new Error('mine');
    },
  }),
  'returns a thenable that rejects': () => ({
    // biome-ignore lint/suspicious/noThenProperty: that is the point
    then: (_: unknown, reject: (error: unknown) => void) => reject(new Error('mine')),
  }),
} as const;

const deed = fc.constantFrom(...(Object.keys(DEEDS) as (keyof typeof DEEDS)[]));

/** Where nobody looks at what is returned. */
const act = fc.constantFrom('nothing', 'throws', 'throws what cannot be shown' as const);

test('whatever user code does, no other caller is affected, and no slot is lost', async () => {
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...EVENT_NAMES), deed),
      deed,
      act,
      fc.array(fc.record({ signal: act, reenters: fc.boolean(), timeoutMs: fc.constantFrom(5, 500) }), {
        minLength: 1,
        maxLength: 8,
      }),
      async (hooks, tested, measured, callers) => {
        const redis = new FakeRedis();
        const pool = redis.pool({
          maxActive: 2,
          hooks: Object.fromEntries(Object.entries(hooks).map(([name, what]) => [name, DEEDS[what]])),
          testOnBorrow: DEEDS[tested] as () => void,
          leakThresholdMs: 1,
        });
        pool[DURATIONS]({ acquire: DEEDS[measured], release: DEEDS[measured], connect: DEEDS[measured] });
        const aborts: (() => void)[] = [];
        const outcomes = callers.map(({ signal, reenters, timeoutMs }) => {
          const listeners = new Set<() => void>();
          const given = {
            aborted: false,
            addEventListener: (_: string, listener: () => void) => listeners.add(listener),
            removeEventListener: (_: string, listener: () => void) => {
              listeners.delete(listener);
              if (reenters) follow(pool.use(() => {}, { timeoutMs: 5 }));
              DEEDS[signal]();
            },
            get reason() {
              DEEDS[signal]();
              return undefined;
            },
          };
          aborts.push(() => {
            given.aborted = true;
            for (const listener of listeners) listener();
          });
          return follow(pool.acquire({ signal: given as never, timeoutMs }));
        });
        const giveBack = async (how: 'release' | 'destroy'): Promise<void> => {
          for (const one of outcomes) {
            if (one.is !== 'done') continue;
            const lease = (await one.promise) as Lease;
            expect(() => lease[how]()).not.toThrow();
          }
          for (let i = 0; i < 3; i++) await settled();
        };
        await settled();
        for (const [i, abort] of aborts.entries()) if (i % 3 === 2) expect(abort).not.toThrow();
        await giveBack('destroy');
        await redis.clock.advance(10);
        for (let i = 0; i < callers.length; i++) await giveBack('release');
        await redis.clock.advance(1000);
        await giveBack('release');
        expect(outcomes.map((one) => one.is)).not.toContain('pending');
        expect(pool.stats()).toMatchObject({ inUse: 0, waiting: 0 });
        expectBalanced(pool.stats());
        const leases = await Promise.all([pool.acquire(), pool.acquire()]);
        for (const lease of leases) lease.release();
        await pool.close();
        expect(redis.clock.timers()).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
  warning.mockRestore();
});

test('a client that throws when its lease is made rejects that acquire, and no slot is lost', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  redis.dial = 'hangs';
  const borrowers = [follow(pool.acquire()), follow(pool.acquire())];
  await settled();
  const [connection] = redis.dials;
  Object.defineProperty(connection?.client, 'scriptsSet', {
    get() {
      throw new Error('mine');
    },
  });
  redis.dial = 'succeeds';
  connection?.succeed();
  await settled();
  await settled();
  expect(borrowers.map((one) => one.is)).toEqual(['mine', 'done']);
  expect(pool.stats()).toMatchObject({ inUse: 1, total: 1, closed: { broken: 1 } });
});

test('a removeListener listener may throw, and the connection is released all the same', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1 });
  const lease = await pool.acquire();
  lease.on('message', () => {});
  redis.dials[0]?.client.on('removeListener', () => {
    throw new Error('mine');
  });
  expect(() => lease.release()).toThrow('mine');
  expect(pool.stats()).toMatchObject({ inUse: 0, total: 1 });
  expect(lease).toBeInstanceOf(Redis);
});
