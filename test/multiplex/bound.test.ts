import { expect, onTestFinished, test } from 'vitest';
import { FakeClock, settled } from '../helpers/fake-clock.ts';
import { expectBalanced, poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer();

test('few callers use one lane, which is given back when nothing is in flight', async () => {
  const pool = server.pool();
  for (let i = 0; i < 100; i++) {
    const replies = Promise.all([pool.redis.get('k'), pool.redis.get('l')]);
    await replies;
    expect(pool.stats()).toMatchObject({ lanes: 0, inUse: 0 });
  }
  const reply = pool.redis.get('k');
  await settled(); // it is sent when the tick is over
  expect(pool.stats()).toMatchObject({ lanes: 1, inUse: 1, connected: 1, acquired: 0, waits: 0 });
  await reply;
});

test('under any load there are never more lanes than maxLanes, nor connections than maxActive', async () => {
  const pool = server.pool({ name: 'lanes', maxActive: 3, maxLanes: 2, maxInFlight: 50 });
  const watch = server.watch('lanes');
  let mostLanes = 0;
  const callers = Array.from({ length: 200 }, async (_, i) => {
    for (let round = 0; round < 30; round++) {
      expect(await pool.redis.echo(`${i}.${round}`)).toBe(`${i}.${round}`);
      mostLanes = Math.max(mostLanes, pool.stats().lanes);
    }
  });
  const borrowers = Array.from({ length: 5 }, async () => {
    for (let round = 0; round < 20; round++) expect(await pool.use((redis) => redis.ping())).toBe('PONG');
  });
  await Promise.all([...callers, ...borrowers]);
  expect(await watch.stop()).toBeLessThanOrEqual(3);
  expect(mostLanes).toBeLessThanOrEqual(2);
  expectBalanced(pool.stats());
});

test('commands beyond maxQueuedCommands fail at once, and the others are not disturbed', async () => {
  const pool = server.pool({ maxQueuedCommands: 10 });
  const sent = Array.from({ length: 15 }, (_, i) => pool.redis.echo(`${i}`));
  for (const one of sent.slice(10)) {
    const { message } = await poolErrorOf(one, 'POOL_EXHAUSTED');
    expect(message).toMatch(/10 commands wait for a lane already \(maxQueuedCommands\)/);
  }
  expect(await Promise.all(sent.slice(0, 10))).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`));
  expect(pool.stats().exhausted).toBe(5);
  // A group counts with its commands, and is refused as a whole; alone it may be as large as it likes.
  const twelve = () => Array.from({ length: 12 }, () => ['ping']);
  expect(await pool.redis.pipeline(twelve()).exec()).toHaveLength(12);
  const [first, second] = [pool.redis.pipeline(twelve()).exec(), pool.redis.pipeline(twelve()).exec()];
  await poolErrorOf(second, 'POOL_EXHAUSTED');
  expect(await first).toHaveLength(12);
  expect(await pool.redis.ping()).toBe('PONG');
});

test('under a server that hangs, commands end within replyTimeoutMs, memory is bounded, and all resumes', async () => {
  const limits = { replyTimeoutMs: 200, acquireTimeoutMs: 300, connectTimeoutMs: 100, outageWaitMs: 0 };
  const clock = new FakeClock();
  const pool = server.pool({ maxLanes: 2, maxInFlight: 100, maxQueuedCommands: 500, ...limits }, clock);
  await pool.redis.set('k', '1');
  server.freeze();
  onTestFinished(() => server.thaw());
  const codes = new Map<string, number>();
  const { ms } = await clock.lasting(
    Promise.all(
      Array.from({ length: 2000 }, () =>
        pool.redis.get('k').catch(({ code }) => void codes.set(code, (codes.get(code) ?? 0) + 1)),
      ),
    ),
  );
  expect(ms).toBeLessThan(1000);
  expect(codes.get('POOL_EXHAUSTED')).toBe(1500);
  const { POOL_CONNECTION_LOST: lost = 0, ...rest } = Object.fromEntries(codes);
  expect(lost).toBeGreaterThanOrEqual(100);
  expect(lost).toBeLessThanOrEqual(200);
  const known = ['POOL_CONNECT_FAILED', 'POOL_EXHAUSTED', 'POOL_ACQUIRE_TIMEOUT'];
  expect(Object.keys(rest).filter((code) => !known.includes(code))).toEqual([]);
  server.thaw();
  // Somebody dials by itself; the time of such a dial may be over before a server has answered.
  const reply = await until('the back-off is over', async () => {
    await clock.advance(20);
    return pool.redis.get('k').catch(() => false as const);
  });
  expect(reply).toBe('1');
  expectBalanced(pool.stats());
});

test('a lane whose reply is overdue is closed, and its commands reject with the reason; leases have no such limit', async () => {
  const clock = new FakeClock();
  const pool = server.pool({ replyTimeoutMs: 100 }, clock);
  const slow = pool.use((redis) => redis.blpop('never', 0.3));
  await until('it is lent', () => pool.stats().inUse === 1);
  await pool.redis.ping();
  server.freeze();
  onTestFinished(() => server.thaw());
  const { result, ms } = await clock.lasting(poolErrorOf(pool.redis.get('k'), 'POOL_CONNECTION_LOST'));
  expect(result.message).toMatch(/no reply within 100 ms \(replyTimeoutMs\); the command may have run/);
  expect(ms).toBeGreaterThanOrEqual(100);
  expect(ms).toBeLessThan(300);
  server.thaw();
  expect(await slow).toBeNull();
  expect(await pool.redis.ping()).toBe('PONG');
  await until('the silent one is closed', () => pool.stats().closed.broken === 1);
});

test('with maxIdle 0 a quiet lane closes too', async () => {
  const pool = server.pool({ maxIdle: 0 });
  await pool.redis.ping();
  await until('nothing is left', () => pool.stats().total === 0);
  expect(pool.stats().closed.excess).toBe(1);
});

test('with wait false, commands without a connection fail at once; a lane that there is takes them', async () => {
  const pool = server.pool({ maxActive: 1, wait: false });
  const lease = await pool.acquire();
  await poolErrorOf(pool.redis.get('k'), 'POOL_EXHAUSTED');
  lease.release();
  const replies = Promise.all(Array.from({ length: 10 }, () => pool.redis.ping()));
  expect(await replies).toHaveLength(10);
  // The connection is free again as soon as the last reply is there.
  (await pool.acquire()).release();
});
