import type { Ledger } from './core/slot.ts';
import type { Events } from './events.ts';
import type { PoolStats } from './redis-pool.ts';

/** The pool's numbers as one frozen object. Counters are the events' own counts, so the two cannot disagree. */
export function takeSnapshot(
  { maxActive, total, room, count, closed, lanes }: Ledger<unknown>,
  events: Events,
  waiters: { readonly length: number; readonly waitMs: number },
): PoolStats {
  return Object.freeze({
    maxActive,
    total,
    inUse: count.inUse,
    idle: count.idle,
    connecting: count.connecting,
    closing: count.closing,
    lanes,
    waiting: Math.max(0, waiters.length - room),
    acquired: events.counted('acquire'),
    timedOut: events.counted('timeout'),
    exhausted: events.counted('exhausted'),
    aborted: events.counted('abort'),
    connected: events.counted('connect'),
    connectFailed: events.counted('connectError'),
    leaked: events.counted('leak'),
    waits: events.counted('wait'),
    waitMs: waiters.waitMs,
    closed: Object.freeze({ ...closed }),
  });
}
