import {
  Counter,
  Gauge,
  register as globalRegister,
  Histogram,
  type Metric,
  type Registry,
} from 'prom-client';
import type { TimedEvent } from '../../api/durations.ts';
import { invalidOption } from '../../api/errors.ts';
import type { RedisPool } from '../../api/redis-pool.ts';
import { checkKeys } from '../../api/spelling.ts';
import type { ClusterPoolStats } from '../../api/stats.ts';
import { BUCKETS_S } from './buckets.ts';
import { type Flow, flow } from './durations.ts';
import { CodeCounts, errorCode, NONE_YET } from './error-code.ts';
import { listen } from './listen.ts';
import { NO_NODE, NodeStats } from './nodes.ts';
import { PULLED, PUSHED, type Pulled, type Reading } from './prometheus-metrics.ts';

/** Options of `collectPool()`. */
export interface CollectOptions {
  /** The registry to add the metrics to. Default: prom-client's global registry. */
  readonly register?: Registry | undefined;
  /** The prefix of the metrics' names. Letters, digits and underscores. Default: `redis_pool_`. */
  readonly prefix?: string | undefined;
}

const PREFIX = 'redis_pool_';

/** The metrics that several pools share, by registry and prefix. */
const families = new WeakMap<Registry, Map<string, Family>>();

/**
 * Adds the metrics of `pool` to a prom-client registry, with its name as the label `pool`. Gauges and counters are read
 * when the registry is collected; durations are reported by the pool. Returns a function that removes everything it has
 * added; `close()` of the pool does so too.
 *
 * @throws {PoolError} `POOL_INVALID_OPTION`, also if a pool or a metric of the same name is in the registry.
 * @example
 * import { collectPool } from 'bounded-redis-pool/prometheus';
 * import { register } from 'prom-client';
 *
 * const remove = collectPool(pool);
 * console.log(await register.metrics());
 * remove();
 */
export function collectPool(pool: RedisPool, options: CollectOptions = {}): () => void {
  checkKeys('option', options, ['register', 'prefix']);
  const { register = globalRegister, prefix = PREFIX } = options;
  if (typeof prefix !== 'string' || !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(prefix)) {
    throw invalidOption(
      `option prefix must be letters, digits and underscores, got ${JSON.stringify(prefix)}`,
    );
  }
  if (typeof register?.registerMetric !== 'function') {
    throw invalidOption('option register must be a Registry of prom-client');
  }
  const here = families.get(register) ?? new Map<string, Family>();
  families.set(register, here);
  let family = here.get(prefix);
  if (!family?.registered) family = new Family(register, prefix); // the registry may have been cleared
  const remove = family.add(pool);
  here.set(prefix, family);
  return remove;
}

type Histograms = Readonly<Record<TimedEvent, Histogram<'pool'>>>;

interface Member {
  readonly stats: NodeStats;
  readonly flow: Flow;
  /** By node; `undefined` is that of a pool of one server. */
  readonly dialErrors: Map<string | undefined, CodeCounts>;
}

/**
 * The metrics of one registry and prefix, and the pools that they report. They are registered while there is a pool.
 */
class Family {
  readonly #register: Registry;
  readonly #prefix: string;
  readonly #members = new Map<string, Member>();
  /** By their names in the registry. */
  readonly #metrics = new Map<string, Metric>();
  #histograms: Histograms | undefined;

  constructor(register: Registry, prefix: string) {
    this.#register = register;
    this.#prefix = prefix;
  }

  get registered(): boolean {
    return [...this.#metrics].every(([name, metric]) => this.#register.getSingleMetric(name) === metric);
  }

  /** Returns a function that removes it again. */
  add(pool: RedisPool): () => void {
    const { name } = pool;
    if (this.#members.has(name)) {
      throw invalidOption(
        `a pool called '${name}' is in this registry already: give each pool a name of its own (option name), ` +
          'or take the other one out first',
      );
    }
    this.#histograms ??= this.#makeMetrics();
    const member: Member = {
      stats: new NodeStats(pool),
      flow: this.#flow(pool, this.#histograms),
      dialErrors: new Map(),
    };
    this.#members.set(name, member);
    const remove = (): void => {
      if (this.#members.get(name) !== member) return;
      stop();
      member.flow.stop();
      this.#remove(name);
    };
    const stop = listen(pool, {
      connectError: ({ error, node: asked, stats }) => {
        const { nodes = {} } = stats as Partial<ClusterPoolStats>;
        const node = asked === undefined || Object.hasOwn(nodes, asked) ? asked : NO_NODE;
        const counts = member.dialErrors.get(node) ?? new CodeCounts();
        member.dialErrors.set(node, counts);
        counts.count(errorCode(error));
      },
      drain: remove,
    });
    return remove;
  }

  #flow(pool: RedisPool, histograms: Histograms): Flow {
    const sink = (event: TimedEvent) => {
      const labels = { pool: pool.name };
      histograms[event].zero(labels);
      const own = histograms[event].labels(labels);
      return (seconds: number): void => own.observe(seconds);
    };
    return flow(pool, { acquire: sink('acquire'), release: sink('release'), connect: sink('connect') });
  }

  #remove(name: string): void {
    this.#members.delete(name);
    for (const histogram of Object.values(this.#histograms ?? {})) histogram.remove({ pool: name });
    if (this.#members.size > 0) return;
    if (this.registered) for (const metric of this.#metrics.keys()) this.#register.removeSingleMetric(metric);
    this.#metrics.clear();
    this.#histograms = undefined;
  }

  #names(): string[] {
    return [...PULLED, ...Object.values(PUSHED)].map(({ name }) => this.#prefix + name);
  }

  #makeMetrics(): Histograms {
    const taken = this.#names().find((name) => this.#register.getSingleMetric(name));
    if (taken) {
      throw invalidOption(
        `a metric called '${taken}' is in this registry already: choose another name (option prefix)`,
      );
    }
    for (const metric of PULLED) this.#metrics.set(this.#prefix + metric.name, this.#pull(metric));
    return {
      acquire: this.#push('acquire'),
      release: this.#push('release'),
      connect: this.#push('connect'),
    };
  }

  #push(event: TimedEvent): Histogram<'pool'> {
    const { name, help } = PUSHED[event];
    const histogram = new Histogram({
      ...{ name: this.#prefix + name, help, labelNames: ['pool'] as const },
      ...{ buckets: [...BUCKETS_S], registers: [this.#register] },
      collect: () => {
        for (const member of this.#members.values()) member.flow.flush(event);
      },
    });
    this.#metrics.set(this.#prefix + name, histogram);
    return histogram;
  }

  #pull({ kind, name, help, label, read }: Pulled): Metric {
    const fill = (set: (labels: Record<string, string>, value: number) => void): void => {
      for (const [pool, member] of this.#members) {
        const all = member.stats.read();
        forgetLeft(member, new Set(all.map(([node]) => node)));
        for (const [node, stats] of all) {
          const reading = read(stats, dialErrors(member, node));
          const own = { pool, ...(node !== undefined && { node }) };
          for (const [labels, value] of spread(reading, label)) set({ ...own, ...labels }, value);
        }
      }
    };
    const config = {
      ...{ name: this.#prefix + name, help, registers: [this.#register] },
      labelNames: label === undefined ? ['pool', 'node'] : ['pool', 'node', label],
    };
    const Kind = kind === 'gauge' ? Gauge : Counter;
    const metric: Gauge | Counter = new Kind({
      ...config,
      collect: () => {
        metric.reset();
        fill((labels, value) => metric.inc(labels, value));
      },
    });
    return metric;
  }
}

/** There may be ever new nodes. */
function forgetLeft({ dialErrors: all }: Member, present: ReadonlySet<string | undefined>): void {
  for (const node of all.keys()) if (!present.has(node)) all.delete(node);
}

function dialErrors(member: Member, node: string | undefined): Readonly<Record<string, number>> {
  return { ...NONE_YET, ...member.dialErrors.get(node)?.all };
}

/** The values of a reading, each with its label. */
function spread(reading: Reading, label = ''): [Record<string, string>, number][] {
  if (typeof reading === 'number') return [[{}, reading]];
  return Object.entries(reading).map(([key, value]) => [{ [label]: key }, value]);
}
