import { describe } from 'vitest';
import type { Lease } from '../../../src/api/lease.ts';
import type { RedisPool } from '../../../src/api/redis-pool.ts';
import type { PoolOptions } from '../../../src/index.ts';
import { bounds, cleanliness, failures, leases, waiting } from './contract-lending.ts';
import { closing, events, multiplexed, upkeep } from './contract-pool.ts';

/** Somewhere a pool can live. */
export interface World {
  /** A pool, closed with the test. */
  pool(options?: PoolOptions): RedisPool;
  /** Waits until `look` finds something, and returns it; time passes meanwhile. */
  until<T>(what: string, look: () => T | false | Promise<T | false>): Promise<T>;
  /** Waits for `work`; time passes meanwhile. */
  during<T>(work: Promise<T>): Promise<T>;
  /** Closes the connection of `lease` from the server's side. */
  kill(pool: RedisPool, lease: Lease): Promise<void>;
  /** From now on the pools made here cannot connect, for the reason ECONNREFUSED; those that are up stay up. */
  refuse(): void;
}

/**
 * What a {@link RedisPool} promises its callers. It runs on a pool that is connected to a real server, and on the mock;
 * whoever makes another one may run it there.
 */
export function poolContract(name: string, makeWorld: () => World): void {
  describe(`${name} keeps what RedisPool promises`, () => {
    leases(makeWorld);
    bounds(makeWorld);
    waiting(makeWorld);
    failures(makeWorld);
    cleanliness(makeWorld);
    multiplexed(makeWorld);
    upkeep(makeWorld);
    events(makeWorld);
    closing(makeWorld);
  });
}
