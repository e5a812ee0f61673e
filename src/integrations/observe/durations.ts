import { DURATIONS, type DurationListener, type Timed, type TimedEvent } from '../../api/durations.ts';
import type { RedisPool } from '../../api/redis-pool.ts';
import { Batch } from './batch.ts';
import { listen } from './listen.ts';

/** Receive the durations of a pool, in seconds. */
export type Sinks = Readonly<Record<TimedEvent, (seconds: number) => void>>;

/** Passes the durations of a pool on, in batches. */
export interface Flow {
  /** Passes on what was collected; to be called before the metrics are read. */
  flush(event: TimedEvent): void;
  /** Passes on the rest, and stops listening. */
  stop(): void;
}

/** Passes the durations of waits, leases and connects of `pool` to `sinks`. */
export function flow(pool: RedisPool, sinks: Sinks): Flow {
  const batch = (event: TimedEvent): Batch => new Batch((ms) => sinks[event](ms / 1000));
  const batches = { acquire: batch('acquire'), release: batch('release'), connect: batch('connect') };
  const end = hearDurations(pool, {
    acquire: (ms) => batches.acquire.add(ms),
    release: (ms) => batches.release.add(ms),
    connect: (ms) => batches.connect.add(ms),
  });
  return {
    flush: (event) => batches[event].flush(),
    stop: () => {
      end();
      for (const one of Object.values(batches)) one.flush();
    },
  };
}

/** Adds `listener`; returns a function that removes it. Another implementation of RedisPool may have events only. */
export function hearDurations(pool: RedisPool & Partial<Timed>, listener: DurationListener): () => void {
  if (pool[DURATIONS]) return pool[DURATIONS](listener);
  const { acquire, release, connect } = listener;
  return listen(pool, {
    ...(acquire && { acquire: ({ waitedMs }) => acquire(waitedMs) }),
    ...(release && { release: ({ heldMs }) => release(heldMs) }),
    ...(connect && { connect: ({ durationMs }) => connect(durationMs) }),
  });
}
