import { isTransient } from './transient.ts';

/**
 * Decides whether callers wait for Redis to come back: as long as the outage is young and its cause is transient, and
 * only if the pool was ever connected, because a wrong address must not look like a slow start.
 */
export class Outage {
  readonly #waitMs: number;
  #wasConnected = false;
  #lostAt = Number.NEGATIVE_INFINITY;
  #since: number | undefined;
  #cause: Error | undefined;
  #transient = false;

  /** `waitMs`: for how long an outage is waited out, from its beginning. */
  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** When the outage began; `undefined` if there is none. */
  get since(): number | undefined {
    return this.#since;
  }

  /** The error of the last dial that failed in this outage. */
  get cause(): Error | undefined {
    return this.#cause;
  }

  /** A dial succeeded. */
  connected(): void {
    this.#wasConnected = true;
    this.#since = undefined;
    this.#cause = undefined;
  }

  /** A connection was lost `now`. */
  lost(now: number): void {
    this.#lostAt = now;
  }

  /**
   * No connection is open, and a dial that was started at `startedAt` failed. The outage began with that dial, or with
   * the loss of a connection after its start: a loss alone is no outage, because nobody has tried to connect since.
   */
  failed(error: Error, startedAt: number): void {
    this.#since ??= Math.max(startedAt, this.#lostAt);
    this.#cause = error;
    this.#transient = isTransient(error);
  }

  /** For how much longer callers wait; 0 or less: they do not. Milliseconds. */
  patience(now: number): number {
    if (this.#since === undefined || !this.#wasConnected || !this.#transient) return 0;
    return this.#since + this.#waitMs - now;
  }
}
