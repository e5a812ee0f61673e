import { DURATIONS, type DurationListener, type Timed, type TimedEvent } from '../../api/durations.ts';
import type { RedisPool } from '../../api/redis-pool.ts';
import { Batch } from './batch.ts';
import { listen } from './listen.ts';

/** Where the times of a pool go, in seconds. */
export type Sinks = Readonly<Record<TimedEvent, (seconds: number) => void>>;

/** The times of a pool on their way to `sinks`. */
export interface Flow {
  /** Hands on what has gathered; for the moment when somebody reads. */
  flush(event: TimedEvent): void;
  /** Hands on the rest, and ends. */
  stop(): void;
}

/** Lets how long waits, holds and dials of `pool` take flow to `sinks`. */
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

/** Adds `listener`; returns what takes it off. Somebody else's pool may know events alone. */
export function hearDurations(pool: RedisPool & Partial<Timed>, listener: DurationListener): () => void {
  if (pool[DURATIONS]) return pool[DURATIONS](listener);
  const { acquire, release, connect } = listener;
  return listen(pool, {
    ...(acquire && { acquire: ({ waitedMs }) => acquire(waitedMs) }),
    ...(release && { release: ({ heldMs }) => release(heldMs) }),
    ...(connect && { connect: ({ durationMs }) => connect(durationMs) }),
  });
}
