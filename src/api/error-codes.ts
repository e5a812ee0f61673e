/** What went wrong, stable across versions: switch on this, not on the message. */
export type PoolErrorCode =
  /**
   * **When.** All connections are in use, and the caller must not wait: `wait: false`, or `maxWaiting` callers wait already.
   * Or `maxQueuedCommands` commands, or `maxQueuedBytes` bytes of arguments, of `pool.redis` are queued already.
   *
   * **Look at** the numbers in the message: who holds the leases, for how long (`leakThresholdMs` tells where they were
   * acquired), and at `cause`, which is there if connects failed last.
   *
   * **Do.** Shed load: answer 503. If it happens under ordinary load: send ordinary commands over `pool.redis`, hold leases for
   * less time, then raise `maxActive` (docs/sizing.md).
   */
  | 'POOL_EXHAUSTED'
  /**
   * **When.** The deadline of an acquire passed: `acquireTimeoutMs`, or `timeoutMs` of the call.
   *
   * **Look at** the numbers in the message. All in use, and the oldest lease held for long: somebody holds leases for too
   * long, or asks for a second connection while it holds one (docs/outages.md, nested use). Some connecting: connects are
   * slow, or fail, and `cause` says why.
   *
   * **Do.** Move work out of `use()`; within `use()` send everything over its lease. Shed load.
   */
  | 'POOL_ACQUIRE_TIMEOUT'
  /**
   * **When.** A connect failed while no connection was left, or one has failed just before and the back-off has not ended.
   *
   * **Look at** `cause`: the real socket, TLS or Redis error (`ECONNREFUSED`, `WRONGPASS`, `ENOTFOUND` …).
   *
   * **Do.** Mend what the cause says. The pool tries again by itself, at most 2 s later: answer 503 meanwhile.
   */
  | 'POOL_CONNECT_FAILED'
  /**
   * **When.** The connection was lost, or closed for a reply that was overdue, while a command waited for its reply; or a
   * command was given to a lease whose connection was lost before.
   *
   * **Look at** the message, which says whether the command may have run, and at `cause`.
   *
   * **Do.** Send again only what may run twice. `pool.redis` has sent what only reads again by itself. Acquire another lease.
   */
  | 'POOL_CONNECTION_LOST'
  /**
   * **When.** The pool is closing or closed.
   *
   * **Look at** who calls `close()`, and what still comes afterwards.
   *
   * **Do.** Stop what asks before you close the pool (docs/recipes.md, graceful shutdown). A closed pool stays closed: make a
   * new one.
   */
  | 'POOL_CLOSED'
  /**
   * **When.** A command on a lease that was released, or that `use()` has released because its function has ended.
   *
   * **Look at** the stack: a promise within `use()` that nobody awaits, or a lease that is kept in a variable.
   *
   * **Do.** Await all work before `release()`. It is a bug in the calling code; the command was not sent.
   */
  | 'POOL_LEASE_RELEASED'
  /**
   * **When.** A command on `pool.redis` that leaves state on its connection or is about its connection (WATCH, SELECT,
   * SUBSCRIBE, CLIENT SETNAME, WAIT …); or one that blocks, with `maxActive: 1`. Nothing of its pipeline was sent.
   *
   * **Look at** the name of the command in the message.
   *
   * **Do.** Send it, and what belongs to it, within `pool.use()`.
   */
  | 'POOL_STATEFUL_COMMAND'
  /**
   * **When.** An option or an argument is wrong or unknown; thrown by the constructor or the method that was given it.
   *
   * **Look at** the message: the option, what was given, what is allowed, and the name that was probably meant.
   *
   * **Do.** Correct it.
   */
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
