import type { Redis, RedisOptions } from 'ioredis';
import type { PoolEventName, PoolListener } from './events.ts';

/**
 * What `createClient` is given. ioredis 6 types a client by its reply mapping, so it is narrowed to the default one.
 */
export type ClientOptions = RedisOptions & { replyMapping?: 'legacy' };

/** What `testOnBorrow` is given besides the connection. */
export interface BorrowContext {
  /** How long the connection was idle. Milliseconds. */
  readonly idleMs: number;
  /** Aborted when the check has taken too long; its result is ignored from then on. */
  readonly signal: AbortSignal;
}

/**
 * The options of a pool. Counts are integers, times are milliseconds; `Infinity` turns a time off; 0 means zero,
 * never unlimited; `undefined` means the default. A wrong value or an unknown name throws `POOL_INVALID_OPTION`. Options
 * are read once, by the constructor, deeply and with what they inherit; ioredis' own are checked there too.
 *
 * @example
 * const sessions = new Pool({
 *   redis: { host: '127.0.0.1', port: 6379, keyPrefix: 'shop:' },
 *   name: 'sessions',
 *   maxActive: 20,
 *   minIdle: 2,
 *   acquireTimeoutMs: 2000,
 *   leakThresholdMs: 30_000,
 *   onConnect: async (redis) => void (await redis.ping()),
 *   testOnBorrow: async (redis, { idleMs }) => void (idleMs > 60_000 && (await redis.ping())),
 *   hooks: { leak: ({ stack }) => console.warn('held for long, acquired', stack) },
 * });
 * await sessions.close();
 */
export interface PoolOptions {
  /**
   * Where Redis is: a URL, or ioredis' own options (TLS, ACL user, sentinels, db, keyPrefix …). Of those the pool
   * itself sets lazyConnect, retryStrategy, enableOfflineQueue, autoResubscribe, autoResendUnfulfilledCommands,
   * enableAutoPipelining, sentinelRetryStrategy, failoverDetector (off: the pool observes sentinels over one socket),
   * connectTimeout and, unless given, connectionName and keepAlive (30 000). Commands of its `scripts` are on
   * `pool.redis` and on leases. With sentinels, each may take an equal
   * share of `connectTimeoutMs`, and one share is left for the server itself; your `connectTimeout` and
   * `sentinelCommandTimeout` apply if they leave a share for the rest.
   *
   * Your `reconnectOnError` is called with every error reply. If it returns a truthy value, the connection is replaced
   * as soon as it is released (close reason `stale`); with 2, `pool.redis` also sends the command again over another
   * connection. A lease does not. Set `readOnly` if the server is a replica on purpose: otherwise a write that is
   * refused with READONLY replaces all connections.
   *
   * Default: `redis://127.0.0.1:6379`.
   */
  readonly redis?: string | RedisOptions | undefined;
  /**
   * Makes the ioredis client of one connection: for subclasses, instrumentation, rotating credentials. A Cluster,
   * or a client that is connecting already, is refused; that, or a throw, fails the connect. `signal` is aborted when
   * the connect has ended without the client. Default: `(options) => new Redis(options)`.
   */
  readonly createClient?:
    | ((options: ClientOptions, context: { readonly signal: AbortSignal }) => Redis | PromiseLike<Redis>)
    | undefined;
  /**
   * Label in errors and events, and the connections' CLIENT SETNAME. Printable ASCII without spaces.
   * Default: `redis-pool`.
   */
  readonly name?: string | undefined;
  /** Most connections open at once; those in use, idle, connecting and closing all count. From 1. Default: 10. */
  readonly maxActive?: number | undefined;
  /** Most idle connections; one released beyond that is closed. 0 to `maxActive`. Default: `maxActive`. */
  readonly maxIdle?: number | undefined;
  /** Idle connections kept ready besides those in use; refilled while no caller waits. 0 to `maxIdle`. Default: 0. */
  readonly minIdle?: number | undefined;
  /**
   * When all connections are in use: wait for one (`true`), or reject at once with `POOL_EXHAUSTED` (`false`).
   * Default: `true`.
   */
  readonly wait?: boolean | undefined;
  /** Most callers waiting at once; the next one rejects with `POOL_EXHAUSTED`. From 0. Default: 1000. */
  readonly maxWaiting?: number | undefined;
  /**
   * One deadline for the whole acquire: wait queue, connect, validation and all retries. Then it rejects with
   * `POOL_ACQUIRE_TIMEOUT`. Milliseconds, from 0. Default: 5000.
   */
  readonly acquireTimeoutMs?: number | undefined;
  /**
   * Once the pool was connected and cannot connect any more: for how long, from the beginning of the outage, callers and
   * commands that are not sent yet wait for Redis to come back, within their own deadlines and all limits; after that
   * they are rejected at once with `POOL_CONNECT_FAILED`. 0 rejects at once, as does `wait: false`. A cause that waiting
   * cannot mend, such as a wrong password, rejects at once as well. Milliseconds, from 0. Default: 5000.
   */
  readonly outageWaitMs?: number | undefined;
  /**
   * Deadline of one connect, until commands may be sent (TLS, AUTH, SELECT included); one that takes longer fails.
   * Milliseconds, from 1. Default: 2000.
   */
  readonly connectTimeoutMs?: number | undefined;
  /** Most connections that are connecting at once. From 1. Default: 4. */
  readonly maxConnecting?: number | undefined;
  /**
   * A connection idle for longer is closed and never lent again, except the last `minIdle`, which are validated before
   * they are lent. Milliseconds, from 0. Default: 60 000.
   */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * A connection older than this, less a random 0 to 10 %, is closed as soon as it is idle. Milliseconds, from 1.
   * Default: 1 800 000 (30 minutes).
   */
  readonly maxLifetimeMs?: number | undefined;
  /**
   * How often idle connections are checked against `idleTimeoutMs` and `maxLifetimeMs`. Milliseconds, from 1.
   * Default: 10 000.
   */
  readonly reapIntervalMs?: number | undefined;
  /**
   * A connection idle for this long or longer is validated with a PING before it is lent. Milliseconds, from 0.
   * Default: 5000.
   */
  readonly checkAfterIdleMs?: number | undefined;
  /**
   * A connection of `pool.redis` whose oldest reply takes longer is closed; its commands reject with
   * `POOL_CONNECTION_LOST`. A blocking command's own time-out is added. Leases have
   * `leaseReplyTimeoutMs`. Milliseconds, from 1. Default: 10 000.
   */
  readonly replyTimeoutMs?: number | undefined;
  /**
   * A lease whose next reply takes longer is given up: its connection is closed, and its commands reject with
   * `POOL_CONNECTION_LOST`. A blocking command's own time-out is added; one that blocks for ever has no limit, nor has a
   * lease that waits for no reply, as a subscription. Checked each second, or ten times within a shorter time, so it may
   * take that much longer. Milliseconds, from 1. Default: 60 000.
   */
  readonly leaseReplyTimeoutMs?: number | undefined;
  /** Most connections that `pool.redis` multiplexes over at once; 1 keeps total order. From 1. Default: 4. */
  readonly maxLanes?: number | undefined;
  /** Most commands in flight on one connection of `pool.redis`; further ones are queued. From 1. Default: 10 000. */
  readonly maxInFlight?: number | undefined;
  /**
   * Most queued commands of `pool.redis`; the next one rejects with `POOL_EXHAUSTED`. A pipeline counts with all its
   * commands; one that is alone may be larger. From 1. Default: 50 000.
   */
  readonly maxQueuedCommands?: number | undefined;
  /**
   * Most bytes of arguments of `pool.redis` that are queued, or written and not yet taken by the socket; a command
   * beyond that rejects with `POOL_EXHAUSTED`. A single command or pipeline may be larger if nothing else is queued.
   * Text shorter than 256 characters counts by its length. From 1. Default: 67 108 864 (64 MiB).
   */
  readonly maxQueuedBytes?: number | undefined;
  /**
   * Your own validation of an idle connection that was used before, just before it is lent again; a throw closes the
   * connection, and the acquire goes on with another. Default: none.
   */
  readonly testOnBorrow?: ((redis: Redis, context: BorrowContext) => unknown) | undefined;
  /**
   * Prepares each new connection, within `connectTimeoutMs`; `signal` is aborted when that is over. A throw fails the
   * connect. Default: none.
   */
  readonly onConnect?: ((redis: Redis, context: { readonly signal: AbortSignal }) => unknown) | undefined;
  /**
   * A lease held for longer is reported once by the event `leak`, with the stack that acquired it. Milliseconds,
   * from 0. Default: `Infinity` (off).
   */
  readonly leakThresholdMs?: number | undefined;
  /** Listeners by event name, added before anything happens. Default: none. */
  readonly hooks?: { readonly [E in PoolEventName]?: PoolListener<E> | undefined } | undefined;
}

type Optional = 'testOnBorrow' | 'onConnect';

/** Options with every default filled in. */
export type ResolvedOptions = Readonly<
  { [K in Exclude<keyof PoolOptions, Optional>]-?: Exclude<PoolOptions[K], undefined> } & {
    [K in Optional]: PoolOptions[K];
  }
>;
