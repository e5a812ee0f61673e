import { createPool } from 'generic-pool';
import type { Permit, Permits } from './permits.ts';

/**
 * generic-pool as the engine: its `max` is the hard bound, its `size` the number of connections not yet closed.
 *
 * It is given nothing that can fail. `create` does no I/O, because a failing one makes generic-pool loop without
 * back-off and never tells the waiter. It is asked only while it has spare capacity, because a caller that gave
 * up stays in its queue. Its validation, evictor, `min`, `use`, `ready` and time-outs are not used.
 */
export function genericPoolPermits(maxActive: number): Permits {
  const pool = createPool<Permit>(
    { create: () => Promise.resolve({}), destroy: () => Promise.resolve() },
    { max: maxActive, min: 0 },
  );
  return {
    get size() {
      return pool.size;
    },
    acquire: () => Promise.resolve(pool.acquire()),
    giveBack: (permit) => void pool.destroy(permit),
    async close() {
      await pool.drain();
      await pool.clear();
    },
  };
}
