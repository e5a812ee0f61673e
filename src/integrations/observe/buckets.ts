/** Buckets for the durations of waits, leases and connects: from 0.1 ms to the default deadlines. Seconds. */
export const BUCKETS_S: readonly number[] = Object.freeze([
  ...[0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
]);
