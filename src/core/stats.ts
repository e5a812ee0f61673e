import type { PoolStats } from '../api/stats.ts';
import type { PoolContext, PoolSlot } from './context.ts';

/** The numbers of `pool.redis`. */
export interface LaneLoad {
  readonly open: readonly { readonly inFlight: number; readonly slot: PoolSlot | undefined }[];
  readonly queue: { readonly length: number; readonly dedicatedGroups: number };
  /** Commands that wait for a dedicated connection. */
  readonly dedicated: { readonly waiting: number; readonly waitMs: number };
}

/** The same before `pool.redis` is read for the first time. */
export const NO_LANES: LaneLoad = {
  open: [],
  queue: { length: 0, dedicatedGroups: 0 },
  dedicated: { waiting: 0, waitMs: 0 },
};

/**
 * The pool's numbers as one frozen object. Counters are the events' own counts, so the two cannot disagree. Every event
 * with a listener carries one, so it has to be cheap: what seldom changes is shared, not copied.
 */
export function takeSnapshot(
  { slots, events, options }: PoolContext,
  waiters: { readonly length: number; readonly waitMs: number },
  { open, queue, dedicated }: LaneLoad,
  sentinelConnections: number,
): PoolStats {
  const { maxActive, total, freeCapacity: room, count, closed } = slots;
  const { counts } = events;
  let lanes = 0;
  let inFlight = 0;
  for (const lane of open) {
    if (lane.slot?.state !== 'inUse') continue; // closed together with the pool
    lanes++;
    inFlight += lane.inFlight;
  }
  return Object.freeze({
    maxActive,
    maxIdle: options.maxIdle,
    minIdle: options.minIdle,
    total,
    inUse: count.inUse,
    idle: count.idle,
    connecting: count.connecting,
    closing: count.closing,
    sentinelConnections,
    lanes,
    inFlight,
    queuedCommands: queue.length,
    waiting: Math.max(0, waiters.length - room) + dedicated.waiting + queue.dedicatedGroups,
    acquired: counts.acquire,
    timedOut: counts.timeout,
    exhausted: counts.exhausted,
    aborted: counts.abort,
    connected: counts.connect,
    connectFailed: counts.connectError,
    leaked: counts.leak,
    waits: counts.wait,
    waitMs: waiters.waitMs + dedicated.waitMs,
    closed,
    errors: events.errors,
  });
}

/** The same as text, for messages: `maxActive 10: 3 in use, 1 idle, 0 connecting; 0 waiting`. */
export function describe({ maxActive, inUse, idle, connecting, closing, waiting }: PoolStats): string {
  return (
    `maxActive ${maxActive}: ${inUse} in use, ${idle} idle, ${connecting} connecting` +
    `${closing > 0 ? `, ${closing} closing` : ''}; ${waiting} waiting`
  );
}
