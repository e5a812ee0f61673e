import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import type { Lease } from '../../src/index.ts';
import { poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer();

const idOf = async (redis: Redis): Promise<number> => (await redis.client('ID')) as number;

test('commands in flight when the connection dies reject with POOL_CONNECTION_LOST, which says they may have run', async () => {
  const pool = server.pool({ name: 'loser' });
  const lease = await pool.acquire();
  const id = await idOf(lease);
  const replies = [
    lease.incr('counter'),
    lease.blpop('never', 0),
    lease.incr('counter'),
    lease.call('INCR', 'counter'),
    lease.multi().incr('counter').exec(),
  ];
  const [ran, ...lost] = replies;
  expect(await ran).toBe(1);
  const errors = lost.map((reply) => poolErrorOf(reply as Promise<unknown>, 'POOL_CONNECTION_LOST'));
  await server.killClient(id);
  for (const error of await Promise.all(errors)) {
    expect(error.message).toMatch(/may have run/);
    expect(error.pool).toBe('loser');
  }
  expect(await server.observer.get('counter')).toBe('1');
  lease.release();
});

test('a pipeline in flight reports the outcome of each command, as ioredis does', async () => {
  const pool = server.pool();
  const lease = await pool.acquire();
  const id = await idOf(lease);
  const pipeline = lease.pipeline().set('p', '1').get('p').blpop('never', 0).get('p').exec();
  await until('the server waits', async () => (await server.client(id))['flags'] === 'b');
  await server.killClient(id);
  const results = await pipeline;
  expect(results?.slice(0, 2)).toEqual([
    [null, 'OK'],
    [null, '1'],
  ]);
  expect(results?.slice(2).map(([error]) => (error as { code?: string } | null)?.code)).toEqual([
    'POOL_CONNECTION_LOST',
    'POOL_CONNECTION_LOST',
  ]);
  lease.release();
});

test('later commands of the lease reject too, and nothing reconnects behind its back', async () => {
  const received = await server.info('total_connections_received');
  const pool = server.pool({ name: 'later' });
  const lease = await pool.acquire();
  await server.killClient(await idOf(lease));
  await until('the lease knows', () => lease.status === 'end');
  for (let i = 0; i < 3; i++) {
    const error = await poolErrorOf(lease.set('later', 'never'), 'POOL_CONNECTION_LOST');
    expect(error.message).toMatch(/not sent/);
    await poolErrorOf(lease.multi().set('later', 'never').exec() as Promise<unknown>, 'POOL_CONNECTION_LOST');
  }
  expect(pool.stats()).toMatchObject({ inUse: 1, total: 1, connected: 1 });
  lease.release();
  await poolErrorOf(lease.get('later'), 'POOL_LEASE_RELEASED');
  await until('its place is free', () => pool.stats().total === 0);
  expect(pool.stats().closed.broken).toBe(1);
  expect(await server.info('total_connections_received')).toBe(received + 1);
  expect(await server.observer.get('later')).toBeNull();
});

test('use() rejects with what was lost, and the next use has another connection', async () => {
  const pool = server.pool();
  const lost = pool.use(async (redis) => {
    const id = await idOf(redis);
    const reply = redis.blpop('never', 0);
    reply.catch(() => {});
    await server.killClient(id);
    return reply;
  });
  await poolErrorOf(lost, 'POOL_CONNECTION_LOST');
  expect(await pool.use((redis) => redis.connectionId)).toBe(2);
});

/**
 * Reads a balance under WATCH, is cut off, and meanwhile someone else changes it. What EXEC then does is the
 * difference between a lease and a client that heals.
 */
async function withdraw(redis: Redis, key: string): Promise<unknown> {
  await server.observer.set(key, '100');
  await redis.watch(key);
  const balance = Number(await redis.get(key));
  await server.killClient(await idOf(redis));
  await server.observer.set(key, '5');
  return redis
    .multi()
    .set(key, balance - 60)
    .exec();
}

test('WATCH, a lost connection, EXEC: a bare client overwrites what another wrote, a lease does not', async () => {
  const bare = new Redis(server.url, { retryStrategy: () => 1 });
  onTestFinished(() => bare.disconnect());
  bare.on('error', () => {});
  expect(await withdraw(bare, 'bare')).toEqual([[null, 'OK']]);
  expect(await server.observer.get('bare')).toBe('40'); // 5 became 40: money out of nothing

  const pool = server.pool();
  const withdrawal = pool.use((lease: Lease) => withdraw(lease, 'leased'));
  await poolErrorOf(withdrawal, 'POOL_CONNECTION_LOST');
  expect(await server.observer.get('leased')).toBe('5');
});

test('a lease emits the end of its connection, and a released one does not', async () => {
  const pool = server.pool({ maxActive: 1 });
  const lease = await pool.acquire();
  const told: string[] = [];
  lease.once('close', () => told.push('close')).once('end', () => told.push('end'));
  await server.killClient(await idOf(lease));
  await until('it is told', () => told.length === 2);
  expect(told).toEqual(['close', 'end']);
  lease.release();
});
