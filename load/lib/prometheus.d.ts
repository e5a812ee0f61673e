import type { PoolFacts } from './judge.d.ts';

export type Metrics = ReadonlyMap<
  string,
  readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]
>;

/** What is read of Prometheus' text format: `redis_pool_*`, and what prom-client tells of a process. */
export function parseMetrics(text: string): Metrics;
/** As Prometheus' histogram_quantile. */
export function quantileOf(
  buckets: readonly { readonly le: number; readonly count: number }[],
  q: number,
): number;
/** What became of each pool between two looks, and of a pool of a cluster at each of its nodes. */
export function poolsOf(first: Metrics, last: Metrics): Omit<PoolFacts, 'peak'>[];
/** Pools are summed; undefined is what the service does not tell. */
export function gaugesOf(metrics: Metrics): {
  readonly inUse: number;
  readonly open: number;
  readonly lanes: number;
  readonly waiting: number;
  readonly cpuSeconds: number | undefined;
  readonly lagP99Ms: number | undefined;
};
