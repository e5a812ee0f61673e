import { describe, expect, test } from 'vitest';
import type { Permit, Permits } from '../../src/core/permits.ts';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';

/** Counts what is asked of an engine, and what is given back. */
class Watched implements Permits {
  /** Permits asked for and not yet given back; and the most there ever were. */
  out = 0;
  most = 0;
  asked = 0;
  closed = 0;
  /** What went back though it was not out. */
  strange = 0;
  readonly #permits = new Set<Permit>();

  constructor(readonly inner: Permits) {}

  get size(): number {
    return this.inner.size;
  }

  async acquire(): Promise<Permit> {
    this.asked++;
    this.most = Math.max(this.most, ++this.out);
    const permit = await this.inner.acquire();
    this.#permits.add(permit);
    return permit;
  }

  giveBack(permit: Permit): void {
    if (!this.#permits.delete(permit)) this.strange++;
    this.out--;
    this.inner.giveBack(permit);
  }

  close(): Promise<void> {
    this.closed++;
    return this.inner.close();
  }
}

const take = (engine: Permits, count: number): Promise<Permit[]> =>
  Promise.all(Array.from({ length: count }, () => engine.acquire()));

/**
 * What an engine owes the pool, and the pool an engine. Any engine must pass:
 * `engineContract('mine', (maxActive) => myEngine(maxActive))`.
 */
export function engineContract(name: string, make: (maxActive: number) => Permits): void {
  describe(`${name} as an engine`, () => {
    test('starts with no permit out', () => {
      expect(make(3).size).toBe(0);
    });

    test('gives as many permits as its bound, each another one, and counts them', async () => {
      const engine = make(3);
      const permits = await take(engine, 2);
      expect(engine.size).toBe(2);
      permits.push(await engine.acquire());
      expect(engine.size).toBe(3);
      expect(new Set(permits).size).toBe(3);
    });

    test('never gives more than its bound, even if asked', async () => {
      const engine = make(2);
      await take(engine, 2);
      let given = false;
      engine.acquire().then(
        () => {
          given = true;
        },
        () => {},
      );
      await settled();
      expect(given).toBe(false);
      expect(engine.size).toBe(2);
    });

    test('has the place of a permit free at once, in the same tick, when it comes back', async () => {
      const engine = make(1);
      for (let round = 0; round < 5; round++) {
        const permit = await engine.acquire();
        expect(engine.size).toBe(1);
        engine.giveBack(permit);
        expect(engine.size).toBe(0);
        const next = await engine.acquire();
        expect(next).not.toBe(permit);
        engine.giveBack(next);
      }
    });

    test('takes permits back in any order', async () => {
      const engine = make(4);
      const permits = await take(engine, 4);
      for (const [i, size] of [
        [2, 3],
        [0, 2],
        [3, 1],
        [1, 0],
      ] as const) {
        const permit = permits[i];
        if (permit) engine.giveBack(permit);
        expect(engine.size).toBe(size);
      }
    });

    test('closes when it was never used', async () => {
      await make(2).close();
    });

    test('closes when all permits are back, also when they come back in the same tick', async () => {
      const engine = make(3);
      for (const permit of await take(engine, 3)) engine.giveBack(permit);
      await engine.close();
      expect(engine.size).toBe(0);
    });

    test('waits for nothing that takes time', async () => {
      const timers = (): number => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length;
      const before = timers();
      const engine = make(2);
      for (const permit of await take(engine, 2)) engine.giveBack(permit);
      expect(timers()).toBe(before);
      await engine.close();
      expect(timers()).toBe(before);
    });
  });

  describe(`a pool on ${name}`, () => {
    test('asks only while there is spare capacity, and gives back just what it took', async () => {
      const redis = new FakeRedis();
      redis.closeMs = 30;
      let watched = new Watched(make(1));
      const pool = redis.pool(
        { maxActive: 3, maxIdle: 1, idleTimeoutMs: 40, reapIntervalMs: 10, outageWaitMs: 0 },
        {
          permits: (maxActive) => {
            watched = new Watched(make(maxActive));
            return watched;
          },
        },
      );
      for (let round = 0; round < 12; round++) {
        redis.dial = round % 4 === 3 ? 'fails' : 'succeeds';
        redis.dialMs = round % 3;
        const work = Array.from({ length: 8 }, (_, i) =>
          pool
            .use((lease) => {
              if (i % 3 === 0) lease.destroy();
              return new Promise<void>((done) => void redis.clock.after(i, done));
            })
            .catch(() => {}),
        );
        await redis.clock.advance(100 * (round % 2) + 15);
        if (round % 5 === 4) pool.clear();
        expect(watched.size).toBe(pool.stats().total);
        await redis.clock.advance(3000);
        await Promise.all(work);
      }
      const closing = pool.close();
      await redis.clock.advance(100);
      await closing;
      expect(watched.most).toBe(3);
      expect(watched.asked).toBeGreaterThan(20);
      expect([watched.out, watched.size, watched.strange, watched.closed]).toEqual([0, 0, 0, 1]);
    });
  });
}
