import { connect } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { type ClientOptions, Pool } from '../../src/index.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { causeOf, newClient, poolErrorOf, testPool, until, useServer } from '../helpers/redis.ts';
import { tcpServer } from '../helpers/tcp-server.ts';

test('a server that accepts and stays silent is given up in time, and its socket closed', async () => {
  let heard = false;
  const { url, sockets } = await tcpServer((socket) =>
    socket.once('data', () => {
      heard = true;
    }),
  );
  const clock = new FakeClock();
  const cause = causeOf({ redis: url, connectTimeoutMs: 200 }, clock);
  await until('it is asked', () => heard);
  await clock.advance(199);
  expect(sockets.size).toBe(1);
  await clock.advance(1);
  expect(await cause).toMatchObject({
    code: 'ETIMEDOUT',
    message: expect.stringContaining('did not answer'),
  });
  await until('the socket is closed', () => sockets.size === 0);
});

test('a server that never reads nor closes is cut off half a second later', async () => {
  const { url, sockets } = await tcpServer((socket) => socket.pause());
  await causeOf({ redis: url, connectTimeoutMs: 100 });
  for (const socket of sockets) socket.resume(); // to see the end
  await until('the socket is closed', () => sockets.size === 0);
});

test('a server that closes at once: the cause says so', async () => {
  const { url } = await tcpServer((socket) => socket.end());
  const cause = await causeOf({ redis: url });
  expect(cause.message).toMatch(/the server closed the connection before it was ready|ECONNRESET|EPIPE/);
});

test('a server that resets at once: the cause says so', async () => {
  const { url } = await tcpServer((socket) => socket.resetAndDestroy());
  const cause = await causeOf({ redis: url });
  expect(cause.message).toMatch(/the server closed the connection before it was ready|ECONNRESET|EPIPE/);
});

test('a server that answers in another language: the cause is the parser error', async () => {
  const { url } = await tcpServer((socket) => socket.resume().write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const cause = await causeOf({ redis: url, connectTimeoutMs: 20_000 });
  expect(cause.message).toMatch(/protocol error|unexpected|unknown|invalid/i);
});

const loading = useServer([
  '--enable-debug-command',
  'yes',
  '--loading-process-events-interval-bytes',
  '1024',
]);

/** Makes the server load its keys again, until what it resolves with is called, or the test is over. */
async function reload(): Promise<() => Promise<void>> {
  const { observer } = loading;
  const keys = 20_000;
  await observer.flushall();
  await observer.mset(Array.from({ length: keys }, (_, i) => [`key:${i}`, 'x'.repeat(100)]).flat());
  const other = observer.duplicate();
  await other.config('SET', 'key-load-delay', '3000'); // microseconds for each key
  const reloaded = observer.call('DEBUG', 'RELOAD').catch((error: unknown) => error);
  const end = async (): Promise<void> => {
    await other.config('SET', 'key-load-delay', '0');
    expect(await reloaded).toBe('OK');
  };
  onTestFinished(async () => {
    await end();
    other.disconnect();
  });
  await until('it loads', async () => /^loading:1/m.test(await other.info('persistence')));
  return end;
}

/** The cause of a dial that is given up as soon as the client has heard that the server is loading. */
async function causeWhileLoading(url: string): Promise<Error & { code?: string }> {
  const clock = new FakeClock();
  let heard = '';
  const createClient = (options: ClientOptions): Redis => {
    const client = newClient(options);
    return client.once('connect', () => client.stream.on('data', (data) => (heard += data)));
  };
  const cause = causeOf({ redis: url, connectTimeoutMs: 300, createClient }, clock);
  await until('it is told', () => heard.includes('loading:1'));
  await clock.advance(300);
  return cause;
}

test('a server that is loading its data: LOADING, once the time for a dial is over', async () => {
  const loaded = await reload();
  const cause = await causeWhileLoading(loading.url);
  expect(cause).toMatchObject({ code: 'ETIMEDOUT', message: expect.stringMatching(/LOADING/) });
  // One with more patience gets its connection when the data is there.
  const redis = { host: '127.0.0.1', port: loading.port, maxLoadingRetryTime: 20 };
  const pool = testPool({ redis, connectTimeoutMs: 30_000, acquireTimeoutMs: 30_000 });
  const value = pool.use((one) => one.get('key:7'));
  await until('it dials', () => pool.stats().connecting === 1);
  await loaded();
  expect(await value).toBe('x'.repeat(100));
});

test('LOADING is seen though the server says it in pieces, as it does over a real network', async () => {
  await reload();
  const { url } = await tcpServer((socket) => {
    const upstream = connect(loading.port, '127.0.0.1');
    socket.setNoDelay().once('close', () => upstream.destroy());
    socket.pipe(upstream);
    pipeline(upstream, inPieces, socket).catch(() => {});
  });
  const cause = await causeWhileLoading(url);
  expect(cause.message).toMatch(/LOADING/);
});

async function* inPieces(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const data of source) {
    for (let at = 0; at < data.length; at += 1000) {
      yield data.subarray(at, at + 1000);
      await turn(1);
    }
  }
}

const full = useServer(['--maxclients', '3']);

test('max number of clients reached is the cause, text and all', async () => {
  const holder = full.pool({ maxActive: 2 });
  const leases = await Promise.all([holder.acquire(), holder.acquire()]);
  let reached = 0;
  const others = new Map<string, number>();
  for (let i = 0; i < 100; i++) {
    const pool = new Pool({ redis: full.url });
    const { cause } = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
    const text = cause instanceof Error ? cause.message : String(cause);
    if (text === 'ERR max number of clients reached') reached++;
    else others.set(text, (others.get(text) ?? 0) + 1);
    await pool.close();
  }
  expect({ reached, others: [...others] }).toEqual({ reached: 100, others: [] });
  for (const lease of leases) lease.release();
});

test('while a connection is open, a full server fails only the first in the queue', async () => {
  const pool = full.pool({ maxActive: 4, name: 'crowded' });
  const two = [await pool.acquire(), await pool.acquire()];
  const outcomes = [pool.acquire(), pool.acquire()];
  const { cause } = await poolErrorOf(outcomes[0] as Promise<unknown>, 'POOL_CONNECT_FAILED');
  expect(String(cause)).toContain('max number of clients');
  two[0]?.release();
  const served = await outcomes[1];
  expect(served?.connectionId).toBe(two[0]?.connectionId);
  expect(await full.clients('crowded')).toHaveLength(2);
});
