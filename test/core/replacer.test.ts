import { describe, expect, test } from 'vitest';
import { Replacement } from '../../src/core/replacement.ts';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { take } from '../helpers/outcomes.ts';

describe('when connections may be replaced that work', () => {
  test('at first at once, and then after a delay that doubles up to 300 ms', () => {
    const replacement = new Replacement();
    const delays: number[] = [];
    let now = 0;
    for (let i = 0; i < 6; i++) {
      replacement.begin(1, now, 0);
      delays.push(replacement.remaining(now));
      now += replacement.remaining(now);
      expect(replacement.remaining(now)).toBe(0);
    }
    expect(delays).toEqual([100, 200, 300, 300, 300, 300]);
  });

  test('no more than ten a second, however many there are', () => {
    const replacement = new Replacement();
    replacement.begin(50, 0, 0);
    expect(replacement.remaining(0)).toBe(5000);
    replacement.begin(1, 5000, 1);
    expect(replacement.remaining(5000)).toBe(300); // chance adds up to half of it
  });

  test('soon again, when there was no need of it for ten seconds', () => {
    const replacement = new Replacement();
    for (let i = 0; i < 5; i++) replacement.begin(1, i, 0);
    const quiet = 4 + replacement.remaining(4) + 10_000;
    replacement.begin(1, quiet, 0);
    expect(replacement.remaining(quiet)).toBe(100);
  });
});

describe('a connection over which Redis refuses writes', () => {
  test('has all replaced that were dialled before, and none that came later', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 4 });
    const [a, b, c] = await take(pool, 3);
    c?.release();
    redis.dial = 'hangs';
    const third = pool.acquire();
    const fourth = pool.acquire();
    (await third).release();
    expect(pool.stats()).toMatchObject({ inUse: 3, connecting: 1 });
    redis.dial = 'succeeds';
    if (a) behind(redis, a).owner.unwanted('readOnly');
    redis.dials[3]?.succeed();
    await redis.clock.advance(0);
    a?.release();
    b?.release();
    (await fourth).release();
    await settled();
    expect(pool.stats().closed.stale).toBeGreaterThanOrEqual(2);
    expect(pool.stats()).toMatchObject({ inUse: 0, closed: { cleared: 0, broken: 0 } });
    const before = pool.stats().closed.stale;
    await pool.use(() => {});
    await redis.clock.advance(1000);
    expect(pool.stats().closed.stale).toBe(before);
  });

  test('has the next ones wait for the back-off, and is replaced then though nobody asks again', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    await pool.use((lease) => behind(redis, lease).owner.unwanted('readOnly'));
    expect(pool.stats().closed.stale).toBe(1);
    await pool.use((lease) => behind(redis, lease).owner.unwanted('readOnly'));
    expect(pool.stats().closed.stale).toBe(1);
    await redis.clock.advance(99);
    expect(pool.stats()).toMatchObject({ idle: 1, closed: { stale: 1 } });
    await redis.clock.advance(1);
    expect(pool.stats()).toMatchObject({ idle: 0, closed: { stale: 2 } });
  });

  test('leaves no timer behind when the pool is closed', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    await pool.use((lease) => behind(redis, lease).owner.unwanted('readOnly'));
    const lease = await pool.acquire();
    behind(redis, lease).owner.unwanted('readOnly');
    const closed = pool.close({ graceMs: 50 });
    behind(redis, lease).owner.unwanted('asked');
    lease.release();
    await closed;
    expect(redis.clock.timers()).toBe(0);
  });
});

test('a connection that whoever uses the pool does not want is replaced alone', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 2 });
  const [a, b] = await take(pool, 2);
  if (a) behind(redis, a).owner.unwanted('asked');
  a?.release();
  b?.release();
  await settled();
  expect(pool.stats()).toMatchObject({ idle: 1, closed: { stale: 1 } });
  expect(await pool.health()).toMatchObject({ ok: true });
});
