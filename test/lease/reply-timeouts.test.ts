import { describe, expect, onTestFinished, test } from 'vitest';
import type { PoolOptions } from '../../src/api/options.ts';
import type { Pool } from '../../src/pool.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { follow } from '../helpers/outcomes.ts';
import { poolErrorOf, until, useServer } from '../helpers/redis.ts';

function world(options: PoolOptions = {}): { redis: FakeRedis; pool: Pool } {
  const redis = new FakeRedis();
  const pool = redis.pool({ leaseReplyTimeoutMs: 10_000, ...options });
  onTestFinished(() => pool.close({ graceMs: 0 }));
  return { redis, pool };
}

test('a lease whose reply does not come is given up: its commands reject, and its connection is closed', async () => {
  const { redis, pool } = world();
  const lease = await pool.acquire();
  const connection = behind(redis, lease);
  connection.client.holdReplies = true;
  const all = [follow(lease.get('a')), follow(lease.get('b'))];
  await redis.clock.advance(9900);
  expect(all.map(({ is }) => is)).toEqual(['pending', 'pending']);
  await redis.clock.advance(1200); // a look each second
  expect(all.map(({ is }) => is)).toEqual(['POOL_CONNECTION_LOST', 'POOL_CONNECTION_LOST']);
  expect(all[0]?.error).toMatchObject({
    message: expect.stringContaining(
      'no reply within 10000 ms (leaseReplyTimeoutMs); the command may have run',
    ),
    cause: { code: 'ETIMEDOUT' },
  });
  expect(connection.alive).toBe(false);
  await poolErrorOf(lease.get('c'), 'POOL_CONNECTION_LOST');
  lease.release();
  expect(pool.stats()).toMatchObject({ inUse: 0, idle: 0, closed: { broken: 1 } });
});

test('each reply gives the next one the whole time again', async () => {
  const { redis, pool } = world();
  const lease = await pool.acquire();
  const { client } = behind(redis, lease);
  client.holdReplies = true;
  const all = [1, 2, 3].map(() => follow(lease.get('k')));
  for (const one of all) {
    await redis.clock.advance(8000);
    expect(one.is).toBe('pending');
    client.commandQueue.shift()?.command.resolve('v');
  }
  await redis.clock.advance(60_000);
  expect(all.map(({ is }) => is)).toEqual(['done', 'done', 'done']);
});

describe('what blocks has its own time-out on top', () => {
  test.each<[string, ...(string | number)[]]>([
    ['blpop', 'k', 5],
    ['bzpopmin', 'k', 5],
    ['blmpop', 5, 1, 'k', 'LEFT'],
    ['xread', 'BLOCK', 5000, 'STREAMS', 's', '$'],
    ['wait', 1, 5000],
  ])('%s %s %s', async (name, ...args) => {
    const { redis, pool } = world();
    const lease = await pool.acquire();
    behind(redis, lease).client.holdReplies = true;
    const blocked = follow(lease.call(name, ...args));
    await redis.clock.advance(14_900);
    expect(blocked.is).toBe('pending');
    await redis.clock.advance(1200);
    expect(blocked.is).toBe('POOL_CONNECTION_LOST');
  });

  test.each<[string, ...(string | number)[]]>([
    ['blpop', 'k', 0],
    ['xread', 'BLOCK', 0, 'STREAMS', 's', '$'],
    ['client', 'REPLY', 'OFF'],
  ])('%s %s %s has none', async (name, ...args) => {
    const { redis, pool } = world();
    const lease = await pool.acquire();
    behind(redis, lease).client.holdReplies = true;
    const blocked = follow(lease.call(name, ...args));
    await redis.clock.advance(3_600_000);
    expect(blocked.is).toBe('pending');
  });
});

test('a lease that waits for nothing may be held for as long as it likes', async () => {
  const { redis, pool } = world();
  const lease = await pool.acquire();
  await lease.subscribe('news');
  await redis.clock.advance(3_600_000);
  expect(behind(redis, lease).alive).toBe(true);
  expect(await lease.get('k')).toBe('OK');
});

test('Infinity turns it off, and no timer is left when no lease is out, nor after close()', async () => {
  const { redis, pool } = world();
  const lease = await pool.acquire();
  expect(redis.clock.timers('waited')).toBe(0);
  const before = redis.clock.timers();
  lease.release();
  await redis.clock.advance(1000);
  expect(redis.clock.timers()).toBeLessThan(before);
  const unlimited = world({ leaseReplyTimeoutMs: Number.POSITIVE_INFINITY });
  const held = await unlimited.pool.acquire();
  behind(unlimited.redis, held).client.holdReplies = true;
  const command = follow(held.get('k'));
  await unlimited.redis.clock.advance(3_600_000);
  expect(command.is).toBe('pending');
  await pool.acquire();
  await pool.close({ graceMs: 0 });
  expect(redis.clock.timers()).toBe(0);
});

describe('on a server', () => {
  const server = useServer();

  test('of a server that is frozen, the leases that wait come back, and their places', async () => {
    const pool = server.pool({ maxActive: 2, leaseReplyTimeoutMs: 300, acquireTimeoutMs: 30_000 });
    const [waits, holds] = [await pool.acquire(), await pool.acquire()];
    await waits.set('k', 'v');
    await holds.set('k', 'v');
    server.freeze();
    const [waited] = await Promise.all([
      poolErrorOf(waits.get('k'), 'POOL_CONNECTION_LOST'),
      poolErrorOf(waits.multi().get('k').exec(), 'POOL_CONNECTION_LOST'),
    ]);
    expect(waited.message).toContain('leaseReplyTimeoutMs');
    expect(holds.status).toBe('ready'); // it asked for nothing
    waits.release();
    await until('its place is free', () => pool.stats().total === 1);
    server.thaw();
    expect(await pool.use((lease) => lease.get('k'))).toBe('v');
    expect(await holds.get('k')).toBe('v');
    holds.release();
  });

  test('a reply that takes longer to come than that, and comes, is read', async () => {
    const pool = server.pool({ leaseReplyTimeoutMs: 300 });
    await pool.use(async (lease) => {
      expect(await lease.blpop('none', 0.5)).toBeNull();
      expect(await lease.call('wait', 1, 500)).toBe(0);
    });
    expect(pool.stats()).toMatchObject({ connected: 1, idle: 1 });
  });
});
