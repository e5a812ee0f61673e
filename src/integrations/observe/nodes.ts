import type { RedisPool } from '../../api/redis-pool.ts';
import { type ClusterPoolStats, type PoolStats, PRESENT } from '../../api/stats.ts';

/** What of a `ClusterPool` belongs to no node that it has, such as what is asked of others. */
export const NO_NODE = '';

/** Numbers, some of them in objects. */
type Numbers = Readonly<Record<string, unknown>>;

/** Reads the numbers of a pool, those of a `ClusterPool` by node. */
export class NodeStats {
  readonly #pool: RedisPool;
  /** What each node had the last time. */
  #before: Readonly<Record<string, PoolStats>> = {};
  /** The counts that nodes had when they left: they were told, and are not told again. */
  #left: Numbers | undefined;

  constructor(pool: RedisPool) {
    this.#pool = pool;
  }

  /** By `host:port`, and what is left, as {@link NO_NODE}; those of a pool of one server, as `undefined`. */
  read(): readonly (readonly [node: string | undefined, stats: PoolStats])[] {
    const stats = this.#pool.stats();
    const { nodes, ...whole } = stats as PoolStats & Partial<ClusterPoolStats>;
    if (nodes === undefined) return [[undefined, stats]];
    for (const [node, last] of Object.entries(this.#before)) {
      const now = nodes[node];
      const again = now !== undefined && now.acquired >= last.acquired && now.connected >= last.connected;
      if (!again) this.#left = this.#left ? combine(this.#left, countsOf(last), 1) : countsOf(last);
    }
    this.#before = nodes;
    const parts = [...Object.values(nodes), ...(this.#left ? [this.#left] : [])];
    const rest = parts.reduce((left: Numbers, part) => combine(left, part as unknown as Numbers, -1), whole);
    return [...Object.entries(nodes), [NO_NODE, tidy(rest) as unknown as PoolStats]];
  }
}

function countsOf(stats: PoolStats): Numbers {
  return Object.fromEntries(Object.entries(stats).filter(([name]) => !PRESENT.has(name)));
}

/** Adds `part` to `whole`, `times` times. */
function combine(whole: Numbers, part: Numbers, times: 1 | -1): Numbers {
  const all = Object.entries(whole).map(([name, value]) => {
    const other = part[name];
    if (typeof value === 'number') return [name, value + times * ((other as number | undefined) ?? 0)];
    return [name, combine(value as Numbers, (other ?? {}) as Numbers, times)];
  });
  return Object.fromEntries(all);
}

/** Sums of times are not exact, and a counter that shrinks by next to nothing would be taken for a new one. */
function tidy(numbers: Numbers): Numbers {
  const all = Object.entries(numbers).map(([name, value]) => [
    name,
    typeof value === 'number' ? Math.max(0, Math.round(value * 1000) / 1000) : tidy(value as Numbers),
  ]);
  return Object.fromEntries(all);
}
