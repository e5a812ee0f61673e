import type { RedisPool } from '../../api/redis-pool.ts';
import type { ClusterPoolStats, PoolStats } from '../../api/stats.ts';

/** What of a `ClusterPool` belongs to no node that it has: what is asked of others, and the counts of those that have left. */
export const NO_NODE = '';

/**
 * The numbers of a pool; of a `ClusterPool`, those of each node, with its `host:port`, and what is left, as
 * {@link NO_NODE}: together they are those of the whole pool.
 */
export function statsByNode(
  pool: RedisPool,
): readonly (readonly [node: string | undefined, stats: PoolStats])[] {
  const stats = pool.stats();
  const { nodes, ...whole } = stats as PoolStats & Partial<ClusterPoolStats>;
  if (nodes === undefined) return [[undefined, stats]];
  const all = Object.entries(nodes);
  const parts = all.map(([, part]) => part);
  return [...all, [NO_NODE, without(whole, parts) as unknown as PoolStats]];
}

type Numbers = Readonly<Record<string, unknown>>;

/** `whole` less all of `parts`. */
function without(whole: object, parts: readonly object[]): Numbers {
  const left = Object.entries(whole).map(([name, value]) => {
    const values = parts.map((part) => (part as Numbers)[name]);
    return [
      name,
      typeof value === 'number' ? less(value, values as number[]) : without(value, values as object[]),
    ];
  });
  return Object.fromEntries(left);
}

/** Sums of times are not exact, and a counter that shrinks by next to nothing would be taken for a new one. */
function less(whole: number, parts: readonly number[]): number {
  const left = parts.reduce((rest, part) => rest - part, whole);
  return Math.max(0, Math.round(left * 1000) / 1000);
}
