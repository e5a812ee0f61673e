import type { Ledger } from './core/slot.ts';
import type { PoolEventName, PoolStats } from './redis-pool.ts';

/** The pool's numbers as one frozen object. Counters are the events' own counts, so the two cannot disagree. */
export function takeSnapshot(
  { maxActive, total, room, count, closed }: Ledger<unknown>,
  counts: Readonly<Record<PoolEventName, number>>,
  waiters: { readonly length: number; readonly waitMs: number },
): PoolStats {
  return Object.freeze({
    maxActive,
    total,
    inUse: count.inUse,
    idle: count.idle,
    connecting: count.connecting,
    closing: count.closing,
    waiting: Math.max(0, waiters.length - room),
    acquired: counts.acquire,
    timedOut: counts.timeout,
    exhausted: counts.exhausted,
    aborted: counts.abort,
    connected: counts.connect,
    connectFailed: counts.connectError,
    leaked: counts.leak,
    waits: counts.wait,
    waitMs: waiters.waitMs,
    closed: Object.freeze({ ...closed }),
  });
}
