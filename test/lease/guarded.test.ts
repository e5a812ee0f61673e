import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Lease, Pool } from '../../src/index.ts';
import { type RunningServer, startServer } from '../../tools/redis-server.js';
import { until } from '../helpers/redis.ts';

// What a borrower could do, on purpose or not, to the pool or to the next borrower.

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

test("a listener for a lease's end that throws is reported, and costs neither release() nor the place", async () => {
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const lease = await pool.acquire();
  lease.on('end', () => {
    throw new Error('oops');
  });
  expect(() => lease.release()).not.toThrow();
  expect(warning.mock.calls[0]?.[0]).toContain("a listener for 'end' of a lease threw: Error: oops");
  warning.mockRestore();
  expect(await pool.use((redis) => redis.ping())).toBe('PONG');
});

test('the db that onConnect selected is the one that a borrower finds, also after another SELECT', async () => {
  const onConnect = (redis: Redis): unknown => redis.select(3);
  await using own = new Pool({ redis: server.url, maxActive: 1, onConnect });
  const db = async (redis: Lease): Promise<string | undefined> =>
    / db=(\d+)/.exec(String(await redis.client('INFO')))?.[1];
  expect(await own.use(db)).toBe('3');
  await own.use((redis) => redis.select(5));
  expect(await own.use(db)).toBe('3');
  expect(own.stats().connected).toBe(1);
});

test('neither the stream nor the options of a lease reach the next borrower', async () => {
  const lease = await pool.acquire();
  const { stream, options } = lease;
  expect(() => {
    options.keyPrefix = 'evil:';
  }).toThrow(TypeError);
  lease.release();
  stream.write('SELECT 7\r\n');
  const seen = await pool.use(async (redis) => [await redis.client('INFO'), redis.options.keyPrefix]);
  expect(seen[0]).toContain(' db=0 ');
  expect(seen[1]).not.toBe('evil:');
});

test('a command awaited between messages gets its reply, however many are unread', async () => {
  const publisher = new Redis(server.url);
  const lease = await pool.acquire();
  await lease.subscribe('many');
  const messages = lease.messages();
  const batch = publisher.pipeline();
  for (let i = 0; i < 5000; i++) batch.publish('many', String(i));
  await batch.exec();
  let read = 0;
  for await (const _ of messages) {
    read++;
    if (read === 10) await lease.unsubscribe('many');
    if (read === 5000) break;
  }
  expect(read).toBe(5000);
  publisher.disconnect();
  lease.release();
});

test('messages() of a lease that is over, or lost, says so; and ended unread it leaves no listener', async () => {
  const killer = new Redis(server.url);
  const lease = await pool.acquire();
  await lease.messages().return?.();
  expect(lease.listenerCount('message')).toBe(0);
  await killer.client('KILL', 'ID', await lease.client('ID'));
  await until('the lease knows', () => lease.status !== 'ready');
  expect(() => lease.messages()).toThrow(expect.objectContaining({ code: 'POOL_CONNECTION_LOST' }));
  lease.release();
  expect(() => lease.messages()).toThrow(expect.objectContaining({ code: 'POOL_LEASE_RELEASED' }));
  killer.disconnect();
});

test('a lease on a dead connection does not hide that Redis is down', async () => {
  const doomed = await startServer();
  await using own = new Pool({ redis: doomed.url, maxActive: 2, outageWaitMs: 100 });
  const held = await own.acquire();
  await doomed.stop();
  await until('the lease knows', () => held.status !== 'ready');
  const failures = await Promise.all(
    Array.from({ length: 50 }, () => own.acquire().catch((error: { code: string }) => error.code)),
  );
  expect(new Set(failures)).toEqual(new Set(['POOL_CONNECT_FAILED']));
  held.release();
});
