/** What went wrong, stable across versions: switch on this, not on the message. */
export type PoolErrorCode =
  /**
   * All connections are in use, and the caller must not wait: `wait: false`, or `maxWaiting` wait already; or
   * `maxQueuedCommands` commands, or `maxQueuedBytes` of arguments, wait for a lane.
   */
  | 'POOL_EXHAUSTED'
  /** The acquire deadline passed. */
  | 'POOL_ACQUIRE_TIMEOUT'
  /** The dial failed; `cause` is the real error. */
  | 'POOL_CONNECT_FAILED'
  /** The connection died under a command. */
  | 'POOL_CONNECTION_LOST'
  /** The pool is closing or closed. */
  | 'POOL_CLOSED'
  /** A command on a lease that was given back. */
  | 'POOL_LEASE_RELEASED'
  /** A command that leaves state on its connection, or speaks about it, on `pool.redis`, which shares connections. */
  | 'POOL_STATEFUL_COMMAND'
  /** An option is wrong or unknown. */
  | 'POOL_INVALID_OPTION';
