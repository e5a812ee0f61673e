import { expect, test } from 'vitest';
import { FakeClock } from '../helpers/fake-clock.ts';
import { testPool, until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** Callers who send one command after the other until they are told to stop. */
function endless(send: () => Promise<unknown>, callers = 20): { count: number; stop(): Promise<void> } {
  let over = false;
  const load = {
    count: 0,
    async stop() {
      over = true;
      await done;
    },
  };
  const one = async (): Promise<void> => {
    while (!over) {
      await send();
      load.count++;
    }
  };
  const done = Promise.all(Array.from({ length: callers }, one));
  return load;
}

/** So many of others, of which 20 come at a time, may be served before one who has come. */
const FAIR = 100;

test('with one connection, an acquire gets its turn under endless multiplexed load', async () => {
  const pool = server.pool({ maxActive: 1 });
  const load = endless(() => pool.redis.get('k'));
  await until('it runs', () => load.count > 100);
  for (let i = 0; i < 50; i++) {
    const from = load.count;
    await pool.use((redis) => redis.ping());
    expect(load.count - from).toBeLessThan(FAIR);
  }
  const before = load.count;
  await until('it goes on', () => load.count > before + 100);
  await load.stop();
});

test('with one connection, commands get their turn under endless leases', async () => {
  const pool = server.pool({ maxActive: 1 });
  const load = endless(() => pool.use((redis) => redis.ping()));
  await until('it runs', () => load.count > 100);
  for (let i = 0; i < 50; i++) {
    const from = load.count;
    await pool.redis.get('k');
    expect(load.count - from).toBeLessThan(FAIR);
  }
  await load.stop();
});

test('both loads at once share a small pool, and both get on', async () => {
  const pool = server.pool({ maxActive: 2, maxLanes: 2, maxInFlight: 8 });
  const commands = endless(() => pool.redis.get('k'), 50);
  const leases = endless(() => pool.use((redis) => redis.get('k')), 10);
  await until('both have run', () => commands.count > 2000 && leases.count > 200);
  await Promise.all([commands.stop(), leases.stop()]);
  expect(pool.stats()).toMatchObject({ waiting: 0, timedOut: 0, exhausted: 0 });
});

test('commands that wait for a lane are in the same queue as acquires, and are rejected when it takes too long', async () => {
  const clock = new FakeClock();
  const pool = server.pool({ maxActive: 1, acquireTimeoutMs: 60 }, clock);
  const lease = await pool.acquire();
  const late = pool.redis.get('k').catch((error: unknown) => error);
  await until('it waits', () => pool.stats().waiting === 1);
  await clock.advance(60);
  expect(await late).toMatchObject({
    code: 'POOL_ACQUIRE_TIMEOUT',
    message: expect.stringMatching(/no connection within 60 ms \(maxActive 1: 1 in use/),
  });
  expect(pool.stats()).toMatchObject({ waiting: 0, timedOut: 1 });
  lease.release();
  expect(await pool.redis.ping()).toBe('PONG');
});

test('a lane past its lifetime, or stale, is replaced while traffic goes on', async () => {
  const pool = server.pool({ maxLifetimeMs: 60 });
  const load = endless(() => pool.redis.get('k'));
  await until('some have had their time', () => pool.stats().closed.lifetime >= 3);
  pool.clear();
  await until('one is cleared', () => pool.stats().closed.cleared >= 1);
  await load.stop();
  expect(pool.stats()).toMatchObject({ connectFailed: 0, exhausted: 0 });
});

test('small replies do not wait behind large ones while a connection is free', async () => {
  const pool = testPool({ redis: server.url });
  const { redis } = pool;
  await redis.set('large', Buffer.alloc(8 << 20));
  await redis.set('small', 'x');
  const large = endless(() => redis.getBuffer('large'), 2);
  const small = endless(() => redis.get('small'), 2);
  await until('another lane opens', () => pool.stats().lanes > 1);
  await Promise.all([large.stop(), small.stop()]);
});
