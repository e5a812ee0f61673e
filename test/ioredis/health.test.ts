import { expect, onTestFinished, test } from 'vitest';
import { take } from '../helpers/outcomes.ts';
import { timed, until, useServer } from '../helpers/redis.ts';

const server = useServer();

test('a server that answers is well: over a dial, an idle connection, and a lane', async () => {
  const pool = server.pool({ maxActive: 2 });
  const first = await pool.health();
  expect(first).toMatchObject({ ok: true, latencyMs: expect.any(Number), stats: { idle: 1 } });
  expect(await pool.health()).toMatchObject({ ok: true, stats: { idle: 1, connected: 1 } });
  const values = Promise.all(Array.from({ length: 5000 }, (_, i) => pool.redis.echo(String(i))));
  await until('a lane is open', () => pool.stats().lanes > 0);
  const looking = pool.health();
  expect(await values).toEqual(Array.from({ length: 5000 }, (_, i) => String(i)));
  expect(await looking).toMatchObject({ ok: true });
  expect(pool.stats().closed).toMatchObject({ broken: 0, dirty: 0 });
});

test('a health check during a transaction does not get into it', async () => {
  const pool = server.pool({ maxActive: 1 });
  await pool.ready();
  const looking = pool.health();
  await pool.use(async (redis) => {
    expect(await redis.multi().set('k', 1).incr('k').exec()).toEqual([
      [null, 'OK'],
      [null, 2],
    ]);
  });
  expect((await looking).ok).toBe(true);
  expect(pool.stats()).toMatchObject({ idle: 1, connected: 1 });
});

test('a server that hangs is not well, within the time given, and users lose nothing by it', async () => {
  const pool = server.pool({ maxActive: 2, connectTimeoutMs: 10_000 });
  await pool.ready();
  server.freeze();
  onTestFinished(() => server.thaw());
  const { result, ms } = await timed(() => pool.health({ timeoutMs: 100 }));
  expect(result).toMatchObject({ ok: false, error: 'no answer within 100 ms' });
  expect(ms).toBeGreaterThanOrEqual(99);
  const ping = pool.use((redis) => redis.ping());
  server.thaw();
  expect(await ping).toBe('PONG');
  expect(pool.stats()).toMatchObject({ total: 1, connected: 1 });
  expect((await pool.health()).ok).toBe(true);
});

test('a server that is gone is not well, with the reason', async () => {
  const pool = server.pool();
  await server.kill();
  onTestFinished(() => server.start());
  expect((await pool.health()).error).toContain(
    `cannot connect: connect ECONNREFUSED 127.0.0.1:${server.port}`,
  );
});

test('with all in use nothing is sent to the server', async () => {
  const pool = server.pool({ maxActive: 2 });
  const leases = await take(pool, 2);
  const pings = async () => {
    const stats = await server.observer.info('commandstats');
    return /cmdstat_ping:calls=(\d+)/.exec(stats)?.[1];
  };
  const before = await pings();
  const health = await pool.health();
  expect([health.ok, 'latencyMs' in health]).toEqual([true, false]);
  expect(await pings()).toBe(before);
  for (const lease of leases) lease.release();
});
