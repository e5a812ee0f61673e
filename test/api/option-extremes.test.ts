import { afterAll, expect, test } from 'vitest';
import { DEFAULTS, resolveOptions } from '../../src/api/resolve-options.ts';
import { isPoolError, type Pool, type PoolOptions } from '../../src/index.ts';
import { times } from '../helpers/outcomes.ts';
import { expectBalanced, until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** Node's word that a timer was too long, and has fired at once. */
const overflows: Error[] = [];
const note = (warning: Error): unknown =>
  warning.name === 'TimeoutOverflowWarning' && overflows.push(warning);
process.on('warning', note);
afterAll(() => process.off('warning', note));

const NUMBERS = Object.entries(DEFAULTS).flatMap(([name, value]) =>
  typeof value === 'number' ? [name] : [],
);

/** The first of `values` that the option may have. */
function first(option: string, values: readonly number[]): number {
  for (const value of values) {
    try {
      resolveOptions({ [option]: value });
      return value;
    } catch {}
  }
  return expect.fail(`none of ${values.join(', ')} may be ${option}`);
}

const CASES = NUMBERS.flatMap((option): [string, number][] => [
  [option, first(option, [-1, -0, 0, Number.MIN_VALUE, 1])],
  [option, first(option, [1, 2])],
  [option, first(option, [Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER, 2 ** 31 - 1, 10])],
  ...(option.endsWith('Ms') ? [[option, 2 ** 31 - 1] as [string, number]] : []),
]);

/** Deadlines that real time may exceed, and bounds that ten at once do exceed: their own errors say so. */
const TOO_SHORT: Readonly<Record<string, string>> = {
  acquireTimeoutMs: 'POOL_ACQUIRE_TIMEOUT',
  connectTimeoutMs: 'POOL_CONNECT_FAILED',
  replyTimeoutMs: 'POOL_CONNECTION_LOST',
  leaseReplyTimeoutMs: 'POOL_CONNECTION_LOST',
  maxQueuedCommands: 'POOL_EXHAUSTED',
  maxQueuedBytes: 'POOL_EXHAUSTED',
};

/** Runs `work`, one after the other and then together. Returns how many calls there were. */
async function run(work: (i: number) => Promise<unknown>): Promise<number> {
  for (let i = 0; i < 3; i++) await work(i);
  await Promise.all(times(10, work));
  return 13;
}

async function serve(pool: Pool, mayFail: string | undefined): Promise<number> {
  const outcome = (reply: Promise<unknown>): Promise<unknown> =>
    reply.catch((error: unknown) => {
      if (!isPoolError(error) || error.code !== mayFail) throw error;
    });
  const shared = await run(() => outcome(pool.redis.get('k')));
  return shared + (await run(() => outcome(pool.use((redis) => redis.get('k')))));
}

test.each(CASES)(
  'with %s at %d both doors serve, with a dial for each call at most, and close() ends',
  async (option, value) => {
    const pool = server.pool({ [option]: value } as PoolOptions);
    const calls = await serve(pool, value < 3 ? TOO_SHORT[option] : undefined);
    const { connected, connectFailed, total } = pool.stats();
    expect(connected + connectFailed).toBeLessThanOrEqual(calls + pool.stats().minIdle);
    expect(total).toBeLessThanOrEqual(option === 'maxActive' ? value : 10);
    await pool.close();
    expectBalanced(pool.stats());
    expect(pool.stats().total).toBe(0);
    expect(overflows).toEqual([]);
  },
);

test('a connection whose life is over before it is lent serves pool.redis once all the same', async () => {
  /** Longer than a life, as a busy process may take. */
  const dawdle = (): void => {
    const until = performance.now() + 3;
    while (performance.now() < until) {}
  };
  const pool = server.pool({ maxLifetimeMs: 1, hooks: { connect: dawdle } });
  for (let i = 0; i < 5; i++) expect(await pool.redis.set('k', i)).toBe('OK');
  await Promise.all(times(100, () => pool.redis.get('k')));
  expect(pool.stats().connected).toBeLessThanOrEqual(6);
});

test('with idleTimeoutMs 0 a connection that comes back goes to who waits for it', async () => {
  const pool = server.pool({ maxActive: 1, idleTimeoutMs: 0 });
  await Promise.all(times(50, () => pool.use((redis) => redis.get('k'))));
  expect(pool.stats()).toMatchObject({ acquired: 50, connected: 1 });
});

test('all that is long at once is no timer that fires at once', async () => {
  const longest = Object.fromEntries(
    NUMBERS.filter((name) => name.endsWith('Ms')).map((name) => [name, 2 ** 31 - 1]),
  );
  const pool = server.pool({ ...longest, maxActive: 1 });
  const held = await pool.acquire();
  const waiting = [pool.redis.get('k'), pool.use((redis) => redis.get('k'))];
  await until('both wait', () => pool.stats().waiting === 2);
  held.release();
  await Promise.all(waiting);
  expect(overflows).toEqual([]);
  await pool.close({ graceMs: 2 ** 31 - 1 });
});
