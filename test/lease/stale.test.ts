import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Pool } from '../../src/index.ts';
import { type RunningServer, startServer } from '../../tools/redis-server.js';

let server: RunningServer;
let pool: Pool;

beforeAll(async () => {
  server = await startServer();
  pool = new Pool({ redis: server.url, maxActive: 1 });
});

afterAll(async () => {
  await pool.close();
  await server.stop();
});

test('nothing done to a stale lease reaches the next borrower', async () => {
  const stale = await pool.acquire();
  let heard = 0;
  stale.on('message', () => heard++);
  const pipeline = stale.pipeline().set('k', 'stale');
  stale.release();
  const next = await pool.acquire();
  expect(next.connectionId).toBe(stale.connectionId);
  const released = { code: 'POOL_LEASE_RELEASED' };
  await expect(stale.get('k')).rejects.toMatchObject(released);
  await expect(stale.multi().get('k').exec()).rejects.toMatchObject(released);
  expect(await pipeline.exec()).toEqual([[expect.objectContaining(released)]]);
  await expect(stale.quit()).rejects.toMatchObject(released);
  await expect(stale.connect()).rejects.toMatchObject(released);
  expect(() => stale.raw).toThrow(expect.objectContaining(released));
  stale.disconnect();
  stale.end();
  stale.destroy();
  stale.release();
  expect([stale.status, stale.stream, stale.mode]).toEqual(['end', undefined, 'normal']);
  await next.subscribe('c');
  next.on('message', () => heard++);
  const publisher = new Redis(server.url);
  await publisher.publish('c', 'for the borrower alone');
  publisher.disconnect();
  expect(await next.ping()).toBeTruthy();
  expect(heard).toBe(1);
  expect(next.status).toBe('ready');
  next.release();
});

test('commands sent before release still get their replies, and nobody else does', async () => {
  const lease = await pool.acquire();
  const replies = Array.from({ length: 50 }, (_, i) => lease.echo(`mine ${i}`));
  lease.release();
  expect(await pool.use((redis) => redis.echo('theirs'))).toBe('theirs');
  expect(await Promise.all(replies)).toEqual(Array.from({ length: 50 }, (_, i) => `mine ${i}`));
});

test('a reply that does not come within a second costs the connection', async () => {
  const lease = await pool.acquire();
  const slow = lease.call('DEBUG', 'SLEEP', '0').catch((error: Error) => error.message);
  await slow;
  const observer = new Redis(server.url);
  await observer.client('PAUSE', 3000, 'WRITE');
  const write = lease.set('k', 'v').catch((error) => error);
  lease.release();
  expect(await write).toMatchObject({ code: 'POOL_CONNECTION_LOST' });
  expect(pool.stats().closed.dirty).toBeGreaterThan(0);
  await observer.client('UNPAUSE');
  observer.disconnect();
});

test('a connection lost under a lease is lost for good: no silent reconnect lets EXEC through', async () => {
  const killer = new Redis(server.url);
  const bare = new Redis(server.url, { retryStrategy: () => 1 });
  await killer.set('stock', '1');
  const race = async (redis: Redis): Promise<unknown> => {
    await redis.watch('stock');
    const id = await redis.client('ID');
    await killer.client('KILL', 'ID', id);
    await killer.set('stock', '0'); // someone else was faster
    await redis.ping().catch(() => {}); // the loss is noticed
    return redis.multi().set('stock', '1').exec();
  };
  // The bare client reconnects, has forgotten WATCH, and overwrites.
  expect(await race(bare)).toEqual([[null, 'OK']]);
  bare.disconnect();
  const lost = { code: 'POOL_CONNECTION_LOST' };
  const lease = await pool.acquire();
  await expect(race(lease)).rejects.toMatchObject(lost);
  await expect(lease.get('stock')).rejects.toMatchObject({ ...lost, message: /not sent/ });
  expect(await killer.get('stock')).toBe('0');
  lease.release();
  expect(pool.stats().closed.broken).toBeGreaterThan(0);
  killer.disconnect();
});

test('what is in flight when the connection dies is rejected, and may have run', async () => {
  const killer = new Redis(server.url);
  const lease = await pool.acquire();
  const id = await lease.client('ID');
  const blocked = lease.blpop('never', 0);
  const piped = lease.pipeline().get('a').get('b').exec();
  const settled = Promise.allSettled([blocked, piped]);
  await killer.client('KILL', 'ID', id);
  const [first, second] = await settled;
  const lost = { code: 'POOL_CONNECTION_LOST', message: expect.stringContaining('may have run') };
  expect(first).toMatchObject({ status: 'rejected', reason: lost });
  const each = [expect.objectContaining(lost)];
  expect(second).toEqual({ status: 'fulfilled', value: [each, each] });
  lease.release();
  killer.disconnect();
});
