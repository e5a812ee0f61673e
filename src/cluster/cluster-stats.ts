import { type ClusterPoolStats, type PoolStats, PRESENT } from '../api/stats.ts';
import { Slots } from '../core/slot.ts';

/** Nothing was ever counted. */
export const NO_STATS: PoolStats = Object.freeze({
  ...{ maxActive: 0, maxIdle: 0, minIdle: 0, total: 0, inUse: 0, lanes: 0, inFlight: 0, queuedCommands: 0 },
  ...{ idle: 0, connecting: 0, closing: 0, waiting: 0, acquired: 0, timedOut: 0, exhausted: 0, aborted: 0 },
  ...{ connected: 0, connectFailed: 0, leaked: 0, waits: 0, waitMs: 0, sentinelConnections: 0 },
  closed: new Slots<never>(0).closed,
  errors: Object.freeze({
    ...{ POOL_EXHAUSTED: 0, POOL_ACQUIRE_TIMEOUT: 0, POOL_CONNECT_FAILED: 0, POOL_CONNECTION_LOST: 0 },
    ...{ POOL_CLOSED: 0, POOL_LEASE_RELEASED: 0, POOL_STATEFUL_COMMAND: 0 },
  }),
});

/** Adds up what nodes have, and others that are no masters, or not yet; `past` are the counts of pools that are gone. */
export function sumStats(
  nodes: ReadonlyMap<string, PoolStats>,
  others: readonly PoolStats[],
  past: PoolStats,
  own: PoolStats,
): ClusterPoolStats {
  const sum: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(own)) {
    const all = [own, ...nodes.values(), ...others, ...(PRESENT.has(name) ? [] : [past])];
    const values = all.map((one) => one[name as keyof PoolStats]);
    sum[name] = typeof value === 'number' ? add(values as number[]) : addEach(values);
  }
  return Object.freeze({ ...(sum as unknown as PoolStats), nodes: Object.freeze(Object.fromEntries(nodes)) });
}

/** The counts of pools that are gone, with those of one more. */
export function addPast(past: PoolStats, gone: PoolStats): PoolStats {
  return sumStats(new Map(), [gone], past, NO_STATS);
}

const add = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);

function addEach(all: readonly unknown[]): Readonly<Record<string, number>> {
  const counts = all as readonly Record<string, number>[];
  const names = Object.keys(counts[0] ?? {});
  return Object.freeze(
    Object.fromEntries(names.map((name) => [name, add(counts.map((one) => one[name] ?? 0))])),
  );
}
