import { expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';

/** What has become of a promise by now. */
function fate(work: Promise<unknown>): { value?: unknown; code?: string } {
  const seen: { value?: unknown; code?: string } = {};
  work.then(
    (value) => Object.assign(seen, { value }),
    ({ code }) => Object.assign(seen, { code }),
  );
  return seen;
}

test('commands of one tick go out together, over one connection, which is idle again when all are answered', async () => {
  const server = new FakeRedis();
  const pool = server.pool();
  const replies = Promise.all([
    pool.redis.get('a'),
    pool.redis.get('b'),
    pool.redis.pipeline().get('c').exec(),
  ]);
  expect(server.dials).toHaveLength(0);
  expect(await replies).toEqual(['OK', 'OK', [[null, 'OK']]]);
  expect(server.dials.map(({ client }) => client.log)).toEqual([['get a', 'get b', 'get c']]);
  await settled();
  expect(pool.stats()).toMatchObject({ idle: 1, inUse: 0, lanes: 0 });
  await pool.close();
  expect(server.clock.timers()).toBe(0);
});

test('a lane is closed when its oldest reply is overdue, to the millisecond, and what it sent later is lost with it', async () => {
  const server = new FakeRedis();
  const pool = server.pool({ replyTimeoutMs: 1000, maxActive: 1 });
  await pool.redis.ping();
  const [connection] = server.dials;
  if (connection) connection.client.holdReplies = true;
  const first = fate(pool.redis.incr('n'));
  await server.clock.advance(600);
  const second = fate(pool.redis.get('n'));
  await server.clock.advance(399);
  expect([first, second]).toEqual([{}, {}]);
  await server.clock.advance(1);
  expect([first, second]).toEqual([{ code: 'POOL_CONNECTION_LOST' }, { code: 'POOL_CONNECTION_LOST' }]);
  expect(pool.stats()).toMatchObject({ total: 0, lanes: 0, closed: { broken: 1 } });
  expect(await pool.redis.get('n')).toBe('OK');
});

test('replies that come in time keep a lane open for ever', async () => {
  const server = new FakeRedis();
  const pool = server.pool({ replyTimeoutMs: 1000, maxActive: 1 });
  await pool.redis.ping();
  const client = server.dials[0]?.client;
  if (client) client.holdReplies = true;
  for (let i = 0; i < 10; i++) {
    const reply = fate(pool.redis.get('n'));
    await server.clock.advance(900);
    client?.answer();
    await settled();
    expect(reply).toEqual({ value: 'OK' });
  }
  expect(pool.stats()).toMatchObject({ connected: 1, total: 1 });
});

test('each command has its own acquireTimeoutMs to wait for a lane', async () => {
  const server = new FakeRedis();
  const pool = server.pool({ acquireTimeoutMs: 1000, maxActive: 1 });
  const lease = await pool.acquire();
  const early = fate(pool.redis.get('a'));
  await server.clock.advance(500);
  const late = fate(pool.redis.get('b'));
  expect(pool.stats()).toMatchObject({ waiting: 1, lanes: 0 });
  await server.clock.advance(500);
  expect([early, late]).toEqual([{ code: 'POOL_ACQUIRE_TIMEOUT' }, {}]);
  expect(pool.stats().waiting).toBe(1);
  lease.release();
  await settled();
  await settled();
  expect(late).toEqual({ value: 'OK' });
  expect(server.dials[0]?.client.log).toEqual(['get b']);
  const last = await pool.acquire();
  const alone = fate(pool.redis.get('c'));
  await server.clock.advance(1000);
  expect(alone).toEqual({ code: 'POOL_ACQUIRE_TIMEOUT' });
  expect(pool.stats()).toMatchObject({ waiting: 0, timedOut: 2 });
  last.release();
});

test('maxWaiting counts no lane, and refuses none', async () => {
  const server = new FakeRedis();
  const pool = server.pool({ maxActive: 1, maxWaiting: 0 });
  const lease = await pool.acquire();
  const reply = fate(pool.redis.get('a'));
  await settled();
  expect(pool.stats()).toMatchObject({ waiting: 1, exhausted: 0 });
  lease.release();
  await settled();
  await settled();
  expect(reply).toEqual({ value: 'OK' });
});

test('while Redis is down, commands are rejected at once, and thousands of them cause a handful of dials', async () => {
  const server = new FakeRedis();
  server.dial = 'fails';
  const pool = server.pool();
  for (let tick = 0; tick < 100; tick++) {
    const replies = Array.from({ length: 100 }, () => fate(pool.redis.get('k')));
    await server.clock.advance(10);
    expect(replies.every(({ code }) => code === 'POOL_CONNECT_FAILED')).toBe(true);
  }
  expect(server.dials.length).toBeLessThan(8);
  expect(pool.redis.status).toBe('connecting');
  server.dial = 'succeeds';
  await server.clock.advance(2000);
  expect(await pool.redis.get('k')).toBe('OK');
  expect(pool.redis.status).toBe('ready');
  await pool.close();
  expect(pool.redis.status).toBe('end');
  expect(server.clock.timers()).toBe(0);
});

test('a lane that is stale or past its life takes nothing new, and closes with its last reply', async () => {
  for (const why of ['cleared', 'lifetime'] as const) {
    const server = new FakeRedis();
    const pool = server.pool({ maxLifetimeMs: why === 'lifetime' ? 1000 : Number.POSITIVE_INFINITY });
    await pool.redis.ping();
    const client = server.dials[0]?.client;
    if (client) client.holdReplies = true;
    const old = fate(pool.redis.get('old'));
    await settled();
    if (why === 'cleared') pool.clear();
    await server.clock.advance(1001);
    expect(await pool.redis.get('new')).toBe('OK');
    expect(server.dials.map(({ client: { log } }) => log)).toEqual([['ping', 'get old'], ['get new']]);
    client?.answer();
    await settled();
    expect(old).toEqual({ value: 'OK' });
    expect(pool.stats().closed[why]).toBe(1);
  }
});

test('waiting callers make lanes release their connections, as many as needed, those with the fewest commands first', async () => {
  const server = new FakeRedis();
  const pool = server.pool({ maxActive: 2, maxLanes: 2, maxInFlight: 2 });
  const leases = await Promise.all([pool.acquire(), pool.acquire()]);
  for (const lease of leases) lease.release();
  for (const { client } of server.dials) client.holdReplies = true;
  const replies = [fate(pool.redis.get('1')), fate(pool.redis.get('2'))];
  await settled();
  replies.push(fate(pool.redis.get('3')));
  await settled();
  expect(pool.stats()).toMatchObject({ lanes: 2 });
  const lease = pool.acquire();
  const more = fate(pool.redis.get('more'));
  await settled();
  expect(pool.stats()).toMatchObject({ lanes: 2, waiting: 1 });
  for (const { client } of server.dials) if (client.commandQueue.length === 1) client.answer();
  await settled();
  expect((await lease).connectionId).toBeGreaterThan(0);
  expect(pool.stats()).toMatchObject({ lanes: 1, inUse: 2 });
  for (const { client } of server.dials) client.answer();
  await settled();
  await settled();
  for (const { client } of server.dials) client.answer();
  await settled();
  expect([...replies, more].map(({ value }) => value)).toEqual(['OK', 'OK', 'OK', 'OK']);
});
