import type { Redis } from 'ioredis';
import { expect } from 'vitest';
import { times } from '../helpers/outcomes.ts';
import { type TestServer, until } from '../helpers/redis.ts';

/** Connections that the pool of a test may have. */
const MAX_ACTIVE = 3;

/** Calls that a burst makes at once. */
export const BURST = 200;

/**
 * Runs `work` on the `redis` of a small pool, all of whose connections are in demand by others meanwhile, so that its
 * commands go now over this one and now over that. All connections at the server count, so one that a consumer makes
 * for itself is seen too: there were never more than the pool may have, and none is left once it is closed.
 */
export async function onPool(server: TestServer, work: (redis: Redis) => Promise<void>): Promise<void> {
  const pool = server.pool({ maxActive: MAX_ACTIVE });
  const watch = server.watch();
  let over = false;
  const borrow = async (): Promise<void> => {
    while (!over) await pool.use((redis) => redis.blpop('nothing', 0.002));
  };
  const borrowers = times(MAX_ACTIVE, borrow);
  await work(pool.redis).finally(() => {
    over = true;
    return Promise.all([watch.stop(), ...borrowers]);
  });
  expect(await watch.stop()).toBe(MAX_ACTIVE);
  await pool.close();
  await until('no connection is left', async () => (await server.clients()).length === 0);
}

/** What `call` gives when it is made `BURST` times at once. */
export function burst<T>(call: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(times(BURST, call));
}

/** How often each value occurs. */
export function tally(values: readonly (string | number | boolean)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
}

/** Counts who is inside a critical section, and how it goes for a counter that is read and written apart. */
export class Section {
  /** The most who were inside at once. */
  most = 0;
  #inside = 0;
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Adds one to key `count`, in a way that loses some if anybody else does so at the same time. */
  async enter(): Promise<void> {
    this.most = Math.max(this.most, ++this.#inside);
    const count = Number(await this.#redis.get('count'));
    await this.#redis.set('count', count + 1);
    this.#inside--;
  }
}

/**
 * Kills the server under `call`, again and again made by nobody but this, and starts it anew: while it is away calls
 * fail, or wait, and when it is back they succeed, though they may do no more than look at `status` before they give up.
 */
export async function throughOutage(
  server: TestServer,
  work: (redis: Redis) => Promise<() => Promise<unknown>>,
): Promise<void> {
  const pool = server.pool({ maxActive: MAX_ACTIVE });
  const heard: string[] = [];
  for (const event of ['ready', 'end'] as const) pool.redis.on(event, () => heard.push(event));
  const call = await work(pool.redis);
  const succeeds = (): Promise<boolean> =>
    call().then(
      () => true,
      () => false,
    );
  await call();
  await server.kill();
  await until('it is known that nobody can connect', async () => {
    return !(await succeeds()) && pool.redis.status === 'connecting';
  });
  for (let i = 0; i < 20; i++) expect(await succeeds()).toBe(false);
  await server.start();
  await until('calls succeed again', succeeds, 10_000);
  expect(pool.redis.status).toBe('ready');
  await call();
  expect(heard).toEqual(['ready', 'ready']);
  await pool.close();
}
