import type { RedisPool } from '../../api/redis-pool.ts';
import type { ClusterPoolStats, PoolStats } from '../../api/stats.ts';

/** The numbers of a pool; of a `ClusterPool`, those of each node, with its `host:port`. */
export function statsByNode(
  pool: RedisPool,
): readonly (readonly [node: string | undefined, stats: PoolStats])[] {
  const stats = pool.stats();
  const { nodes } = stats as Partial<ClusterPoolStats>;
  return nodes === undefined ? [[undefined, stats]] : Object.entries(nodes);
}
