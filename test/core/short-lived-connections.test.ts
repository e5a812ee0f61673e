import { describe, expect, test } from 'vitest';
import { isPoolError, type Pool, type PoolOptions } from '../../src/index.ts';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { check, follow, times } from '../helpers/outcomes.ts';

/** Dials that the back-off allows in 10 s: after 50, 100 … 1600 ms, and then every 2 s. */
const PACE = 6 + 4;

/** The same while somebody waits: after 50 … 400 ms, and then every 500 ms. */
const AWAITED_PACE = 4 + 19;

/** A Redis whose connections die at once, as behind a proxy that has nobody to pass on to. */
function dying(): FakeRedis & { well: boolean } {
  const redis = Object.assign(new FakeRedis(), { well: false, dialMs: 1 });
  return redis;
}

/** Has the connections of `pool` die `afterMs` after they are ready, without an answer. */
function kill(redis: FakeRedis & { well: boolean }, pool: Pool, afterMs = 0): void {
  pool.on('connect', ({ connectionId }) => {
    const connection = redis.dials[connectionId - 1];
    if (redis.well || !connection) return;
    connection.answered = false;
    connection.client.holdReplies = true;
    redis.clock.after(afterMs, () => connection.die());
  });
}

/** Whether the numbers of the pool are those of its events. */
function expectSame(pool: Pool, heard: Record<string, number>): void {
  const { connected, connectFailed, closed } = pool.stats();
  expect(heard).toEqual({
    connecting: connected + connectFailed,
    connect: connected,
    connectError: connectFailed,
    close: Object.values(closed).reduce((sum, n) => sum + n, 0),
  });
}

function hear(pool: Pool): Record<string, number> {
  const heard: Record<string, number> = { connecting: 0, connect: 0, connectError: 0, close: 0 };
  for (const event of ['connecting', 'connect', 'connectError', 'close'] as const)
    pool.on(event, () => {
      heard[event] = (heard[event] ?? 0) + 1;
    });
  return heard;
}

const USERS: [
  who: string,
  options: PoolOptions,
  pace: number,
  begin: (pool: Pool, over: () => boolean) => void,
][] = [
  [
    'twenty callers who never give up',
    {},
    AWAITED_PACE,
    (pool, over) => {
      const ask = async (): Promise<void> => {
        while (!over()) {
          await pool
            .use((lease) => lease.get('k'))
            .catch((error: unknown) => expect(isPoolError(error)).toBe(true));
          await settled();
        }
      };
      for (let i = 0; i < 20; i++) void ask();
    },
  ],
  ['minIdle with no caller', { minIdle: 5 }, PACE, () => {}],
];

describe.each(USERS)('connections that die at once, dialled for %s', (_, options, pace, begin) => {
  test.each([0, 1, 7, 40])('keep the pace of the back-off (%d ms after they are ready)', async (afterMs) => {
    const redis = dying();
    const pool = redis.pool({ maxActive: 10, ...options });
    let over = false;
    const heard = hear(pool);
    kill(redis, pool, afterMs);
    begin(pool, () => over);
    await redis.clock.advance(10_000);
    // As many as may be open, before it is known; one that shows that it was no accident; then the back-off.
    expect(redis.dials.length).toBeLessThanOrEqual(10 + 1 + pace);
    expect(redis.dials.length).toBeGreaterThan(5);
    expectSame(pool, heard);
    expect(pool.stats()).toMatchObject({ connectFailed: 0 });
    over = true;
    redis.well = true;
    await redis.clock.advance(2001);
    const lease = follow(pool.acquire());
    await redis.clock.advance(1);
    expect(lease.is).toBe('done');
    await pool.close({ graceMs: 0 });
  });
});

describe('a connection that died before it was of use', () => {
  test('is replaced at once, if it is one', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2, minIdle: 2 });
    await redis.clock.advance(1);
    redis.dials[0]?.die();
    await redis.clock.advance(1);
    check(redis, pool, { dialed: 3, open: 2, inUse: 0 });
  });

  test('holds nothing up once a new one was of use', async () => {
    const redis = dying();
    const pool = redis.pool({ maxActive: 5 });
    kill(redis, pool);
    const asked = times(5, () => follow(pool.use(() => {})));
    await redis.clock.advance(500);
    redis.well = true;
    await redis.clock.advance(2000);
    expect(asked.map((one) => one.is)).toEqual(times(5, () => 'done'));
    const before = redis.dials.length;
    const held = times(5, () => follow(pool.acquire()));
    await redis.clock.advance(2);
    expect(held.map((one) => one.is)).toEqual(times(5, () => 'done'));
    expect(redis.dials.length).toBeLessThanOrEqual(before + 5);
  });

  test('makes pool.redis connecting from the second on, and ready is emitted again when one stays open', async () => {
    const redis = dying();
    const pool = redis.pool({ minIdle: 1 });
    const { redis: client } = pool;
    const heard: string[] = [];
    for (const event of ['ready', 'error', 'end'] as const) client.on(event, () => heard.push(event));
    kill(redis, pool, 5);
    await redis.clock.advance(20);
    expect(client.status).toBe('connecting');
    heard.length = 0;
    redis.well = true;
    await redis.clock.advance(2000);
    expect(client.status).toBe('ready');
    expect(heard).toEqual(['ready']);
  });

  test('is the cause of the errors of callers whose deadline passes', async () => {
    const redis = dying();
    const pool = redis.pool({ maxActive: 1, minIdle: 1 });
    kill(redis, pool);
    await redis.clock.advance(2000);
    const late = follow(pool.acquire({ timeoutMs: 20 }));
    await redis.clock.advance(20);
    expect(late.is).toBe('POOL_ACQUIRE_TIMEOUT');
    expect(String((late.error as Error).cause)).toContain('died before it was of any use');
  });

  test('was useful if it was open for longer than any back-off, or somebody used it', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 2, minIdle: 2 });
    for (let i = 0; i < 5; i++) {
      await redis.clock.advance(2000);
      for (const one of redis.dials) if (one.alive) one.die();
      await redis.clock.advance(1);
      check(redis, pool, { dialed: 2 * (i + 2), open: 2, inUse: 0 });
    }
  });

  test('connections that fail their check, never lent, keep the pace too', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 4, checkAfterIdleMs: 0, minIdle: 4 });
    pool.on('connect', ({ connectionId }) => {
      const connection = redis.dials[connectionId - 1];
      if (connection) Object.assign(connection, { answersPing: false, answered: false });
    });
    for (let i = 0; i < 1000; i++) {
      follow(pool.acquire({ timeoutMs: 9 }));
      await redis.clock.advance(10);
    }
    expect(redis.dials.length).toBeLessThanOrEqual(4 + 1 + 2 * PACE);
    await pool.close({ graceMs: 0 });
  });
});

test('connections that are useful, and killed ten times a second, are replaced by ten a second at most', async () => {
  const redis = new FakeRedis();
  const { clock } = redis;
  redis.dialMs = 1;
  const pool = redis.pool();
  const dials: number[] = [];
  pool.on('connecting', () => dials.push(clock.now()));
  let served = 0;
  const end = clock.now() + 5000;
  for (let turn = 0; clock.now() < end; turn++) {
    for (let i = 0; i < 10; i++)
      pool
        .use((lease) => lease.get('k'))
        .then(() => served++)
        .catch(() => {});
    await clock.advance(20);
    if (turn % 5 === 4) for (const one of redis.dials) if (one.alive) one.die();
  }
  const later = dials.filter((at) => at >= end - 4000);
  const inASecond = later.map((from) => later.filter((at) => at >= from && at < from + 1000).length);
  expect(served).toBeGreaterThan(1000);
  expect(Math.max(...inASecond)).toBeLessThanOrEqual(10);
  expect(later.length).toBeGreaterThan(20);
});
