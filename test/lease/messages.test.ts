import { on } from 'node:events';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LeaseMessage, Pool } from '../../src/index.ts';
import { type RunningServer, startServer } from '../../tools/redis-server.js';

let server: RunningServer;
let pool: Pool;
let publisher: Redis;

beforeAll(async () => {
  server = await startServer();
  pool = new Pool(server.url);
  publisher = new Redis(server.url);
});

afterAll(async () => {
  publisher.disconnect();
  await pool.close();
  await server.stop();
});

test('all three kinds of messages are emitted, and read by async iteration', async () => {
  const lease = await pool.acquire();
  const emitted: unknown[] = [];
  lease.on('message', (...args) => emitted.push(args));
  lease.on('pmessage', (...args) => emitted.push(args));
  const messages = lease.messages();
  await lease.subscribe('c');
  await lease.psubscribe('d*');
  await lease.ssubscribe('s');
  await publisher.publish('c', '1');
  await publisher.publish('d2', '2');
  await publisher.spublish('s', '3');
  const read: LeaseMessage[] = [];
  for await (const message of messages) if (read.push(message) === 3) break;
  expect(read).toEqual([
    { kind: 'message', channel: 'c', message: '1' },
    { kind: 'pmessage', pattern: 'd*', channel: 'd2', message: '2' },
    { kind: 'smessage', channel: 's', message: '3' },
  ]);
  expect(emitted).toEqual([
    ['c', '1'],
    ['d*', 'd2', '2'],
  ]);
  lease.release();
  expect(pool.stats().closed.dirty).toBe(1);
});

test('nothing is lost when the reader is slower than the messages', async () => {
  const lease = await pool.acquire();
  await lease.subscribe('many');
  const messages = lease.messages();
  const count = 20_000;
  const batch = publisher.pipeline();
  for (let i = 0; i < count; i++) batch.publish('many', String(i));
  await batch.exec();
  let next = 0;
  for await (const { message } of messages) {
    expect(message).toBe(String(next++));
    if (next === count) break;
    if (next % 1000 === 0) await publisher.ping();
  }
  lease.release();
});

test('iteration ends with the lease', async () => {
  const lease = await pool.acquire();
  const messages = lease.messages();
  await lease.subscribe('c');
  lease.release();
  expect(await messages.next()).toEqual({ done: true, value: undefined });
});

test('iteration throws the reason of an aborted signal, and the loss of the connection', async () => {
  const lease = await pool.acquire();
  const reason = new Error('enough');
  const abort = new AbortController();
  const aborted = lease.messages({ signal: abort.signal }).next();
  abort.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  await expect(lease.messages({ signal: abort.signal }).next()).rejects.toBe(reason);
  const id = await lease.client('ID');
  const lost = expect(lease.messages().next()).rejects.toMatchObject({ code: 'POOL_CONNECTION_LOST' });
  await publisher.client('KILL', 'ID', id);
  await lost;
  lease.release();
});

test("Node's own events.on() reads a lease too, and its listeners stay with the lease", async () => {
  const lease = await pool.acquire();
  await lease.subscribe('c');
  const events = on(lease, 'message');
  await publisher.publish('c', 'x');
  expect((await events.next()).value).toEqual(['c', 'x']);
  await events.return?.();
  expect(lease.listenerCount('message')).toBe(0);
  lease.release();
});
