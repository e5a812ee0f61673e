export type { ClusterPoolStats } from '../api/stats.ts';
export type { NatMap } from './address.ts';
export type { ClusterPoolOptions } from './cluster-options.ts';
export { ClusterPool } from './cluster-pool.ts';
