import type { Redis } from 'ioredis';

/** Why a connection was closed. A closed set: safe as a metric label. */
export type CloseReason =
  /** It was idle for longer than `idleTimeoutMs`. */
  | 'idle'
  /** It reached its `maxLifetimeMs`. */
  | 'lifetime'
  /** It died, or failed a check. */
  | 'broken'
  /** It came back in a state that could not be undone cheaply and surely. */
  | 'dirty'
  /** It came back when `maxIdle` connections were idle already. */
  | 'excess'
  /** `clear()` was called after it was dialled. */
  | 'cleared'
  /** Its borrower called `destroy()`. */
  | 'destroyed'
  /** The pool was closed. */
  | 'poolClosed';

/**
 * A plain, frozen snapshot. At any time `total = inUse + idle + connecting + closing <= maxActive`,
 * and `connected = inUse + idle + the sum of closed`, connections being closed counted under their reason.
 */
export interface PoolStats {
  /** The bound: most connections open at once. */
  readonly maxActive: number;
  /** Connections that occupy a place: in use, idle, being dialled, or not yet fully closed. */
  readonly total: number;
  /** Lent, or being checked before they are lent. */
  readonly inUse: number;
  /** Connections over which `pool.redis` sends at the moment; they are among those in use. */
  readonly lanes: number;
  /** At rest, ready to be lent. */
  readonly idle: number;
  /** Dials under way. */
  readonly connecting: number;
  /** Being closed; they count until the socket is gone. */
  readonly closing: number;
  /**
   * Callers in the queue for whom no slot is free. One whose dial is under way or due, or whose slot is only being
   * closed, is not waiting.
   */
  readonly waiting: number;
  /** Leases handed out since the start. */
  readonly acquired: number;
  /** Acquires that ran into their deadline. */
  readonly timedOut: number;
  /** Acquires refused with `POOL_EXHAUSTED`. */
  readonly exhausted: number;
  /** Acquires given up through their signal. */
  readonly aborted: number;
  /** Dials that ended in a connection. */
  readonly connected: number;
  /** Dials that failed. */
  readonly connectFailed: number;
  /** Leases held for longer than `leakThresholdMs`, or dropped without release. */
  readonly leaked: number;
  /** Acquires that had to queue for a slot. */
  readonly waits: number;
  /** Time those spent in the queue, in all, whatever came of it. Milliseconds. */
  readonly waitMs: number;
  /** Connections closed, by reason. A dial that failed is in `connectFailed` instead. */
  readonly closed: Readonly<Record<CloseReason, number>>;
}

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
