import type { Redis } from 'ioredis';
import type { PoolEventName, PoolListener } from './events.ts';
import type { Lease } from './lease.ts';
import type { HealthOptions, PoolHealth, PoolStats } from './stats.ts';

/** Options of one `acquire()` or `use()`. */
export interface AcquireOptions {
  /** When it is aborted, the acquire rejects with the signal's reason. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Replaces `acquireTimeoutMs` for this call. Milliseconds; `Infinity` waits for ever. Default: `acquireTimeoutMs`.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Which key it is for: a `ClusterPool` lends a connection of the node that owns it. With a `keyPrefix`, the key without
   * it. A `Pool` ignores it. Default: none; a `ClusterPool` requires it.
   */
  readonly key?: string | Buffer | undefined;
}

/** Options of `ready()`. */
export interface ReadyOptions {
  /**
   * Tries again until then, to start together with Redis; a cause that waiting cannot mend, such as a wrong password or
   * an unknown host, rejects at once all the same. Milliseconds, from 0; `Infinity` tries for ever. Default: the first
   * connect that fails rejects, and the deadline is `acquireTimeoutMs`.
   */
  readonly timeoutMs?: number | undefined;
  /** When it is aborted, `ready()` rejects with the signal's reason. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `close()`. */
export interface CloseOptions {
  /** How long leases may go on before their connections are closed. Milliseconds, from 0. Default: 5000. */
  readonly graceMs?: number | undefined;
}

/**
 * A bounded pool of Redis connections. User code should depend on this interface, so that it can be tested with another
 * implementation.
 */
export interface RedisPool extends AsyncDisposable {
  /** Option `name`: the label of the pool in errors, events and metrics. */
  readonly name: string;
  /**
   * Ordinary commands, multiplexed over as few of the pool's connections as the load needs; usable wherever an ioredis
   * client is expected. Commands with a key in common take effect in the order in which they were given, and one that
   * is not read-only and whose keys are not known keeps its order with all (`maxLanes: 1`: total order). Commands that
   * leave state on their connection reject with `POOL_STATEFUL_COMMAND`: `use()` is for those. A blocking command gets
   * a dedicated connection until it ends. What `defineCommand` adds here is there on leases acquired afterwards too.
   */
  readonly redis: Redis;
  /**
   * Takes a connection for your exclusive use. Whoever holds one and asks for another may wait for itself: see
   * docs/outages.md.
   *
   * @throws {PoolError} `POOL_EXHAUSTED`, `POOL_ACQUIRE_TIMEOUT`, `POOL_CONNECT_FAILED`, `POOL_CLOSED`, or
   * the reason of `signal`.
   * @example
   * const redis = await pool.acquire({ timeoutMs: 200 });
   * try {
   *   await redis.blpop('jobs', 1);
   * } finally {
   *   redis.release();
   * }
   */
  acquire(options?: AcquireOptions): Promise<Lease>;
  /**
   * Acquires, runs `work`, and always releases. After an application error (WRONGTYPE, a throw of yours) the connection
   * is kept; a broken one is closed.
   *
   * @throws {PoolError} what `acquire()` throws, or what `work` throws
   * @example
   * const left = await pool.use(async (redis) => {
   *   await redis.watch('stock');
   *   const stock = Number(await redis.get('stock'));
   *   return (await redis.multi().set('stock', stock - 1).exec()) ? stock - 1 : undefined;
   * });
   */
  use<T>(work: (redis: Lease) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T>;
  /**
   * A snapshot, safe to take at any time.
   *
   * @example
   * const { inUse, maxActive, waiting } = pool.stats();
   * console.log(`${inUse} of ${maxActive} in use, ${waiting} waiting`);
   */
  stats(): PoolStats;
  /**
   * Whether Redis replies, for a readiness endpoint. Sends PING over a connection that is open already, without taking
   * it from its borrower, or connects one that the pool keeps; never waits in the queue, and never rejects.
   *
   * @throws {PoolError} `POOL_INVALID_OPTION`, for a wrong option alone
   * @example
   * const { ok, latencyMs, error } = await pool.health({ timeoutMs: 500 });
   * console.log(ok ? `answered in ${latencyMs} ms` : error);
   */
  health(options?: HealthOptions): Promise<PoolHealth>;
  /**
   * Marks every present connection as stale: idle ones are closed now, leased ones on release. For after a failover, a
   * changed password, a new DNS record.
   *
   * @example
   * pool.clear();
   */
  clear(): void;
  /**
   * Connects until `minIdle` connections (at least one) are open, or rejects with the connect error: to fail fast at
   * start-up. With `timeoutMs` it tries again until then, and rejects with the last connect error.
   *
   * @throws {PoolError} `POOL_CONNECT_FAILED`, `POOL_ACQUIRE_TIMEOUT`, `POOL_CLOSED`, `POOL_INVALID_OPTION`, or the
   * reason of `signal`.
   * @example
   * await pool.ready({ timeoutMs: 30_000 });
   */
  ready(options?: ReadyOptions): Promise<void>;
  /**
   * Refuses new work, rejects all waiting callers at once, waits up to `graceMs` for leases, then closes their
   * connections. When it resolves, no socket, timer or listener of the pool is left. Idempotent; a later call may
   * shorten the grace.
   *
   * @throws {PoolError} `POOL_INVALID_OPTION`
   * @example
   * await pool.close({ graceMs: 2000 });
   */
  close(options?: CloseOptions): Promise<void>;
  /**
   * Adds a listener for an event of the pool; {@link PoolEvents} has them. Listeners are called at once, in the order in
   * which they were added. What one throws is reported as a process warning.
   *
   * @throws {PoolError} `POOL_INVALID_OPTION`, also for a name that is no event
   * @example
   * pool.on('connectError', ({ error, pool: name }) => console.warn(`${name}: ${error.message}`));
   */
  on<E extends PoolEventName>(event: E, listener: PoolListener<E>): this;
  /**
   * Adds a listener for the next event of this name only.
   *
   * @throws {PoolError} `POOL_INVALID_OPTION`
   * @example
   * pool.once('drain', () => console.log('closed'));
   */
  once<E extends PoolEventName>(event: E, listener: PoolListener<E>): this;
  /**
   * Removes a listener; of one that was added several times, the one added last.
   *
   * @throws {PoolError} `POOL_INVALID_OPTION`
   * @example
   * const told = () => console.log('a caller waits');
   * pool.on('wait', told).off('wait', told);
   */
  off<E extends PoolEventName>(event: E, listener: PoolListener<E>): this;
  /**
   * Another name of `off`.
   *
   * @throws {PoolError} `POOL_INVALID_OPTION`
   * @example
   * const told = () => console.log('a caller waits');
   * pool.on('wait', told).removeListener('wait', told);
   */
  removeListener<E extends PoolEventName>(event: E, listener: PoolListener<E>): this;
}
