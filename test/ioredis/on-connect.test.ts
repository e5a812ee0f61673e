import { expect, test } from 'vitest';
import type { PoolOptions } from '../../src/index.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { causeOf, poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer();

test('onConnect prepares each connection once, before anyone gets it', async () => {
  let calls = 0;
  const pool = server.pool({
    name: 'prepared',
    maxActive: 3,
    onConnect: async (redis) => {
      calls++;
      await redis.client('NO-EVICT', 'ON');
      await redis.set(`prepared:${await redis.client('ID')}`, 'yes');
    },
  });
  const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
  for (const lease of leases) {
    const id = await lease.client('ID');
    expect(await lease.get(`prepared:${id}`)).toBe('yes');
    expect((await server.client(id))['flags']).toContain('e');
    lease.release();
  }
  for (let i = 0; i < 10; i++) await pool.use((redis) => redis.ping());
  expect(calls).toBe(3);
  expect(pool.stats()).toMatchObject({ connected: 3, acquired: 13 });
});

test('commands that onConnect defines are there for every borrower', async () => {
  const pool = server.pool({
    onConnect: (redis) => redis.defineCommand('twice', { numberOfKeys: 0, lua: 'return ARGV[1] * 2' }),
  });
  for (let i = 0; i < 3; i++) {
    const reply = await pool.use((redis) => (redis as unknown as { twice(n: number): unknown }).twice(21));
    expect(reply).toBe(42);
  }
});

test('what onConnect throws is the cause of the failed dial, and the socket is closed', async () => {
  const mine = new Error('no module of mine');
  const throwing = [
    () => {
      throw mine;
    },
    () => Promise.reject(mine),
  ];
  for (const onConnect of throwing) {
    const pool = server.pool({ name: 'thrown', onConnect });
    const error = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
    expect(error.cause).toBe(mine);
    expect(error.message).toContain('no module of mine');
    expect(pool.stats()).toMatchObject({ connected: 0, connectFailed: 1 });
    await until('the server has lost it', async () => (await server.clients('thrown')).length === 0);
    await until('its place is free', () => pool.stats().total === 0);
  }
});

test('a command that fails in onConnect is the cause, as Redis said it', async () => {
  const cause = await causeOf({ redis: server.url, onConnect: (redis) => redis.call('NOSUCH') });
  expect(cause.message).toMatch(/^ERR unknown command 'NOSUCH'/);
});

test('an onConnect that throws something else than an error does no harm', async () => {
  const cause = await causeOf({
    redis: server.url,
    onConnect: () => {
      throw 'a string'; // on purpose
    },
  });
  expect(cause.message).toContain('a string');
});

test('an onConnect that hangs ends with connectTimeoutMs, and its signal says so', async () => {
  let signal: AbortSignal | undefined;
  const clock = new FakeClock();
  const onConnect: PoolOptions['onConnect'] = (_, context) => {
    signal = context.signal;
    return new Promise(() => {});
  };
  const pool = server.pool({ name: 'hung', connectTimeoutMs: 150, onConnect }, clock);
  const failed = poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  await until('onConnect runs', () => signal !== undefined);
  await clock.advance(149);
  expect(signal?.aborted).toBe(false);
  await clock.advance(1);
  const result = await failed;
  expect(result.cause).toMatchObject({ code: 'ETIMEDOUT' });
  expect(String(result.cause)).toContain('onConnect');
  expect(signal?.aborted).toBe(true);
  expect(signal?.reason).toBe(result.cause);
  await until('the server has lost it', async () => (await server.clients('hung')).length === 0);
});

test('an onConnect that hangs is cut short when the pool is closed', async () => {
  let signal: AbortSignal | undefined;
  const onConnect: PoolOptions['onConnect'] = (_, context) => {
    signal = context.signal;
    return new Promise(() => {});
  };
  const pool = server.pool({ name: 'hung', onConnect }, new FakeClock());
  const waiting = poolErrorOf(pool.acquire(), 'POOL_CLOSED');
  await until('onConnect runs', () => signal !== undefined);
  await pool.close(); // though no time passes
  await waiting;
  expect(signal?.aborted).toBe(true);
  expect(await server.clients('hung')).toEqual([]);
});

test('a connection that dies in onConnect fails the dial', async () => {
  const cause = await causeOf({
    redis: server.url,
    onConnect: async (redis) => {
      await server.killClient((await redis.client('ID')) as number);
      await until('it is dead', () => redis.status === 'end');
    },
  });
  expect(cause.message).toMatch(/the server closed the connection|Connection is closed|ECONNRESET/);
  expect(cause.message).not.toBe('Connection is closed.');
});

test('onConnect fails for some connections: the pool goes on with the others', async () => {
  let calls = 0;
  const pool = server.pool({
    maxActive: 4,
    onConnect: () => {
      if (++calls % 2 === 0) throw new Error('every second one');
    },
  });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 40 }, () => pool.use((redis) => redis.incr('some'))),
  );
  const failed = outcomes.filter((one) => one.status === 'rejected');
  expect(failed.length).toBeLessThanOrEqual(pool.stats().connectFailed);
  expect(Number(await server.observer.get('some'))).toBe(40 - failed.length);
  expect(await pool.use((redis) => redis.ping())).toBe('PONG');
});
