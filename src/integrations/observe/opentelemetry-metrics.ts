import type { Attributes, BatchObservableCallback, Meter, Observable } from '@opentelemetry/api';
import type { RedisPool } from '../../api/redis-pool.ts';
import type { PoolStats } from '../../api/stats.ts';
import { BUCKETS_S } from './buckets.ts';
import { type Flow, flow } from './durations.ts';
import { NodeStats } from './nodes.ts';

/** The attribute that identifies the pool. */
export const POOL_NAME = 'db.client.connection.pool.name';
const STATE = 'db.client.connection.state';
const COUNT = 'db.client.connection.count';
const TIMEOUTS = 'db.client.connection.timeouts';

/** Read from the pool: name, unit, description, value. The names that begin with `db` are semantic conventions. */
const READ: readonly (readonly [string, string, string, (stats: PoolStats) => number])[] = [
  ['db.client.connection.idle.max', '{connection}', 'Most connections kept idle.', (s) => s.maxIdle],
  ['db.client.connection.idle.min', '{connection}', 'Idle connections kept ready.', (s) => s.minIdle],
  ['db.client.connection.max', '{connection}', 'Most connections open at once.', (s) => s.maxActive],
  ['db.client.connection.pending_requests', '{request}', 'Queued callers.', (s) => s.waiting],
  [
    'bounded_redis_pool.sentinel_connections',
    '{connection}',
    'Sockets to sentinels.',
    (s) => s.sentinelConnections,
  ],
  ['bounded_redis_pool.lanes', '{lane}', 'Connections over which pool.redis sends.', (s) => s.lanes],
  ['bounded_redis_pool.commands.in_flight', '{command}', 'Sent, and not answered.', (s) => s.inFlight],
  ['bounded_redis_pool.commands.queued', '{command}', 'Waiting for a lane.', (s) => s.queuedCommands],
];

/** Reports `pool`: numbers when they are collected, durations in batches. Returns a function that ends that. */
export function measure(pool: RedisPool, meter: Meter): () => void {
  const attributes = Object.freeze({ [POOL_NAME]: pool.name });
  const times = timesOf(pool, meter, attributes);
  const all: Observable[] = [];
  const instrument = (kind: 'UpDownCounter' | 'Counter', name: string, unit: string, description: string) => {
    const made = meter[`createObservable${kind}`](name, { unit, description });
    all.push(made);
    return made;
  };
  const count = instrument('UpDownCounter', COUNT, '{connection}', 'Connections by state.');
  const timeouts = instrument('Counter', TIMEOUTS, '{timeout}', 'Acquires that ran into their deadline.');
  const read = READ.map(([name, unit, description, value]) => {
    return { instrument: instrument('UpDownCounter', name, unit, description), value };
  });
  const numbers = new NodeStats(pool);
  let before: ReadonlySet<string | undefined> = new Set();
  const observe: BatchObservableCallback = (result) => {
    for (const event of ['acquire', 'release', 'connect'] as const) times.flush(event);
    const now = new Map(numbers.read());
    const left = [...before].filter((node) => !now.has(node));
    before = new Set(now.keys());
    // The SDK repeats for ever what it was told last: of a node that has left, nothing.
    for (const [node, stats] of [...now, ...left.map((one) => [one, undefined] as const)]) {
      const own = node ? { ...attributes, ...serverOf(node) } : attributes;
      result.observe(count, stats?.idle ?? 0, { ...own, [STATE]: 'idle' });
      result.observe(count, stats?.inUse ?? 0, { ...own, [STATE]: 'used' });
      result.observe(timeouts, stats?.timedOut ?? 0, own);
      for (const { instrument, value } of read) result.observe(instrument, stats ? value(stats) : 0, own);
    }
  };
  meter.addBatchObservableCallback(observe, all);
  return () => {
    meter.removeBatchObservableCallback(observe, all);
    times.stop();
  };
}

/** Records the durations of a pool, in seconds. */
function timesOf(pool: RedisPool, meter: Meter, attributes: Attributes): Flow {
  const times = (name: string, description: string) => {
    const histogram = meter.createHistogram(name, {
      ...{ unit: 's', description },
      // The default bounds are meant for milliseconds.
      advice: { explicitBucketBoundaries: [...BUCKETS_S] },
    });
    return (seconds: number): void => histogram.record(seconds, attributes);
  };
  return flow(pool, {
    acquire: times('db.client.connection.wait_time', 'Time from acquire to lease.'),
    release: times('db.client.connection.use_time', 'Time that leases were held.'),
    connect: times('db.client.connection.create_time', 'Time of connects that succeeded.'),
  });
}

/** A node of a cluster, by the names of the conventions. */
function serverOf(node: string): Attributes {
  const colon = node.lastIndexOf(':');
  const address = node.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { 'server.address': address, 'server.port': Number(node.slice(colon + 1)) };
}
