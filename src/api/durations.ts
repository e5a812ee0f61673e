/**
 * The key of a method on pools that tells how long things took, for adapters that want nothing else. It costs far less
 * than the events, which carry a snapshot each. A symbol that all copies of this library share.
 */
export const DURATIONS: unique symbol = Symbol.for('bounded-redis-pool.durations') as never;

/** What is told: by the event that tells the same. Milliseconds. */
export type TimedEvent = 'acquire' | 'release' | 'connect';

/** Hears how long waits, holds and dials took. Must not throw. */
export interface DurationListener extends Readonly<Partial<Record<TimedEvent, (ms: number) => void>>> {
  /** It is to be called in the async context of whoever acquired. */
  readonly inCallersContext?: true;
}

/** A pool that has the method; it returns what takes the listener off again. */
export interface Timed {
  [DURATIONS](listener: DurationListener): () => void;
}
