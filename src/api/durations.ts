/**
 * The key of a method on pools that reports durations only, for metrics adapters. It costs far less than the events,
 * each of which carries a snapshot. The symbol is shared by all copies of this library.
 */
export const DURATIONS: unique symbol = Symbol.for('bounded-redis-pool.durations') as never;

/** The durations that are reported, named after the events that carry the same numbers. Milliseconds. */
export type TimedEvent = 'acquire' | 'release' | 'connect';

/** Called with how long an acquire waited, a lease was held, a connect took. Must not throw. */
export interface DurationListener extends Readonly<Partial<Record<TimedEvent, (ms: number) => void>>> {
  /** `acquire` is to be called in the async context of the caller of `acquire()`. */
  readonly inCallersContext?: true;
}

/** A pool that has the method; it returns a function that removes the listener. */
export interface Timed {
  [DURATIONS](listener: DurationListener): () => void;
}
