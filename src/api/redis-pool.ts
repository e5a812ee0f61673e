import type { Redis } from 'ioredis';
import type { PoolEventName, PoolListener } from './events.ts';
import type { Lease } from './lease.ts';
import type { HealthOptions, PoolHealth, PoolStats } from './stats.ts';

/** Options of one `acquire()` or `use()`. */
export interface AcquireOptions {
  /** Gives up when aborted; the acquire rejects with the signal's own reason. */
  readonly signal?: AbortSignal | undefined;
  /** Replaces `acquireTimeoutMs` for this call. Milliseconds; `Infinity` waits for ever. */
  readonly timeoutMs?: number | undefined;
}

/** Options of `close()`. */
export interface CloseOptions {
  /** How long leases may go on before their connections are cut. Milliseconds; default 5000. */
  readonly graceMs?: number | undefined;
}

/**
 * A bounded pool of Redis connections. User code should depend on this interface, so that it can be
 * tested with another implementation.
 */
export interface RedisPool extends AsyncDisposable {
  /** Option `name`: the label of the pool in errors, events and metrics. */
  readonly name: string;
  /**
   * Ordinary commands, multiplexed over as few of the pool's connections as the load needs: it goes where an ioredis
   * client goes. Commands with a key in common take effect in the order in which they were given, and one that is not
   * read-only and whose keys are not known keeps its order with all (`maxLanes: 1`: total order). Commands that leave
   * state on their connection reject with `POOL_STATEFUL_COMMAND`: `use()` is for those. Blocking ones take a connection
   * of their own for their time.
   */
  readonly redis: Redis;
  /**
   * Takes a connection for yourself.
   *
   * @throws {PoolError} `POOL_EXHAUSTED`, `POOL_ACQUIRE_TIMEOUT`, `POOL_CONNECT_FAILED`, `POOL_CLOSED`, or
   * the reason of `signal`.
   */
  acquire(options?: AcquireOptions): Promise<Lease>;
  /**
   * Acquires, runs `work`, and always releases. An application error (WRONGTYPE, a throw of yours) does
   * not cost the connection; a broken connection does.
   */
  use<T>(work: (redis: Lease) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T>;
  /** A snapshot, safe to take at any time. */
  stats(): PoolStats;
  /**
   * Whether Redis answers, for a readiness endpoint. Asks over a connection that is open anyway, without taking it
   * from anyone, or dials one that then belongs to all; never waits in the queue, and never rejects.
   *
   * @throws {PoolError} `POOL_INVALID_OPTION`
   */
  health(options?: HealthOptions): Promise<PoolHealth>;
  /**
   * Makes every present connection stale: idle ones close now, lent ones when they come back. For after a
   * failover, a changed password, a new DNS record.
   */
  clear(): void;
  /**
   * Dials until `minIdle` connections (at least one) are open, or rejects with the connect error: fail fast at
   * start-up.
   */
  ready(): Promise<void>;
  /**
   * Refuses new work, rejects every waiter at once, waits up to `graceMs` for leases, then cuts. When it
   * resolves, no socket, timer or listener of the pool is left. Idempotent; a later call may shorten the
   * grace.
   */
  close(options?: CloseOptions): Promise<void>;
  on<E extends PoolEventName>(event: E, listener: PoolListener<E>): this;
  once<E extends PoolEventName>(event: E, listener: PoolListener<E>): this;
  off<E extends PoolEventName>(event: E, listener: PoolListener<E>): this;
}
