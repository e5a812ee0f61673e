import type { Redis } from 'ioredis';

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
