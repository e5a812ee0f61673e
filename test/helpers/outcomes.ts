import { expect } from 'vitest';
import { EVENT_NAMES } from '../../src/api/events.ts';
import type { Lease } from '../../src/api/lease.ts';
import type { PoolEvents } from '../../src/index.ts';
import type { Pool } from '../../src/pool.ts';
import type { FakeRedis } from './fake-redis.ts';

/** What the server and the pool say of the connections, in redigo's three numbers. */
export function check(
  redis: FakeRedis,
  pool: Pool,
  { dialed, open, inUse }: { dialed: number; open: number; inUse: number },
): void {
  const { total, inUse: lent, idle } = pool.stats();
  expect({ dialed: redis.dials.length, open: redis.open, total, lent, idle }).toEqual({
    dialed,
    open,
    total: open,
    lent: inUse,
    idle: open - inUse,
  });
}

/** `n` of what `make` makes. */
export function times<T>(n: number, make: (i: number) => T): T[] {
  return Array.from({ length: n }, (_, i) => make(i));
}

/** `n` leases. */
export function take(pool: Pool, n: number): Promise<Lease[]> {
  return Promise.all(times(n, () => pool.acquire()));
}

/** Leaves `n` connections idle in the pool. */
export async function warm(pool: Pool, n: number): Promise<void> {
  for (const lease of await take(pool, n)) lease.release();
}

/** What has become of a promise: `pending`, `done`, or the code, else the message, of its error. */
export class Outcome {
  is = 'pending';
  error: unknown;

  constructor(readonly promise: Promise<unknown>) {
    promise.then(
      () => {
        this.is = 'done';
      },
      (error) => {
        this.error = error;
        this.is = error?.code ?? error?.message ?? String(error);
      },
    );
  }
}

/** Follows a promise, whose rejection is handled with this. */
export function follow(promise: Promise<unknown>): Outcome {
  return new Outcome(promise);
}

/** The error that `promise` rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error,
  );
}

/** A promise that the test settles. */
export function deferred() {
  let resolve = (): void => {};
  let reject = (_: unknown): void => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Notes all events of `pool` from now on. */
export function record(pool: Pool): { name: keyof PoolEvents; event: Record<string, unknown> }[] {
  const all: { name: keyof PoolEvents; event: Record<string, unknown> }[] = [];
  for (const name of EVENT_NAMES) pool.on(name, (event) => all.push({ name, event: { ...event } }));
  return all;
}
