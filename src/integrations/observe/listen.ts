import type { PoolEventName, PoolListener } from '../../api/events.ts';
import type { RedisPool } from '../../api/redis-pool.ts';

/** Listeners by event name. */
export type Listeners = { readonly [E in PoolEventName]?: PoolListener<E> };

/** Adds `listeners` to `pool`; returns a function that removes them. */
export function listen(pool: RedisPool, listeners: Listeners): () => void {
  const all = Object.entries(listeners) as [PoolEventName, PoolListener<PoolEventName>][];
  for (const [event, listener] of all) pool.on(event, listener);
  return () => {
    for (const [event, listener] of all) pool.off(event, listener);
  };
}
