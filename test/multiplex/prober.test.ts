import { describe, expect, test } from 'vitest';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { errorOf } from '../helpers/outcomes.ts';

/** A Redis that refuses. */
function down(): FakeRedis {
  return Object.assign(new FakeRedis(), {
    dial: 'fails',
    dialMs: 1,
    dialError: new Error('connect ECONNREFUSED'),
  });
}

describe('once nobody can connect, and pool.redis exists', () => {
  test('it is tried again and again, at the pace of the back-off, and status says ready by itself', async () => {
    const redis = down();
    const pool = redis.pool();
    const { redis: client } = pool;
    const heard: string[] = [];
    client.on('error', () => heard.push('error'));
    await errorOf(Promise.all([client.get('k'), redis.clock.advance(1)]) as Promise<never>);
    expect(client.status).toBe('connecting');
    await redis.clock.advance(10_000);
    // After 50, 100 … 1600 and every 2000 ms.
    expect(redis.dials.length).toBe(1 + 6 + 3);
    expect(redis.peak).toBe(1);
    expect(heard.length).toBe(redis.dials.length);
    redis.dial = 'succeeds';
    await redis.clock.advance(2001);
    expect(client.status).toBe('ready');
    expect(pool.stats()).toMatchObject({ idle: 1, connecting: 0, connected: 1 });
    await redis.clock.advance(10_000);
    expect(redis.dials.length).toBe(11);
  });

  test('a pool.redis that is made when it is down already has it tried as well', async () => {
    const redis = down();
    const pool = redis.pool();
    await errorOf(Promise.all([pool.acquire(), redis.clock.advance(1)]) as Promise<never>);
    await redis.clock.advance(5000);
    expect(redis.dials.length).toBe(1);
    const { redis: client } = pool;
    expect(client.status).toBe('connecting');
    redis.dial = 'succeeds';
    await redis.clock.advance(5);
    expect(client.status).toBe('ready');
  });

  test('its timer keeps no process alive', async () => {
    const redis = down();
    const pool = redis.pool();
    await errorOf(Promise.all([pool.redis.get('k'), redis.clock.advance(1)]) as Promise<never>);
    await redis.clock.advance(10_000);
    expect(redis.clock.timers()).toBeGreaterThan(0);
    expect(redis.clock.timers('waited')).toBe(0);
  });

  test.each(['quit', 'disconnect', 'close'] as const)('%s() ends it', async (how) => {
    const redis = down();
    const pool = redis.pool();
    const { redis: client } = pool;
    await errorOf(Promise.all([client.get('k'), redis.clock.advance(1)]) as Promise<never>);
    await redis.clock.advance(500);
    const dials = redis.dials.length;
    if (how === 'close') await pool.close();
    else await client[how]();
    await redis.clock.advance(20_000);
    expect(redis.dials.length).toBe(dials);
    expect(redis.clock.timers()).toBe(0);
    expect(client.status).toBe('end');
  });

  test('it keeps within maxActive, and asks for none while all are lent', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2, outageWaitMs: 0 });
    expect(pool.redis.status).toBe('ready');
    const leases = [await pool.acquire(), await pool.acquire()];
    redis.dial = 'fails';
    for (const one of redis.dials) one.die();
    leases[0]?.release();
    await redis.clock.advance(3000);
    await errorOf(Promise.all([pool.acquire(), redis.clock.advance(10)]) as Promise<never>);
    await redis.clock.advance(5000);
    expect(redis.peak).toBe(2);
    expect(pool.stats().inUse).toBe(1);
    redis.dial = 'succeeds';
    await redis.clock.advance(2001);
    expect(pool.redis.status).toBe('ready');
  });

  test('with maxIdle 0 what it dials is closed, and one success is enough', async () => {
    const redis = down();
    const pool = redis.pool({ maxIdle: 0 });
    await errorOf(Promise.all([pool.redis.get('k'), redis.clock.advance(1)]) as Promise<never>);
    redis.dial = 'succeeds';
    await redis.clock.advance(10_000);
    expect(pool.redis.status).toBe('ready');
    expect(pool.stats()).toMatchObject({ connected: 1, total: 0 });
  });
});

test('without pool.redis nobody tries', async () => {
  const redis = down();
  const pool = redis.pool();
  await errorOf(Promise.all([pool.acquire(), redis.clock.advance(1)]) as Promise<never>);
  await redis.clock.advance(60_000);
  expect(redis.dials.length).toBe(1);
});
