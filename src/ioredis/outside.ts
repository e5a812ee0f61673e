import { AsyncResource } from 'node:async_hooks';

/** The async context in which this library was loaded. */
const context = new AsyncResource('RedisPool');

/**
 * Runs what belongs to the pool and to no caller: a connection outlives whoever happened to ask for it first, so its
 * commands must not show in the trace of that one, nor its socket keep that one's context.
 */
export function outside<T>(work: () => T): T {
  return context.runInAsyncScope(work);
}
