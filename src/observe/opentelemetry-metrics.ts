import type { Attributes, BatchObservableCallback, Meter } from '@opentelemetry/api';
import type { RedisPool } from '../redis-pool.ts';
import { BUCKETS_S } from './buckets.ts';
import { type Flow, flow } from './durations.ts';

/** The attribute that tells pools apart. */
export const POOL_NAME = 'db.client.connection.pool.name';
const STATE = 'db.client.connection.state';

/** Reports the numbers of `pool`: counts when the reader asks, times as they come. Returns what ends that. */
export function measure(pool: RedisPool, meter: Meter): () => void {
  const counts = (name: string, unit: string, description: string) =>
    meter.createObservableUpDownCounter(name, { unit, description });
  const count = counts('db.client.connection.count', '{connection}', 'Connections by state.');
  const idleMax = counts('db.client.connection.idle.max', '{connection}', 'Most idle connections.');
  const idleMin = counts('db.client.connection.idle.min', '{connection}', 'Idle connections kept ready.');
  const max = counts('db.client.connection.max', '{connection}', 'Most connections open at once.');
  const pending = counts('db.client.connection.pending_requests', '{request}', 'Callers in line.');
  const timeouts = meter.createObservableCounter('db.client.connection.timeouts', {
    unit: '{timeout}',
    description: 'Acquires that ran into their deadline.',
  });
  const lanes = counts('bounded_redis_pool.lanes', '{lane}', 'Connections over which pool.redis sends.');
  const inFlight = counts('bounded_redis_pool.commands.in_flight', '{command}', 'Sent and not answered.');
  const queued = counts('bounded_redis_pool.commands.queued', '{command}', 'Waiting for a lane.');

  const attributes = Object.freeze({ [POOL_NAME]: pool.name });
  const times = timesOf(pool, meter, attributes);
  const idle = Object.freeze({ ...attributes, [STATE]: 'idle' });
  const used = Object.freeze({ ...attributes, [STATE]: 'used' });
  const read: BatchObservableCallback = (result) => {
    for (const event of ['acquire', 'release', 'connect'] as const) times.flush(event);
    const stats = pool.stats();
    result.observe(count, stats.idle, idle);
    result.observe(count, stats.inUse, used);
    result.observe(idleMax, stats.maxIdle, attributes);
    result.observe(idleMin, stats.minIdle, attributes);
    result.observe(max, stats.maxActive, attributes);
    result.observe(pending, stats.waiting, attributes);
    result.observe(timeouts, stats.timedOut, attributes);
    result.observe(lanes, stats.lanes, attributes);
    result.observe(inFlight, stats.inFlight, attributes);
    result.observe(queued, stats.queuedCommands, attributes);
  };
  const all = [count, idleMax, idleMin, max, pending, timeouts, lanes, inFlight, queued];
  meter.addBatchObservableCallback(read, all);
  return () => {
    meter.removeBatchObservableCallback(read, all);
    times.stop();
  };
}

/** How long things took, in seconds. */
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
    connect: times('db.client.connection.create_time', 'Time of dials that ended in a connection.'),
  });
}
