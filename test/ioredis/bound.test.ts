import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { isPoolError } from '../../src/index.ts';
import { expectBalanced, until, useServer } from '../helpers/redis.ts';

const MAX_ACTIVE = 10;
// One place for the observer: the server itself would refuse an eleventh connection, and count the refusal.
const server = useServer(['--maxclients', String(MAX_ACTIVE + 1)]);

test('connections are reused: 300 uses, one after another, need one', async () => {
  const before = await server.info('total_connections_received');
  const pool = server.pool();
  for (let i = 0; i < 300; i++) await pool.use((redis) => redis.incr('reuse'));
  expect(await server.observer.get('reuse')).toBe('300');
  expect(await server.info('total_connections_received')).toBe(before + 1);
  expect(pool.stats()).toMatchObject({ acquired: 300, connected: 1, idle: 1, waits: 0 });
});

test('a burst dials no more than it needs, and the next burst dials nothing', async () => {
  const before = await server.info('total_connections_received');
  const pool = server.pool();
  const burst = (): Promise<unknown> =>
    Promise.all(Array.from({ length: 200 }, () => pool.use((redis) => redis.incr('burst'))));
  await burst();
  const { connected } = pool.stats();
  expect(connected).toBeLessThanOrEqual(MAX_ACTIVE);
  await burst();
  expect(pool.stats()).toMatchObject({ acquired: 400, connected: expect.any(Number) });
  expect(pool.stats().connected).toBeLessThanOrEqual(MAX_ACTIVE);
  expect(await server.info('total_connections_received')).toBe(before + pool.stats().connected);
});

test('200 concurrent users never have more than maxActive connections', async () => {
  const pool = server.pool({ name: 'crowd' });
  const rejected = await server.info('rejected_connections');
  const watch = server.watch();
  const user = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) {
      await pool.use(async (redis) => {
        expect(pool.stats().total).toBeLessThanOrEqual(MAX_ACTIVE);
        await redis.pipeline().incr('crowd').get('crowd').exec();
      });
    }
  };
  await Promise.all(Array.from({ length: 200 }, user));
  const peak = await watch.stop();
  expect(peak).toBeLessThanOrEqual(MAX_ACTIVE);
  expect(peak).toBeGreaterThan(1);
  expect(await server.info('rejected_connections')).toBe(rejected);
  expect(await server.observer.get('crowd')).toBe('2000');
  expect(pool.stats()).toMatchObject({ acquired: 2000, inUse: 0, waiting: 0, connectFailed: 0 });
  expectBalanced(pool.stats());
  expect(await server.clients('crowd')).toHaveLength(pool.stats().idle);
});

test('places free themselves while users destroy what they borrow', async () => {
  const pool = server.pool({ maxConnecting: MAX_ACTIVE });
  const rejected = await server.info('rejected_connections');
  const watch = server.watch();
  const user = async (): Promise<void> => {
    for (let i = 0; i < 4; i++) {
      const redis = await pool.acquire();
      await redis.incr('destroy');
      redis.destroy();
    }
  };
  await Promise.all(Array.from({ length: 50 }, user));
  expect(await watch.stop()).toBeLessThanOrEqual(MAX_ACTIVE);
  expect(await server.info('rejected_connections')).toBe(rejected);
  expect(await server.observer.get('destroy')).toBe('200');
  expect(pool.stats().closed.destroyed).toBe(200);
  expectBalanced(pool.stats());
});

test('connections killed at random under load cost their own commands and nothing else', async () => {
  const pool = server.pool({ name: 'killed', acquireTimeoutMs: 60_000 });
  const rejected = await server.info('rejected_connections');
  const watch = server.watch();
  const outcomes: Record<string, number> = { ok: 0 };
  let over = false;
  const note = (what: string): void => {
    outcomes[what] = (outcomes[what] ?? 0) + 1;
  };
  const user = async (_: unknown, id: number): Promise<void> => {
    for (let i = 0; !over; i++) {
      const mine = `${id}:${i}`;
      const work = pool.use(async (redis) => {
        const [, got] = await Promise.all([redis.set(`killed:${id}`, mine), redis.get(`killed:${id}`)]);
        return got === mine && (await redis.echo(mine)) === mine;
      });
      await work.then(
        (right) => note(right ? 'ok' : 'a wrong reply'),
        (error) => note(isPoolError(error) ? error.code : String(error)),
      );
      await turn();
    }
  };
  const users = Promise.all(Array.from({ length: 50 }, user));
  let kills = 0;
  const end = performance.now() + 45_000;
  while (kills < 150 && performance.now() < end) {
    // Those that have been of use: who dies before that is dialled again with back-off.
    const present = (await server.clients('killed')).filter(({ cmd }) => cmd === 'echo');
    const victim = present[Math.floor(Math.random() * present.length)];
    if (victim) kills += Number(await server.observer.client('KILL', 'ID', String(victim['id'])));
  }
  over = true;
  await users;
  expect(kills).toBe(150);
  const { ok = 0, POOL_CONNECTION_LOST: lost = 0, POOL_CONNECT_FAILED: failed = 0, ...others } = outcomes;
  expect(others).toEqual({});
  expect(ok).toBeGreaterThan(kills);
  expect(await watch.stop()).toBeLessThanOrEqual(MAX_ACTIVE);
  expect(await server.info('rejected_connections')).toBe(rejected);
  const stats = await until('all connections are at rest', () => {
    const now = pool.stats();
    return now.total === now.idle && now;
  });
  expectBalanced(stats);
  expect(stats).toMatchObject({ acquired: ok + lost, waiting: 0, timedOut: 0, exhausted: 0 });
  expect(stats.closed.broken + stats.connectFailed).toBe(kills);
  expect(failed === 0 || stats.connectFailed > 0).toBe(true);
  expect(await pool.use((redis) => redis.ping())).toBe('PONG');
});

test('idle connections that die leave at once and are never lent', async () => {
  const pool = server.pool({ name: 'idle' });
  const leases = await Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
  for (const lease of leases) lease.release();
  for (const { id = '' } of await server.clients('idle')) await server.killClient(id);
  await until('the pool has noticed', () => pool.stats().total === 0);
  expect(pool.stats().closed.broken).toBe(5);
  expect(await pool.use((redis) => redis.ping())).toBe('PONG');
  expect(pool.stats()).toMatchObject({ connected: 6, idle: 1, connectFailed: 0 });
});
