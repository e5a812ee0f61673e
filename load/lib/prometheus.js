/** What Prometheus' text format says of a service: pure functions. */

/** What is read of it: this pool's, and what prom-client tells of each process. */
const READ = /^(redis_pool_|process_cpu_seconds_total|nodejs_eventloop_lag_p99_seconds)/;

/** @typedef {Map<string, { labels: Record<string, string>, value: number }[]>} Metrics by name */

/** @param {string} text in Prometheus' text format @returns {Metrics} */
export function parseMetrics(text) {
  /** @type {Metrics} */
  const metrics = new Map();
  for (const line of text.split('\n')) {
    const [, name, labels, value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line) ?? [];
    if (name === undefined || !READ.test(name)) continue;
    const all = metrics.get(name) ?? [];
    all.push({
      labels: labelsOf(labels ?? ''),
      value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value),
    });
    metrics.set(name, all);
  }
  return metrics;
}

/** @param {string} text */
function labelsOf(text) {
  const pairs = [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
  return Object.fromEntries(pairs.map(([, name, value = '']) => [name, value.replace(/\\(["\\])/g, '$1')]));
}

/**
 * The value below which the share `q` lies, as Prometheus' histogram_quantile has it: evenly spread within a bucket.
 *
 * @param {readonly { le: number, count: number }[]} buckets in order, each count with those before
 * @param {number} q
 */
export function quantileOf(buckets, q) {
  const all = buckets.at(-1)?.count ?? 0;
  if (all === 0) return 0;
  let before = { le: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= q * all) {
      if (bucket.le === Number.POSITIVE_INFINITY) return before.le;
      return before.le + ((q * all - before.count) / (bucket.count - before.count)) * (bucket.le - before.le);
    }
    before = bucket;
  }
  return before.le;
}

/**
 * What became of each pool between two looks, and of a pool of a cluster at each of its nodes.
 *
 * @param {Metrics} first
 * @param {Metrics} last
 */
export function poolsOf(first, last) {
  const members = (last.get('redis_pool_connections_max') ?? []).map(({ labels }) => labels);
  return members.map(({ pool, node }) => {
    const own = { pool, ...(node !== undefined && { node }) };
    const grown = (name, labels) => sumOf(last, name, labels) - sumOf(first, name, labels);
    const bucketsAt = (metrics) =>
      (metrics.get('redis_pool_acquire_wait_seconds_bucket') ?? []).filter(
        ({ labels }) => labels.pool === pool,
      );
    const buckets = bucketsAt(last).map(({ labels: { le }, value }) => ({
      le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
      count: value - (bucketsAt(first).find(({ labels }) => labels.le === le)?.value ?? 0),
    }));
    const errors = Object.fromEntries(
      (last.get('redis_pool_errors_total') ?? [])
        .filter(({ labels }) => labels.pool === pool && labels.node === node)
        .map(({ labels: { code } }) => [code, grown('redis_pool_errors_total', { ...own, code })])
        .filter(([, n]) => n > 0),
    );
    const leases = grown('redis_pool_acquires_total', own);
    const all = grown('redis_pool_acquires_total', { pool });
    return {
      name: pool,
      ...(node !== undefined && { node }),
      maxActive: sumOf(last, 'redis_pool_connections_max', own),
      leases,
      waits: grown('redis_pool_waits_total', own),
      waitSeconds: grown('redis_pool_wait_seconds_total', own),
      waitP99Ms: quantileOf(buckets, 0.99) * 1000,
      // Histograms are of all nodes together: each has its share by leases.
      holdSeconds: all > 0 ? (grown('redis_pool_hold_seconds_sum', { pool }) * leases) / all : 0,
      excess: grown('redis_pool_closes_total', { ...own, reason: 'excess' }),
      errors,
    };
  });
}

/** @param {Metrics} metrics @param {string} name @param {Record<string, string>} [labels] */
function sumOf(metrics, name, labels = {}) {
  const wanted = Object.entries(labels);
  const fitting = (metrics.get(name) ?? []).filter((one) =>
    wanted.every(([key, value]) => one.labels[key] === value),
  );
  return fitting.reduce((sum, { value }) => sum + value, 0);
}

/** Pools are summed; `cpuSeconds` and `lagP99Ms` are undefined where the service does not tell. @param {Metrics} metrics */
export function gaugesOf(metrics) {
  const state = (state) => sumOf(metrics, 'redis_pool_connections', { state });
  const cpu = metrics.get('process_cpu_seconds_total')?.[0]?.value;
  const lag = metrics.get('nodejs_eventloop_lag_p99_seconds')?.[0]?.value;
  return {
    inUse: state('in_use'),
    open: state('in_use') + state('idle') + state('connecting') + state('closing'),
    lanes: sumOf(metrics, 'redis_pool_lanes'),
    waiting: sumOf(metrics, 'redis_pool_waiting'),
    cpuSeconds: cpu,
    lagP99Ms: lag === undefined ? undefined : lag * 1000,
  };
}
