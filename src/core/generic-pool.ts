import { createPool } from 'generic-pool';
import type { Permit, Permits } from './permits.ts';

/**
 * generic-pool as the second count of what the slots bound. Its `max` is never reached unless the slots have a bug, and
 * then the dial fails with that bug as its cause.
 *
 * It is given nothing that can fail. `create` does no I/O, because a failing one makes generic-pool loop without
 * back-off and never rejects. It never queues, because a caller that gave up would stay in its queue. Its validation,
 * evictor, `min`, `use`, `ready` and time-outs are not used.
 */
export function genericPoolPermits(maxActive: number): Permits {
  const pool = createPool<Permit>(
    { create: () => Promise.resolve({}), destroy: () => Promise.resolve() },
    { max: maxActive, min: 0 },
  );
  /** Permits taken and not given back. `pool.size` counts a new permit twice for a moment. */
  let out = 0;
  return {
    get size() {
      return pool.size;
    },
    acquire() {
      if (out >= maxActive) return Promise.reject(new Error(`bug: a permit beyond maxActive ${maxActive}`));
      out++;
      return Promise.resolve(pool.acquire());
    },
    giveBack(permit) {
      out--;
      void pool.destroy(permit);
    },
    async close() {
      await pool.drain();
      await pool.clear();
    },
  };
}
