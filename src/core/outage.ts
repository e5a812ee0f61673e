import { isTransient } from './transient.ts';

/**
 * Is it worth waiting for Redis to come back? As long as the outage is young, and its cause may pass by itself. Where
 * no connection has ever come about it is not: a wrong address must not look like a slow start.
 */
export class Outage {
  readonly #waitMs: number;
  #wasConnected = false;
  #lostAt = Number.NEGATIVE_INFINITY;
  #since: number | undefined;
  #mayPass = false;

  /** `waitMs`: for how long from its beginning on an outage is waited out. */
  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Since when nobody can connect; `undefined`: there is no outage. */
  get since(): number | undefined {
    return this.#since;
  }

  /** Tells that a dial ended in a connection. */
  connected(): void {
    this.#wasConnected = true;
    this.#since = undefined;
  }

  /** Tells that a connection died `now`. */
  lost(now: number): void {
    this.#lostAt = now;
  }

  /**
   * Tells that no connection is open, and that a dial begun at `startedAt` failed. Where connections were lost after
   * that, the outage began with them: not before a dial failed, though, is it known to be one.
   */
  failed(error: Error, startedAt: number): void {
    this.#since ??= Math.max(startedAt, this.#lostAt);
    this.#mayPass = isTransient(error);
  }

  /** For how much longer it is waited out; 0 or less: nobody waits. Milliseconds. */
  patience(now: number): number {
    if (this.#since === undefined || !this.#wasConnected || !this.#mayPass) return 0;
    return this.#since + this.#waitMs - now;
  }
}
