import { expect, onTestFinished, test } from 'vitest';
import type { Lease } from '../../src/api/lease.ts';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';

// What the model found (see model.test.ts), each by itself.

const outcome = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'fine',
    (error: { code?: string }) => error.code ?? error,
  );

/** Lends `count` connections and takes them back: as many are idle afterwards. */
async function warm(pool: { acquire(): Promise<Lease> }, count: number): Promise<void> {
  for (const lease of await Promise.all(Array.from({ length: count }, () => pool.acquire()))) lease.release();
}

test('callers whose checks fail one after the other keep their order', async () => {
  const redis = new FakeRedis();
  const tests: (() => void)[] = [];
  const testOnBorrow = () => new Promise((_, fail) => tests.push(() => fail(new Error('no good'))));
  const pool = redis.pool({ maxActive: 3, maxConnecting: 1, testOnBorrow });
  await warm(pool, 3);
  redis.dialMs = 10;
  const served: number[] = [];
  for (const i of [0, 1, 2]) pool.acquire().then(() => served.push(i));
  await settled();
  for (const fail of tests) fail();
  await redis.clock.advance(100);
  expect(served).toEqual([0, 1, 2]);
});

test('a connection that clear() came across while it was checked is not lent', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1, checkAfterIdleMs: 0 });
  await warm(pool, 1);
  for (const one of redis.dials) one.pingMs = 20;
  const lease = pool.acquire();
  await redis.clock.advance(10);
  pool.clear();
  await redis.clock.advance(20);
  expect((await lease).connectionId).toBe(2);
  expect(pool.stats().closed.cleared).toBe(1);
});

test('a connection that passed a check in the background finds no place above maxIdle', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 5, maxIdle: 2, checkAfterIdleMs: 100 });
  const [a, b, ...others] = await Promise.all(Array.from({ length: 4 }, () => pool.acquire()));
  a?.release();
  b?.release();
  await redis.clock.advance(200);
  const [first, second] = redis.dials;
  if (first) first.pingMs = 20;
  if (second) second.pingMs = Number.POSITIVE_INFINITY;
  const lease = pool.acquire();
  await redis.clock.advance(1010); // the second has fallen silent, so the first is doubted
  for (const other of others) other.release();
  await redis.clock.advance(50);
  expect(pool.stats().idle).toBe(2);
  expect((await lease).connectionId).toBe(5);
});

test('with a testOnBorrow that always fails, one caller does not cause one dial after the other', async () => {
  const redis = new FakeRedis();
  const fails = () => new Promise((_, fail) => void redis.clock.after(10, () => fail(new Error('no good'))));
  const pool = redis.pool({ maxActive: 4, minIdle: 2, testOnBorrow: fails });
  await redis.clock.advance(10);
  expect(redis.dials.length).toBe(2);
  const lease = outcome(pool.acquire());
  await redis.clock.advance(5000);
  expect(await lease).toBe('fine');
  expect(redis.dials.length).toBeLessThan(10);
});

test('ready() does not wait for a connection that somebody took meanwhile, and holds none back', async () => {
  const redis = new FakeRedis();
  redis.dialMs = 10;
  const pool = redis.pool({ maxActive: 3, minIdle: 3 });
  const lease = pool.acquire();
  const ready = outcome(pool.ready());
  await redis.clock.advance(100);
  await lease;
  expect(pool.stats()).toMatchObject({ inUse: 1, idle: 2 });
  expect(await ready).toBe('fine');
});

test('a connection that died while ready() held it is not lent', async () => {
  const redis = new FakeRedis();
  redis.dialMs = 10;
  const pool = redis.pool({ maxActive: 2, minIdle: 2, maxConnecting: 1 });
  const ready = pool.ready();
  await redis.clock.advance(15);
  redis.dials[0]?.die();
  await redis.clock.advance(50);
  await ready;
  expect(pool.stats().closed.broken).toBe(1);
  expect((await pool.acquire()).connectionId).not.toBe(1);
});

test('close() that cuts in on ready() ends it with POOL_CLOSED', async () => {
  const redis = new FakeRedis();
  redis.dialMs = 10;
  const pool = redis.pool({ maxActive: 2, minIdle: 2, maxConnecting: 1 });
  const ready = outcome(pool.ready());
  await redis.clock.advance(15);
  await pool.close({ graceMs: 0 });
  expect(await ready).toBe('POOL_CLOSED');
});

test('close() may cut in at any moment of a check', async () => {
  const unhandled: unknown[] = [];
  const listener = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', listener);
  onTestFinished(() => void process.off('unhandledRejection', listener));
  for (let moment = 0; moment < 20; moment++) {
    const redis = new FakeRedis();
    let pass = (): void => {};
    const testOnBorrow = () =>
      new Promise<void>((done) => {
        pass = done;
      });
    const pool = redis.pool({ maxActive: 1, testOnBorrow });
    await warm(pool, 1);
    const lease = outcome(pool.acquire());
    await settled();
    pass();
    for (let i = 0; i < moment; i++) await undefined;
    await pool.close({ graceMs: 0 });
    expect(['fine', 'POOL_CLOSED']).toContain(await lease);
    expect(redis.clock.timers()).toBe(0);
  }
  await settled();
  expect(unhandled).toEqual([]);
});

test('close() again, after all is closed, leaves no timer', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool();
  await warm(pool, 1);
  await pool.close({ graceMs: 5000 });
  await pool.close({ graceMs: 10 });
  expect(redis.clock.timers()).toBe(0);
});

test('a listener may acquire while idle connections are being closed', async () => {
  for (const how of ['clear', 'reap', 'close'] as const) {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 3, idleTimeoutMs: 50, reapIntervalMs: 100 });
    await warm(pool, 3);
    const asked: Promise<unknown>[] = [];
    pool.on('close', () => asked.push(outcome(pool.use(() => {}))));
    if (how === 'clear') pool.clear();
    if (how === 'close') await pool.close();
    await redis.clock.advance(how === 'reap' ? 120 : 1);
    expect(asked.length, how).toBeGreaterThanOrEqual(3);
    expect(new Set(await Promise.all(asked))).toEqual(new Set([how === 'close' ? 'POOL_CLOSED' : 'fine']));
    expect(pool.stats()).toMatchObject({ inUse: 0, waiting: 0, closing: 0 });
  }
});

test('testOnBorrow is not called when the pool was closed before its turn', async () => {
  for (const graceMs of [0, 5000]) {
    const redis = new FakeRedis();
    redis.closeMs = 100;
    let tests = 0;
    const pool = redis.pool({ maxActive: 1, checkAfterIdleMs: 0, testOnBorrow: () => tests++ });
    await warm(pool, 1);
    for (const one of redis.dials) one.pingMs = 20;
    const lease = outcome(pool.acquire());
    await redis.clock.advance(10);
    const closed = pool.close({ graceMs });
    await redis.clock.advance(200);
    await closed;
    expect(await lease).toBe('POOL_CLOSED');
    expect([tests, redis.clock.timers()]).toEqual([0, 0]);
  }
});

test('ready() resolves after one connection was open, when none is kept idle', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxIdle: 0 });
  expect(await outcome(pool.ready())).toBe('fine');
  await settled();
  expect(redis.dials.length).toBe(1);
  expect(pool.stats()).toMatchObject({ total: 0, closed: { excess: 1 } });
});
