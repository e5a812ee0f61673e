import { expect, onTestFinished, test } from 'vitest';
import type { PoolOptions } from '../../src/api/options.ts';
import type { FailoverOwner, Fate } from '../../src/core/dependencies.ts';
import type { Pool } from '../../src/pool.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { follow, take } from '../helpers/outcomes.ts';

/** One who looks out for failovers, and tells of them when the test says so. */
class Watch {
  owner: FailoverOwner | undefined;
  sockets = 0;
  starts = 0;
  stops = 0;

  start(): void {
    this.starts++;
    this.sockets = 1;
  }

  async stop(): Promise<void> {
    this.stops++;
    this.sockets = 0;
  }

  /** Redis is elsewhere. */
  tell(fate: Fate, changed = true): void {
    this.owner?.moved({ changed, fateOf: () => fate, cause: new Error('Redis has moved') });
  }
}

function world(options: PoolOptions = {}): { redis: FakeRedis; pool: Pool; watch: Watch } {
  const redis = new FakeRedis();
  const watch = new Watch();
  const watchFailovers = (owner: FailoverOwner): Watch => Object.assign(watch, { owner });
  const pool = redis.pool(options, { watchFailovers });
  onTestFinished(() => pool.close({ graceMs: 0 }));
  return { redis, pool, watch };
}

test('nobody looks out before the first connection has come, nor after the pool is closed', async () => {
  const { pool, watch } = world();
  expect(watch.starts).toBe(0);
  expect(pool.stats().sentinelConnections).toBe(0);
  await pool.use((lease) => lease.get('k'));
  expect(watch.starts).toBe(1);
  expect(pool.stats().sentinelConnections).toBe(1);
  await pool.close();
  expect(watch.stops).toBe(1);
  expect(pool.stats().sentinelConnections).toBe(0);
});

test('when Redis has moved, idle connections close, and those that are out are cut, with the reason', async () => {
  const { redis, pool, watch } = world();
  const [used, idle] = await take(pool, 2);
  if (!used || !idle) return;
  idle.release();
  const connection = behind(redis, used);
  connection.client.holdReplies = true;
  const command = follow(used.set('k', 'v'));
  watch.tell('cut');
  await redis.clock.advance(0);
  expect(behind(redis, idle).state).toBe('closed');
  expect(connection.cutFor?.message).toBe('Redis has moved');
  expect(command.is).toBe('POOL_CONNECTION_LOST');
  used.release();
  await redis.clock.advance(0);
  expect(pool.stats()).toMatchObject({ total: 0, closed: { stale: 2, broken: 0 } });
});

test('what is merely stale is used to the end, and closes then', async () => {
  const { redis, pool, watch } = world();
  const lease = await pool.acquire();
  watch.tell('stale');
  expect(await lease.get('k')).toBe('OK');
  lease.release();
  await redis.clock.advance(0);
  expect(pool.stats()).toMatchObject({ total: 0, closed: { stale: 1 } });
});

test('what is where it belongs is kept', async () => {
  const { pool, watch } = world();
  const lease = await pool.acquire();
  watch.tell('keep');
  lease.release();
  expect(pool.stats()).toMatchObject({ idle: 1, closed: { stale: 0 } });
});

test('who waits for a dial that goes to the old place is given one that begins at once', async () => {
  const { redis, pool, watch } = world();
  redis.dial = 'hangs';
  const caller = follow(pool.use((lease) => lease.get('k')));
  await redis.clock.advance(0);
  redis.dial = 'succeeds';
  watch.tell('cut');
  await redis.clock.advance(0);
  expect(caller.is).toBe('done');
  expect(redis.dials.length).toBe(2);
});

test('a change ends the back-off: the next dial begins at once; without one it goes on', async () => {
  const { redis, pool, watch } = world({ minIdle: 1 });
  redis.dial = 'fails';
  await redis.clock.advance(20_000);
  const before = redis.dials.length;
  redis.dial = 'succeeds';
  watch.tell('cut', false);
  await redis.clock.advance(0);
  expect(redis.dials.length).toBe(before);
  watch.tell('cut');
  await redis.clock.advance(0);
  expect(redis.dials.length).toBe(before + 1);
  expect(pool.stats().idle).toBe(1);
});

test('it is wanted while there are connections, and for a while after the last dial', async () => {
  const { redis, pool, watch } = world({ idleTimeoutMs: 1000, reapIntervalMs: 1000 });
  await pool.use((lease) => lease.get('k'));
  expect(watch.owner?.isWanted()).toBe(true);
  await redis.clock.advance(2000);
  expect(pool.stats().total).toBe(0);
  expect(watch.owner?.isWanted()).toBe(true);
  await redis.clock.advance(11_000);
  expect(watch.owner?.isWanted()).toBe(false);
  redis.dial = 'fails';
  void pool.acquire().catch(() => {});
  await redis.clock.advance(0);
  expect(watch.owner?.isWanted()).toBe(true);
});
