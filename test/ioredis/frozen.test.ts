import { expect, onTestFinished, test } from 'vitest';
import type { Pool, PoolOptions } from '../../src/index.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { expectBalanced, poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** A pool with `n` idle connections to a server that has stopped answering; it goes on when the test is over. */
async function frozenPool(n: number, options: PoolOptions): Promise<{ pool: Pool; clock: FakeClock }> {
  const clock = new FakeClock();
  // First in, last out: the server goes on before the pool is closed.
  const pool = server.pool({ name: 'frozen', checkAfterIdleMs: 0, ...options }, clock);
  const leases = await Promise.all(Array.from({ length: n }, () => pool.acquire()));
  for (const lease of leases) lease.release();
  expect(pool.stats().idle).toBe(n);
  server.freeze();
  onTestFinished(() => server.thaw());
  return { pool, clock };
}

test('the check before lending finds a silent connection in bounded time, and doubts its companions', async () => {
  const { pool, clock } = await frozenPool(4, { connectTimeoutMs: 200, outageWaitMs: 0 });
  const { ms, result } = await clock.lasting(poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED'));
  expect(result.cause).toMatchObject({ code: 'ETIMEDOUT' });
  // One PING and one dial.
  expect(ms).toBeGreaterThanOrEqual(400);
  expect(ms).toBeLessThan(500);
  await clock.lasting(until('all that were idle are closed', () => pool.stats().total === 0));
  expect(pool.stats()).toMatchObject({ connected: 4, idle: 0, acquired: 4 });
  expect(pool.stats().closed.broken).toBe(4);
  server.thaw();
  expect(await resumed(pool, clock)).toBe('PONG');
});

test('a PING may take a second where a dial may take longer', async () => {
  const { pool, clock } = await frozenPool(1, { connectTimeoutMs: 5000 });
  const acquire = poolErrorOf(pool.acquire({ timeoutMs: 1500 }), 'POOL_ACQUIRE_TIMEOUT');
  await clock.advance(999);
  expect(pool.stats()).toMatchObject({ inUse: 1, closed: { broken: 0 } });
  await clock.advance(1);
  await until('the silent one is closed', () => pool.stats().closed.broken === 1);
  await clock.advance(500);
  await acquire;
});

test('the deadline of acquire holds though nothing answers, in every stage', async () => {
  const { pool, clock } = await frozenPool(2, { maxActive: 2, connectTimeoutMs: 1000 });
  const waits = [100, 300, 600].map((timeoutMs) =>
    poolErrorOf(pool.acquire({ timeoutMs }), 'POOL_ACQUIRE_TIMEOUT'),
  );
  const caller = new AbortController();
  const aborted = pool.acquire({ signal: caller.signal }).catch((reason: unknown) => reason);
  for (const [i, more] of [100, 200, 300].entries()) {
    await clock.advance(more - 1);
    expect(pool.stats().timedOut).toBe(i);
    await clock.advance(1);
    await waits[i];
  }
  caller.abort(new Error('mine'));
  expect(await aborted).toBe(caller.signal.reason);
  expect(pool.stats()).toMatchObject({ waiting: 0, timedOut: 3, aborted: 1 });
  expect(pool.stats().total).toBeLessThanOrEqual(2);
  server.thaw();
  expect(await resumed(pool, clock)).toBe('PONG');
  expectBalanced(pool.stats());
});

test('a server that only paused costs nothing: the PING is answered late, but in time', async () => {
  const { pool } = await frozenPool(1, {});
  const lease = pool.acquire();
  await until('the check is under way', () => pool.stats().inUse === 1);
  server.thaw();
  (await lease).release();
  expect(pool.stats()).toMatchObject({ connected: 1, connectFailed: 0, acquired: 2, idle: 1 });
});

test('a lease over a silent connection is closed within half a second, whatever the server does', async () => {
  const { pool, clock } = await frozenPool(1, { checkAfterIdleMs: 60_000 });
  const lease = await pool.acquire();
  const reply = poolErrorOf(lease.blpop('never', 0), 'POOL_CONNECTION_LOST');
  lease.destroy();
  expect(pool.stats()).toMatchObject({ closing: 1, total: 1 });
  await clock.advance(499);
  expect(pool.stats()).toMatchObject({ closing: 1, total: 1 });
  await clock.advance(1);
  await until('its place is free', () => pool.stats().total === 0);
  await reply;
});

/** A reply once the server answers again: at the latest when the back-off has ended, which is a second long by now. */
async function resumed(pool: Pool, clock: FakeClock): Promise<string> {
  await clock.advance(1000);
  return pool.use((redis) => redis.ping());
}
