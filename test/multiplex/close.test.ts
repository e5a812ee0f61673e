import { expect, test } from 'vitest';
import { FakeClock, settled } from '../helpers/fake-clock.ts';
import { poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer();

test('quit() ends the pool when all that was sent is answered, even what waits for the first connection', async () => {
  const pool = server.pool();
  const replies = [pool.redis.set('q', '1'), pool.redis.incr('q')];
  expect(await pool.redis.quit()).toBe('OK');
  expect(await Promise.all(replies)).toEqual(['OK', 2]);
  expect(pool.stats()).toMatchObject({ total: 0, lanes: 0 });
  // Closed as a client is, it answers as a client does; the pool has its own words.
  const closed = { message: 'Connection is closed.', cause: { code: 'POOL_CLOSED' } };
  await expect(pool.redis.get('q')).rejects.toMatchObject(closed);
  await expect(pool.redis.call('get', 'q')).rejects.toMatchObject(closed);
  await expect(pool.redis.pipeline().get('q').exec()).rejects.toMatchObject(closed);
  await poolErrorOf(pool.acquire(), 'POOL_CLOSED');
  expect(await new Promise((resolve) => void pool.redis.quit((_, reply) => resolve(reply)))).toBe('OK');
});

test('close() waits for what is in flight, and refuses what has no connection yet', async () => {
  const pool = server.pool();
  await pool.redis.ping();
  const reply = pool.redis.eval("for i = 1, 1e7 do end; return 'done'", 0);
  await until('it is in flight', () => pool.stats().lanes === 1);
  const sent = pool.redis.echo('sent'); // there is a lane, so this is sent with the close
  const closed = pool.close();
  const refused = poolErrorOf(pool.redis.get('k'), 'POOL_CLOSED');
  expect(await reply).toBe('done');
  expect(await sent).toBe('sent');
  await Promise.all([closed, refused]);
  expect(pool.stats()).toMatchObject({ total: 0, lanes: 0 });

  const cold = server.pool();
  const waiting = poolErrorOf(cold.redis.get('k'), 'POOL_CLOSED');
  await cold.close();
  await waiting;
  await poolErrorOf(cold.redis.get('k'), 'POOL_CLOSED');
  await poolErrorOf(cold.redis.pipeline().get('k').exec(), 'POOL_CLOSED');
  expect(cold.redis.status).toBe('end');
});

test('what is not answered within the grace is rejected, with that as the reason', async () => {
  const clock = new FakeClock();
  const pool = server.pool({}, clock);
  await pool.redis.ping();
  server.freeze();
  const lost = poolErrorOf(pool.redis.get('k'), 'POOL_CONNECTION_LOST');
  const { ms } = await clock.lasting(pool.close({ graceMs: 50 }));
  server.thaw();
  await lost;
  expect(ms).toBeGreaterThanOrEqual(50);
  expect(ms).toBeLessThan(700);
  expect(pool.stats()).toMatchObject({ total: 0, lanes: 0 });
});

test('disconnect() ends it now; replies that are on their way still come', async () => {
  const pool = server.pool();
  await pool.redis.ping();
  const replies = Promise.all([pool.redis.echo('a'), pool.redis.echo('b')]);
  pool.redis.disconnect();
  expect(await replies).toEqual(['a', 'b']);
  expect(pool.redis.status).toBe('end');
  await until('it is closed', () => pool.stats().total === 0);
});

test('pool.redis that is read only while the pool closes, or later, refuses everything and sets no timer', async () => {
  const clock = new FakeClock();
  const pool = server.pool({}, clock);
  const lease = await pool.acquire();
  const closed = pool.close();
  await poolErrorOf(pool.redis.get('k'), 'POOL_CLOSED');
  expect(await lease.ping()).toBe('PONG');
  lease.release();
  await closed;
  expect(clock.timers()).toBe(0);

  const early = server.pool({}, clock);
  await early.close();
  await poolErrorOf(early.redis.get('k'), 'POOL_CLOSED');
  await poolErrorOf(early.redis.pipeline().get('k').exec(), 'POOL_CLOSED');
  await poolErrorOf(early.redis.blpop('k', 0), 'POOL_CLOSED');
  await settled();
  expect(early.redis.status).toBe('end');
  expect(early.stats()).toMatchObject({ total: 0, lanes: 0, queuedCommands: 0 });
  expect(clock.timers()).toBe(0);
});
