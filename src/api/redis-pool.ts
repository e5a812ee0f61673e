import type { Redis } from 'ioredis';
import type { CloseReason, HealthOptions, PoolHealth, PoolStats } from './stats.ts';

export type { CloseReason, HealthOptions, PoolHealth, PoolStats };

/** What every event carries. */
export interface PoolEvent {
  /** The pool's name. */
  readonly pool: string;
  /** The pool just after what the event tells. */
  readonly stats: PoolStats;
}

/** What an event about one connection carries besides. */
export interface ConnectionEvent extends PoolEvent {
  /** Which of the pool's connections, numbered from 1 in order of dialling. Failed dials use numbers too. */
  readonly connectionId: number;
}

/** The events by name, with what each carries. Times are milliseconds. */
export interface PoolEvents {
  /** A lease was handed out. `connected`: over a connection that nobody had used before. */
  acquire: ConnectionEvent & { readonly waitedMs: number; readonly connected: boolean };
  /** A lease came back. */
  release: ConnectionEvent & { readonly heldMs: number };
  /** A caller found no free slot and queues. */
  wait: PoolEvent & { readonly waiting: number };
  /** A caller ran into its deadline. */
  timeout: PoolEvent & { readonly waitedMs: number };
  /** A caller's signal was aborted while it waited. */
  abort: PoolEvent & { readonly waitedMs: number };
  /** A caller was refused: nothing free, and it must not wait. */
  exhausted: PoolEvent & { readonly waiting: number };
  /** A dial starts. */
  connecting: ConnectionEvent;
  /** A dial ended in a connection. */
  connect: ConnectionEvent & { readonly durationMs: number };
  /** A dial failed. */
  connectError: ConnectionEvent & { readonly error: Error; readonly durationMs: number };
  /** A connection is being closed. `uses`: how many times it was lent. */
  close: ConnectionEvent & { readonly reason: CloseReason; readonly ageMs: number; readonly uses: number };
  /**
   * A lease is held for longer than `leakThresholdMs`, or was dropped without release. `stack`: where it was
   * acquired, if `leakThresholdMs` is on. Told once more, and not counted, if it comes back after all: `returned`.
   */
  leak: ConnectionEvent & { readonly heldMs: number; readonly stack: string; readonly returned: boolean };
  /** `clear()` was called. */
  clear: PoolEvent;
  /** The whole pool is closed; its last event. */
  drain: PoolEvent;
}

/** The name of an event. */
export type PoolEventName = keyof PoolEvents;

/** A listener for one event. A throw is reported with `process.emitWarning` and hurts nobody. */
export type PoolListener<E extends PoolEventName> = (event: PoolEvents[E]) => void;

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

/** What a subscribed lease hears. */
export interface LeaseMessage {
  /** By which kind of subscription: SUBSCRIBE, PSUBSCRIBE or SSUBSCRIBE. */
  readonly kind: 'message' | 'pmessage' | 'smessage';
  readonly channel: string;
  readonly message: string;
  /** The pattern, for `pmessage`. */
  readonly pattern?: string;
}

/**
 * One connection for yourself, until `release()`. It has ioredis' whole command surface. After release
 * every command on it rejects with `POOL_LEASE_RELEASED`; it can never reach the next borrower.
 */
export interface Lease extends Redis {
  /** Which of the pool's connections this is, numbered from 1 in order of dialling; for logs. */
  readonly connectionId: number;
  /** Gives the connection back. Idempotent, never throws. */
  release(): void;
  /** Ends the lease and closes the connection instead of keeping it. Idempotent, never throws. */
  destroy(): void;
  /**
   * The raw ioredis client, for libraries that need one. Once touched, the pool cannot vouch for the connection
   * any more, and closes it on release. (`client` is the command CLIENT.)
   */
  readonly raw: Redis;
  /**
   * What this lease is subscribed to, as an async iterator: ends with the lease, throws the reason of an aborted
   * `signal`, and `POOL_CONNECTION_LOST` when the connection dies.
   */
  messages(options?: { signal?: AbortSignal }): AsyncIterableIterator<LeaseMessage>;
  /** `release()`, for `using redis = await pool.acquire()`. */
  [Symbol.dispose](): void;
  /** `release()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
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
   * client goes. What one tick sends arrives in that order; beyond that, order holds as long as one lane is open
   * (always, with `maxLanes: 1`). Commands that leave state on their connection reject with `POOL_STATEFUL_COMMAND`:
   * `use()` is for those. Blocking ones take a connection of their own for their time.
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
   * from anyone, or dials one that then belongs to all; never stands in line, and never rejects.
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
   * Dials until `minIdle` connections (at least one) stand, or rejects with the connect error: fail fast at
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
