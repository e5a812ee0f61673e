import { expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';

const PROCESSES = 20;
const AWAY_MS = 4000;

/** Chance that is the same in each run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

test('a fleet of 20 processes dials a restarting Redis at a steady rate: no peak is above twice that', async () => {
  const redis = new FakeRedis();
  redis.dialMs = 2;
  const { clock } = redis;
  const dials: number[] = [];
  const hooks = { connecting: () => void dials.push(clock.now()) };
  const fleet = Array.from({ length: PROCESSES }, (_, i) => {
    const random = seeded(i + 1);
    return { pool: redis.pool({ hooks }, { random }), random };
  });
  let served = 0;
  /** Each process has about twenty calls a second, none of them in step with another. */
  const pass = async (ms: number): Promise<void> => {
    for (const end = clock.now() + ms; clock.now() < end; await clock.advance(10)) {
      for (const { pool, random } of fleet) {
        if (random() > 0.2) continue;
        pool
          .use((lease) => lease.get('k'))
          .then(
            () => served++,
            () => {},
          );
      }
    }
  };
  await pass(1000);
  const killedAt = clock.now();
  redis.dial = 'fails';
  for (const one of redis.dials) if (one.alive) one.die();
  await pass(AWAY_MS);
  redis.dial = 'succeeds';
  const backAt = clock.now();
  await settled();
  served = 0;
  await pass(2000);
  const within = (from: number, to: number): number => dials.filter((at) => at >= from && at < to).length;
  const steady = within(killedAt + 1000, backAt) / ((AWAY_MS - 1000) / 1000);
  const peak = Math.max(...dials.filter((at) => at >= killedAt + 1000).map((at) => within(at, at + 1000)));
  expect(served).toBeGreaterThan(PROCESSES * 20);
  expect(steady / PROCESSES).toBeLessThanOrEqual(10);
  expect(peak).toBeLessThanOrEqual(2 * steady);
});
