import type { TimedEvent } from '../../api/durations.ts';
import type { PoolStats } from '../../api/stats.ts';

/** One number of a pool, or several, keyed by the value of a label. */
export type Reading = number | Readonly<Record<string, number>>;

/** A metric that is read from the pool when Prometheus asks. */
export interface Pulled {
  readonly kind: 'gauge' | 'counter';
  readonly name: string;
  readonly help: string;
  /** The label by which it has several values, besides `pool`. */
  readonly label?: string;
  readonly read: (stats: PoolStats, dialErrors: Readonly<Record<string, number>>) => Reading;
}

const gauge = (name: string, help: string, read: Pulled['read'], label?: string): Pulled => ({
  ...{ kind: 'gauge', name, help, read },
  ...(label !== undefined && { label }),
});

const counter = (name: string, help: string, read: Pulled['read'], label?: string): Pulled => ({
  ...gauge(name, help, read, label),
  kind: 'counter',
});

/** The metrics that are read from `stats()`; names are without the prefix. */
export const PULLED: readonly Pulled[] = [
  gauge(
    'connections',
    'Connections by state; in all at most connections_max.',
    ({ inUse, idle, connecting, closing }) => ({ in_use: inUse, idle, connecting, closing }),
    'state',
  ),
  gauge('connections_max', 'Most connections open at once (maxActive).', (s) => s.maxActive),
  gauge(
    'sentinel_connections',
    'Sockets to sentinels, over which the pool learns of failovers; not within connections.',
    (s) => s.sentinelConnections,
  ),
  gauge('waiting', 'Queued callers for whom no connection is free.', (s) => s.waiting),
  gauge('lanes', 'Connections over which pool.redis sends; they are among those in use.', (s) => s.lanes),
  gauge('commands_in_flight', 'Commands of pool.redis that are sent and not answered.', (s) => s.inFlight),
  gauge('commands_queued', 'Commands of pool.redis that wait for a lane.', (s) => s.queuedCommands),
  counter('acquires_total', 'Leases handed out.', (s) => s.acquired),
  counter('waits_total', 'Acquires that had to queue for a connection.', (s) => s.waits),
  counter('wait_seconds_total', 'Time spent in the queue, whatever came of it.', (s) => s.waitMs / 1000),
  counter('aborts_total', 'Acquires given up through their signal.', (s) => s.aborted),
  counter('errors_total', 'Errors the pool has made, by PoolError code.', (s) => s.errors, 'code'),
  counter('connects_total', 'Connects that succeeded.', (s) => s.connected),
  counter('connect_errors_total', 'Connects that failed, by cause.', (_, dialErrors) => dialErrors, 'code'),
  counter('closes_total', 'Connections closed, by reason.', (s) => s.closed, 'reason'),
  counter('leaks_total', 'Leases held for too long, or dropped without release.', (s) => s.leaked),
];

/** The metrics of durations, which the pool reports as they occur. */
export const PUSHED = {
  acquire: {
    name: 'acquire_wait_seconds',
    help: 'Time from acquire to lease, of acquires that got one.',
  },
  release: { name: 'hold_seconds', help: 'Time that leases were held.' },
  connect: { name: 'connect_seconds', help: 'Time of connects that succeeded.' },
} as const satisfies Record<TimedEvent, { name: string; help: string }>;
