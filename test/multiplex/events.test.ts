import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { freePort, startServer } from '../../tools/redis-server.js';
import { poolErrorOf, testPool, until, useServer } from '../helpers/redis.ts';

const server = useServer();
const EVENTS = ['connect', 'ready', 'error', 'close', 'reconnecting', 'end'];

function listen(redis: Redis): string[] {
  const heard: string[] = [];
  for (const event of EVENTS) redis.on(event, () => heard.push(event));
  return heard;
}

test('a listener for ready is notified although no command is sent', async () => {
  const { redis } = server.pool();
  await once(redis, 'ready');
  expect(redis.status).toBe('ready');
});

test('opening and closing of single connections emits nothing; the end is emitted once', async () => {
  const pool = server.pool({ maxIdle: 0, name: 'churn' });
  const heard = listen(pool.redis);
  for (let i = 0; i < 5; i++) await pool.redis.ping();
  pool.clear();
  await pool.use((redis) => redis.ping());
  expect(pool.stats().connected).toBeGreaterThan(3);
  expect(heard).toEqual(['connect', 'ready']);
  await pool.redis.quit();
  expect(heard).toEqual(['connect', 'ready', 'close', 'end']);
  expect(pool.redis.status).toBe('end');
});

test('while no connection can be made the status is connecting, errors are emitted to listeners, and ready follows later', async () => {
  const port = await freePort();
  const pool = testPool({ redis: { port } });
  expect(pool.redis.status).toBe('ready');
  await poolErrorOf(pool.redis.get('k'), 'POOL_CONNECT_FAILED'); // nobody listens for errors, and nothing is thrown
  expect(pool.redis.status).toBe('connecting');
  const errors: Error[] = [];
  pool.redis.on('error', (error) => errors.push(error));
  const ready = new Promise((resolve) => void pool.redis.once('ready', () => resolve(undefined)));
  await until('an error is told', () => errors.length > 0);
  expect(errors[0]).toMatchObject({ code: 'ECONNREFUSED' });
  const late = await startServer({ port });
  try {
    await ready;
    expect(pool.redis.status).toBe('ready');
    expect(await pool.redis.ping()).toBe('PONG');
    const heard = listen(pool.redis);
    await late.stop();
    await until('it is down', () => pool.redis.get('k').catch(() => pool.redis.status === 'connecting'));
    await until('it is told', () => heard.includes('error'));
    expect(heard).not.toContain('end');
  } finally {
    await late.stop();
  }
});

test("a listener that throws is reported, and is nobody else's matter", async () => {
  const warnings: string[] = [];
  const warned = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', warned);
  const { redis } = server.pool();
  redis.on('ready', () => {
    throw new Error('mine');
  });
  expect(await redis.ping()).toBe('PONG');
  await until('it is reported', () => warnings.some((one) => one.includes('mine')));
  process.off('warning', warned);
});

test('listeners are called after waiting callers: one that ends the client does not hide the cause', async () => {
  const { redis } = testPool({ redis: { port: await freePort() } });
  redis.on('error', () => redis.disconnect());
  const error = await poolErrorOf(redis.get('k'), 'POOL_CONNECT_FAILED');
  expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
  await until('it has ended', () => redis.status === 'end');
});

test('a throwing listener for connect does not prevent ready, nor the events of another view', async () => {
  const { redis } = server.pool();
  const other = redis.duplicate();
  redis.on('connect', () => {
    throw new Error('mine');
  });
  const heard = [listen(redis), listen(other)];
  await redis.ping();
  await until('both have heard', () => heard.every((events) => events.includes('ready')));
});
