import type { Redis } from 'ioredis';

/** A message that a subscribed lease receives. */
export interface LeaseMessage {
  /** By which kind of subscription: SUBSCRIBE, PSUBSCRIBE or SSUBSCRIBE. */
  readonly kind: 'message' | 'pmessage' | 'smessage';
  /** The channel that it was published to. */
  readonly channel: string;
  /** What was published. */
  readonly message: string;
  /** The pattern, for `pmessage`. */
  readonly pattern?: string;
}

/**
 * One connection for your exclusive use, until `release()`. It has all of ioredis' commands. After release every
 * command on it rejects with `POOL_LEASE_RELEASED`, and never reaches the connection's next borrower.
 */
export interface Lease extends Redis {
  /** Which of the pool's connections this is, numbered from 1 in the order of `connecting`; for logs. */
  readonly connectionId: number;
  /**
   * Returns the connection to the pool. Idempotent, never throws. WATCH, MULTI and SELECT are undone; what cannot be
   * undone cheaply and surely (subscriptions, MONITOR, CLIENT REPLY, CLIENT TRACKING, a command that still blocks)
   * costs the connection.
   *
   * @example
   * const redis = await pool.acquire();
   * redis.release(); // or `using redis = await pool.acquire()`
   */
  release(): void;
  /**
   * Ends the lease and closes the connection instead of keeping it. Idempotent, never throws. `disconnect()` does the same.
   *
   * @example
   * const redis = await pool.acquire();
   * redis.destroy();
   */
  destroy(): void;
  /**
   * The raw ioredis client, for libraries that need one. Once you have read this property, the pool no longer knows the
   * state of the connection, and closes it on release. (`client` is the command CLIENT.)
   */
  readonly raw: Redis;
  /**
   * What this lease is subscribed to, as an async iterator: ends with the lease, throws the reason of an aborted
   * `signal`, and `POOL_CONNECTION_LOST` when the connection dies. After 1000 unread messages the socket is paused.
   *
   * @throws {PoolError} `POOL_LEASE_RELEASED`, `POOL_CONNECTION_LOST`
   * @example
   * await pool.use(async (redis) => {
   *   await redis.subscribe('news');
   *   await pool.redis.publish('news', 'hello');
   *   for await (const { channel, message } of redis.messages()) {
   *     console.log(channel, message);
   *     break;
   *   }
   * });
   */
  messages(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterableIterator<LeaseMessage>;
  /** `release()`, for `using redis = await pool.acquire()`. */
  [Symbol.dispose](): void;
  /** `release()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
