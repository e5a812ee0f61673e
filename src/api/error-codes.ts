/** What went wrong, stable across versions: switch on this, not on the message. */
export type PoolErrorCode =
  /**
   * All connections are in use, and the caller must not wait: `wait: false`, or `maxWaiting` callers wait already. Or
   * `maxQueuedCommands` commands, or `maxQueuedBytes` bytes of arguments, of `pool.redis` are queued already.
   */
  | 'POOL_EXHAUSTED'
  /** The acquire deadline passed. */
  | 'POOL_ACQUIRE_TIMEOUT'
  /** The connect failed; `cause` is the real error. */
  | 'POOL_CONNECT_FAILED'
  /** The connection was lost while a command waited for its reply. */
  | 'POOL_CONNECTION_LOST'
  /** The pool is closing or closed. */
  | 'POOL_CLOSED'
  /** A command on a lease that was released. */
  | 'POOL_LEASE_RELEASED'
  /** A command on `pool.redis`, which shares connections, that leaves state on its connection or refers to it. */
  | 'POOL_STATEFUL_COMMAND'
  /** An option is wrong or unknown. */
  | 'POOL_INVALID_OPTION';

/** The shortest of what to do, with which the message of an error ends. Those without have said it. */
export const WHAT_TO_DO: Readonly<Partial<Record<PoolErrorCode, string>>> = {
  POOL_EXHAUSTED: 'shed load',
  POOL_ACQUIRE_TIMEOUT: 'hold leases for less time, or shed load',
  POOL_CONNECT_FAILED: 'see its cause',
  POOL_CONNECTION_LOST: 'send again only what may run twice',
  POOL_CLOSED: 'make a new pool',
  POOL_LEASE_RELEASED: 'await all work before release()',
};
