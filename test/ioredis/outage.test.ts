import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isPoolError, type Pool, type PoolOptions } from '../../src/index.ts';
import { expectBalanced, poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** Users who never rest, and what becomes of their uses. */
class Traffic {
  readonly outcomes = new Map<string, number>();
  /** When the last use succeeded. */
  lastOk = 0;
  #over = false;
  readonly #users: Promise<unknown>;

  constructor(pool: Pool, users: number) {
    this.#users = Promise.all(Array.from({ length: users }, () => this.#user(pool)));
  }

  count(what: string): number {
    return this.outcomes.get(what) ?? 0;
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#users;
  }

  async #user(pool: Pool): Promise<void> {
    while (!this.#over) {
      const outcome = await pool
        .use((redis) => redis.incr('traffic'))
        .then(
          () => 'ok',
          (error) => (isPoolError(error) ? error.code : String(error)),
        );
      if (outcome === 'ok') this.lastOk = performance.now();
      this.outcomes.set(outcome, this.count(outcome) + 1);
      await turn();
    }
  }
}

/** Dials there are, from now on, and when each began. */
function dialsOf(pool: Pool): number[] {
  const dials: number[] = [];
  pool.on('connecting', () => dials.push(performance.now()));
  return dials;
}

/** Nobody waits for a server to come back. */
const OPTIONS: PoolOptions = { name: 'outage', outageWaitMs: 0 };

test('a server that is killed and restarted on its port: traffic resumes within one back-off', async () => {
  const pool = server.pool(OPTIONS);
  const traffic = new Traffic(pool, 50);
  await until('traffic flows', () => traffic.count('ok') > 500);
  const dials = dialsOf(pool);
  const killedAt = performance.now();
  await server.kill();
  await until('the outage is felt', () => traffic.count('POOL_CONNECT_FAILED') > 5000);
  await until('it has lasted a while', () => performance.now() - killedAt > 800);
  await until('nobody has a connection, and nobody waits while none is being dialled', () => {
    const { total, waiting } = pool.stats();
    return total === 0 && waiting === 0;
  });
  const whileDown = dials.length;
  const lasted = performance.now() - killedAt;
  const before = traffic.count('ok');
  await server.start();
  const { connectFailed } = pool.stats();
  await until('traffic flows again', () => traffic.count('ok') > before);
  expect(pool.stats().connectFailed).toBeLessThanOrEqual(connectFailed + 1); // the one that was under way
  await until('and how', () => traffic.count('ok') > before + 500);
  await traffic.stop();
  // Thousands of callers, a handful of dials: those at the moment of the kill, then one at a time.
  expect(traffic.count('POOL_CONNECT_FAILED')).toBeGreaterThan(5000);
  expect(whileDown).toBeLessThanOrEqual(4 + Math.ceil(Math.log2(lasted / 25)) + 2);
  const codes = [...traffic.outcomes.keys()].filter((code) => code !== 'ok').sort();
  expect(['POOL_CONNECTION_LOST', 'POOL_CONNECT_FAILED']).toEqual(expect.arrayContaining(codes));
  expectBalanced(pool.stats());
  expect(await server.clients('outage')).toHaveLength(pool.stats().idle);
});

test('while the server is gone, callers get the real cause at once, and no slot stays occupied', async () => {
  const pool = server.pool({ ...OPTIONS, minIdle: 2 });
  await pool.ready();
  await server.kill();
  const error = await until('a dial has failed', () =>
    pool
      .use((redis) => redis.ping())
      .then(
        () => false as const,
        (reason) => isPoolError(reason, 'POOL_CONNECT_FAILED') && reason,
      ),
  );
  expect(error.cause).toMatchObject({ code: 'ECONNREFUSED', port: server.port });
  // In the back-off nobody dials, and nobody waits: the remembered cause is the answer.
  const again = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  expect(again.cause).toMatchObject({ code: 'ECONNREFUSED' });
  await until('the sockets are gone', () => pool.stats().total === pool.stats().connecting);
  await server.start();
  // minIdle brings the pool back though nobody calls.
  await until('the pool is back', () => pool.stats().idle === 2);
  expectBalanced(pool.stats());
});

test('a lease that is out when the server dies costs its place only until it comes back', async () => {
  const pool = server.pool({ ...OPTIONS, maxActive: 2 });
  const lease = await pool.acquire();
  await server.kill();
  await until('the lease knows', () => lease.status === 'end');
  await poolErrorOf(lease.get('k'), 'POOL_CONNECTION_LOST');
  expect(pool.stats()).toMatchObject({ total: 1, inUse: 1 });
  lease.release();
  await until('its place is free', () => pool.stats().total === 0);
  expect(pool.stats().closed.broken).toBe(1);
  await server.start();
  await pool.use((redis) => redis.ping());
});

describe('with the options that there are by default', () => {
  const DOORS: [door: string, ask: (pool: Pool) => Promise<unknown>][] = [
    ['pool.redis', (pool) => pool.redis.get('k')],
    ['pool.use()', (pool) => pool.use((redis) => redis.get('k'))],
  ];

  test.each(DOORS)('a restart of 1.5 s costs no GET that %s had not sent, and few dials', async (_, ask) => {
    const pool = server.pool();
    await ask(pool);
    const dials = dialsOf(pool);
    await server.kill();
    const killedAt = performance.now();
    const asked: Promise<unknown>[] = [];
    await until('it was away for 1.5 s', () => {
      asked.push(ask(pool));
      return performance.now() - killedAt > 1500;
    });
    // The four that began together, and those after 50, 100, 200, 400 ms and then each 500, at their shortest.
    expect(dials.length).toBeLessThanOrEqual(4 + 5 + 6);
    await server.start();
    expect(new Set(await Promise.all(asked))).toEqual(new Set([null]));
    expect(pool.stats().errors).toEqual(expect.objectContaining({ POOL_CONNECT_FAILED: 0 }));
    expectBalanced(pool.stats());
  });

  test('a password that was changed meanwhile is told at once', async () => {
    const pool = server.pool();
    await pool.redis.set('k', 'v');
    await server.observer.config('SET', 'requirepass', 'other');
    onTestFinished(async () => void (await server.observer.config('SET', 'requirepass', '')));
    pool.clear();
    const error = await poolErrorOf(
      pool.use((redis) => redis.get('k')),
      'POOL_CONNECT_FAILED',
    );
    expect(String(error.cause)).toContain('NOAUTH');
  });

  test('a server that is started after the pool is waited for by ready({ timeoutMs }) alone', async () => {
    const pool = server.pool();
    await server.kill();
    const ready = pool.ready({ timeoutMs: 60_000 });
    const error = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
    await server.start();
    await ready;
    expect(await pool.redis.ping()).toBe('PONG');
  });
});
