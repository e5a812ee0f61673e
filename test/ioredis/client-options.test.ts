import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Pool } from '../../src/index.ts';
import { testPool, useServer } from '../helpers/redis.ts';

const dir = mkdtempSync(join(tmpdir(), 'socket-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const path = join(dir, 'redis.sock');
const server = useServer(['--unixsocket', path]);

const at = (): { host: string; port: number } => ({ host: '127.0.0.1', port: server.port });

test('a URL alone, as the first argument, is enough', async () => {
  const pool = new Pool(server.url);
  expect(await pool.use((redis) => redis.ping())).toBe('PONG');
  await pool.close();
});

test('a URL and options, the URL with user, password and db', async () => {
  await server.observer.call('ACL', 'SETUSER', 'app', 'on', '>p@ss/word', '~app:*', '+@all');
  const pool = new Pool(`redis://app:p%40ss%2Fword@127.0.0.1:${server.port}/4`, { name: 'by-url' });
  expect(await pool.use((redis) => redis.set('app:k', 'v'))).toBe('OK');
  expect(await server.clients('by-url')).toMatchObject([{ user: 'app', db: '4' }]);
  await pool.close();
});

test('an ACL user by options: it is the user at the server, and its rights hold', async () => {
  await server.observer.call('ACL', 'SETUSER', 'app', 'on', '>p@ss/word', '~app:*', '+@all');
  const pool = testPool({ redis: { ...at(), username: 'app', password: 'p@ss/word' }, name: 'by-options' });
  expect(await pool.use((redis) => redis.call('ACL', 'WHOAMI'))).toBe('app');
  await expect(pool.use((redis) => redis.set('other', 'v'))).rejects.toThrow(/^NOPERM /);
  expect(await server.clients('by-options')).toMatchObject([{ user: 'app', db: '0' }]);
  expect(pool.stats()).toMatchObject({ connected: 1, idle: 1 });
});

test('every connection is in its db, and stays there whatever a borrower selects', async () => {
  for (const redis of [`${server.url}/3`, { ...at(), db: 3 }]) {
    const pool = testPool({ redis, name: 'in-db', maxActive: 3 });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    expect(await server.clients('in-db')).toMatchObject([{ db: '3' }, { db: '3' }, { db: '3' }]);
    for (const lease of leases) {
      await lease.select(7);
      lease.release();
    }
    const next = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    expect(await server.clients('in-db')).toMatchObject([{ db: '3' }, { db: '3' }, { db: '3' }]);
    expect(pool.stats().connected).toBe(3);
    for (const lease of next) lease.release();
    await pool.close();
  }
});

test('keyPrefix is put before keys, once, in pipelines, transactions and scripts too', async () => {
  const pool = testPool({ redis: { ...at(), keyPrefix: 'app:' } });
  await pool.use(async (redis) => {
    await redis.set('a', '1');
    await redis.pipeline().set('b', '2').exec();
    await redis.multi().set('c', '3').exec();
    await redis.eval("return redis.call('set', KEYS[1], ARGV[1])", 1, 'd', '4');
    expect(await redis.mget('a', 'b', 'c', 'd')).toEqual(['1', '2', '3', '4']);
  });
  expect(await server.observer.mget('app:a', 'app:b', 'app:c', 'app:d')).toEqual(['1', '2', '3', '4']);
  expect(await server.observer.keys('app:app:*')).toEqual([]);
});

test('the name of the pool is the name of its connections, unless they have one of their own', async () => {
  const names = [
    { options: {}, name: 'redis-pool' },
    { options: { name: 'sessions' }, name: 'sessions' },
    { options: { name: 'sessions', redis: { ...at(), connectionName: 'web-1' } }, name: 'web-1' },
    { options: { name: 'sessions', redis: `${server.url}?connectionName=web-2` }, name: 'web-2' },
  ];
  for (const { options, name } of names) {
    const pool = server.pool(options);
    const id = await pool.use((redis) => redis.client('ID'));
    expect(await server.client(id)).toMatchObject({ name });
    await pool.close();
  }
});

test('a unix socket, by path or by options', async () => {
  for (const redis of [path, { path }]) {
    const pool = testPool({ redis, name: 'unix' });
    expect(await pool.use((lease) => lease.ping())).toBe('PONG');
    const [client] = await server.clients('unix');
    expect(client?.['laddr'] ?? client?.['addr']).toContain(path);
    await pool.close();
    expect(await server.clients('unix')).toEqual([]);
  }
});

test('what the pool decides wins over what the ioredis options say', async () => {
  const pool = testPool({
    redis: {
      ...at(),
      lazyConnect: false,
      retryStrategy: () => 1,
      reconnectOnError: () => 2,
      enableOfflineQueue: true,
      autoResubscribe: true,
      autoResendUnfulfilledCommands: true,
      enableAutoPipelining: true,
      connectTimeout: 1,
    },
    connectTimeoutMs: 1234,
  });
  await pool.use(({ options }) => {
    expect(options).toMatchObject({
      lazyConnect: true,
      reconnectOnError: expect.any(Function),
      enableOfflineQueue: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      enableAutoPipelining: false,
      connectTimeout: 0, // the pool's own bounds the whole dial
    });
    expect(options.retryStrategy?.(1)).toBeNull();
    expect(options.reconnectOnError?.(new Error('WRONGTYPE'))).toBe(false); // the pool looks, and ioredis never reconnects
  });
});
