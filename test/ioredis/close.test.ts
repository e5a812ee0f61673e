import { getEventListeners } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Pool } from '../../src/index.ts';
import { freePort } from '../../tools/redis-server.js';
import { FakeClock } from '../helpers/fake-clock.ts';
import { poolErrorOf, testPool, until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** Nothing of the pool is left, here or at the server, and it stays so. */
async function expectNothingLeft(pool: Pool): Promise<void> {
  expect(pool.stats()).toMatchObject({ total: 0, inUse: 0, idle: 0, connecting: 0, closing: 0, waiting: 0 });
  expect(await server.clients()).toEqual([]);
  await poolErrorOf(pool.acquire(), 'POOL_CLOSED');
  await poolErrorOf(pool.ready(), 'POOL_CLOSED');
  await poolErrorOf(
    pool.use(() => {}),
    'POOL_CLOSED',
  );
  expect(await server.clients()).toEqual([]);
}

test('before first use', async () => {
  const pool = server.pool({ minIdle: 3 });
  await pool.close();
  await expectNothingLeft(pool);
});

test('with idle connections', async () => {
  const pool = server.pool({ minIdle: 3 }, new FakeClock()); // which stands still: closing takes no time
  await pool.ready();
  await until('three are idle', () => pool.stats().idle === 3);
  await pool.close();
  await expectNothingLeft(pool);
  expect(pool.stats().closed.poolClosed).toBe(3);
});

test('while leases are out that come back in time: their commands still run', async () => {
  const pool = server.pool();
  const lease = await pool.acquire();
  const closing = pool.close();
  expect(await lease.set('in time', 'yes')).toBe('OK');
  await poolErrorOf(pool.acquire(), 'POOL_CLOSED');
  expect(await server.clients()).toHaveLength(1);
  lease.release();
  await closing;
  await expectNothingLeft(pool);
  expect(await server.observer.get('in time')).toBe('yes');
});

test('while leases are out that never come back: they are cut after the grace, in flight or not', async () => {
  const clock = new FakeClock();
  const pool = server.pool({}, clock);
  const [busy, lazy] = [await pool.acquire(), await pool.acquire()];
  const blocked = poolErrorOf(busy.blpop('never', 0), 'POOL_CONNECTION_LOST');
  const closing = pool.close({ graceMs: 120 });
  await clock.advance(119);
  expect(pool.stats().inUse).toBe(2);
  await clock.advance(1);
  await blocked;
  await closing;
  await poolErrorOf(lazy.get('k'), 'POOL_CONNECTION_LOST');
  lazy.release();
  busy.release();
  await expectNothingLeft(pool);
});

test('with no grace at all', async () => {
  const clock = new FakeClock();
  const pool = server.pool({}, clock);
  const lease = await pool.acquire();
  const closing = pool.close({ graceMs: 0 });
  await clock.advance(0);
  await closing;
  await poolErrorOf(lease.get('k'), 'POOL_CONNECTION_LOST');
  await expectNothingLeft(pool);
});

test('while callers wait: all of them are rejected at once', async () => {
  const pool = server.pool({ maxActive: 1 });
  const lease = await pool.acquire();
  const { signal } = new AbortController();
  const waiting = Array.from({ length: 50 }, (_, i) =>
    poolErrorOf(pool.acquire(i < 5 ? { signal } : {}), 'POOL_CLOSED'),
  );
  const closing = pool.close();
  await Promise.all(waiting);
  expect(pool.stats()).toMatchObject({ waiting: 0, inUse: 1 });
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  lease.release();
  await closing;
  await expectNothingLeft(pool);
});

test('while dialling', async () => {
  const pool = server.pool({ maxConnecting: 4 });
  const callers = Array.from({ length: 8 }, () => poolErrorOf(pool.acquire(), 'POOL_CLOSED'));
  expect(pool.stats().connecting).toBe(4);
  await pool.close();
  await Promise.all(callers);
  await until('the server has lost them', async () => (await server.clients()).length === 0);
  await expectNothingLeft(pool);
});

test('at any moment of a dial', async () => {
  for (let turns = 0; turns < 40; turns++) {
    const pool = server.pool({ name: 'moment' });
    const caller = pool.acquire().then(
      (lease) => lease.release(),
      () => {},
    );
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    await pool.close({ graceMs: 50 });
    await caller;
    expect(pool.stats().total).toBe(0);
  }
  await until('the server has lost them', async () => (await server.clients()).length === 0);
});

test('while dialling a server that stays silent', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket.resume().on('error', () => {}));
    socket.once('close', () => sockets.delete(socket));
  }).listen(await freePort(), '127.0.0.1');
  onTestFinished(() => void silent.close());
  const { port } = await until('it listens', () => silent.address() as { port: number });
  const clock = new FakeClock();
  const pool = testPool({ redis: { host: '127.0.0.1', port } }, clock);
  const caller = poolErrorOf(pool.acquire(), 'POOL_CLOSED');
  await until('it is dialling', () => sockets.size === 1);
  const closing = pool.close();
  await clock.advance(500); // for the server's own end, which does not come
  await closing;
  await caller;
  await until('the socket is gone', () => sockets.size === 0);
  expect(pool.stats().total).toBe(0);
});

test('in the back-off after failed dials', async () => {
  const redis = { host: '127.0.0.1', port: await freePort() };
  const pool = testPool({ redis, minIdle: 2 }, new FakeClock()); // which stands still: the back-off never ends
  await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  await pool.close();
  const { connectFailed } = pool.stats();
  await poolErrorOf(pool.acquire(), 'POOL_CLOSED');
  expect(pool.stats()).toMatchObject({ total: 0, connectFailed });
});

test('while the server is frozen: half a second for the sockets, no more', async () => {
  const clock = new FakeClock();
  const pool = server.pool({ minIdle: 2 }, clock);
  await pool.ready();
  const lease = await pool.acquire();
  server.freeze();
  onTestFinished(() => server.thaw());
  const lost = poolErrorOf(lease.get('k'), 'POOL_CONNECTION_LOST');
  const { ms } = await clock.lasting(pool.close({ graceMs: 100 }));
  expect(ms).toBeGreaterThanOrEqual(600);
  expect(ms).toBeLessThan(700);
  await lost;
  server.thaw();
  await until('the server has lost them', async () => (await server.clients()).length === 0);
  await expectNothingLeft(pool);
});

test('while a connection is being checked that does not answer', async () => {
  const clock = new FakeClock();
  const pool = server.pool({ checkAfterIdleMs: 0 }, clock);
  await pool.ready();
  server.freeze();
  onTestFinished(() => server.thaw());
  const caller = poolErrorOf(pool.acquire(), 'POOL_CLOSED');
  expect(pool.stats()).toMatchObject({ inUse: 1, idle: 0 });
  const { ms } = await clock.lasting(pool.close({ graceMs: 100 }));
  expect(ms).toBeLessThan(700);
  await caller;
  server.thaw();
  await until('the server has lost it', async () => (await server.clients()).length === 0);
  await expectNothingLeft(pool);
});

test('twice, and a shorter grace the second time', async () => {
  const clock = new FakeClock();
  const pool = server.pool({}, clock);
  await pool.acquire();
  const both = [pool.close(), pool.close({ graceMs: 50 })];
  await clock.advance(50);
  await Promise.all(both);
  await pool.close();
  await expectNothingLeft(pool);
});

test('by await using, and drain is the last event', async () => {
  const events: string[] = [];
  const pool = server.pool({
    hooks: { close: () => events.push('close'), drain: () => events.push('drain') },
  });
  await pool.use((redis) => redis.ping());
  await pool[Symbol.asyncDispose]();
  expect(events).toEqual(['close', 'drain']);
  await expectNothingLeft(pool);
});
