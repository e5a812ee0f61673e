import type { BatchObservableCallback, Meter } from '@opentelemetry/api';
import type { RedisPool } from '../redis-pool.ts';
import { BUCKETS_S } from './buckets.ts';
import type { Listeners } from './listen.ts';

/** The attribute that tells pools apart. */
export const POOL_NAME = 'db.client.connection.pool.name';
const STATE = 'db.client.connection.state';

/** What is read from the pool when the reader asks. Returns what ends that. */
export function countersOf(pool: RedisPool, meter: Meter): () => void {
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
  const idle = Object.freeze({ ...attributes, [STATE]: 'idle' });
  const used = Object.freeze({ ...attributes, [STATE]: 'used' });
  const read: BatchObservableCallback = (result) => {
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
  return () => meter.removeBatchObservableCallback(read, all);
}

/** What is told by events: how long things took, in seconds. */
export function histogramsOf(pool: RedisPool, meter: Meter): Listeners {
  const times = (name: string, description: string) =>
    meter.createHistogram(name, {
      ...{ unit: 's', description },
      // The default bounds are meant for milliseconds.
      advice: { explicitBucketBoundaries: [...BUCKETS_S] },
    });
  const waits = times('db.client.connection.wait_time', 'Time from acquire to lease.');
  const uses = times('db.client.connection.use_time', 'Time that leases were held.');
  const creates = times('db.client.connection.create_time', 'Time of dials that ended in a connection.');
  const attributes = Object.freeze({ [POOL_NAME]: pool.name });
  return {
    acquire: ({ waitedMs }) => waits.record(waitedMs / 1000, attributes),
    release: ({ heldMs }) => uses.record(heldMs / 1000, attributes),
    connect: ({ durationMs }) => creates.record(durationMs / 1000, attributes),
  };
}
