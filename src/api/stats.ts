import type { PoolErrorCode } from './error-codes.ts';

/** Why a connection was closed. A closed set: safe as a metric label. */
export type CloseReason =
  /** It was idle for longer than `idleTimeoutMs`. */
  | 'idle'
  /** It reached its `maxLifetimeMs`. */
  | 'lifetime'
  /** It was lost, or failed validation. */
  | 'broken'
  /** It was released in a state that could not be reset cheaply and reliably. */
  | 'dirty'
  /** It was released when `maxIdle` connections were idle already. */
  | 'excess'
  /** `clear()` was called after its connect had started. */
  | 'cleared'
  /** It leads to a replica where a master is wanted, or elsewhere than sentinels say; or option `reconnectOnError` asked for another one. */
  | 'stale'
  /** Its borrower called `destroy()`. */
  | 'destroyed'
  /** The pool was closed. */
  | 'poolClosed';

/** The codes of errors that a pool makes after its constructor. */
export type CountedErrorCode = Exclude<PoolErrorCode, 'POOL_INVALID_OPTION'>;

/**
 * A plain, frozen snapshot: the present state, and counters since the start, which never decrease. At any time
 *
 * - `total = inUse + idle + connecting + closing <= maxActive`, and `lanes <= inUse`;
 * - `connected = inUse + idle +` the sum of `closed`, connections being closed counted under their reason.
 */
export interface PoolStats {
  /** Option `maxActive`: most connections open at once. */
  readonly maxActive: number;
  /** Option `maxIdle`: most idle connections. */
  readonly maxIdle: number;
  /** Option `minIdle`: idle connections kept ready. */
  readonly minIdle: number;
  /** Connections that occupy a slot: in use, idle, connecting, or not yet fully closed. */
  readonly total: number;
  /** Leased, used by `pool.redis`, or being validated before that. */
  readonly inUse: number;
  /** Connections over which `pool.redis` sends at the moment; they are among those in use. */
  readonly lanes: number;
  /** Commands of `pool.redis` that are sent over lanes and not answered. */
  readonly inFlight: number;
  /** Commands of `pool.redis` that are queued. Those of the current tick count. */
  readonly queuedCommands: number;
  /** Idle, ready to be lent. */
  readonly idle: number;
  /** Connects in progress. */
  readonly connecting: number;
  /** Closing; they count until the socket is closed. */
  readonly closing: number;
  /**
   * Sockets to sentinels over which the pool learns of failovers: 0 or 1. Not included in `total`; a sentinel that a
   * connect asks is part of that connect.
   */
  readonly sentinelConnections: number;
  /**
   * Callers in the wait queue for whom no slot is free. A caller for whom a connect is in progress or due, or whose
   * slot is only closing, does not count.
   */
  readonly waiting: number;
  /** Leases granted. */
  readonly acquired: number;
  /** Acquires whose deadline passed. */
  readonly timedOut: number;
  /** Acquires refused with `POOL_EXHAUSTED`. */
  readonly exhausted: number;
  /** Acquires aborted by their signal. */
  readonly aborted: number;
  /** Connects that succeeded. */
  readonly connected: number;
  /** Connects that failed. */
  readonly connectFailed: number;
  /** Leases held for longer than `leakThresholdMs`, or dropped without release. */
  readonly leaked: number;
  /** Acquires that were queued because no slot was free. */
  readonly waits: number;
  /** Total time that those were queued, whether they got a lease or not. Milliseconds. */
  readonly waitMs: number;
  /** Connections closed, by reason. A connect that failed counts in `connectFailed` instead. */
  readonly closed: Readonly<Record<CloseReason, number>>;
  /** Errors made, by code. Commands of `pool.redis` that fail together count as one. */
  readonly errors: Readonly<Record<CountedErrorCode, number>>;
}

/** Options of `health()`. */
export interface HealthOptions {
  /** How long the reply may take. Milliseconds, from 0. Default: 1000. */
  readonly timeoutMs?: number | undefined;
}

/** What `health()` found: a plain, frozen object. */
export interface PoolHealth {
  /**
   * Redis replied in time. Or all connections are in use, so that no PING was sent, and the first caller in the wait
   * queue has not waited for longer than the time given. `false` while Redis refuses writes with READONLY: the pool is
   * connected to a replica, and neither option `readOnly` nor Sentinel's `role: 'slave'` says that it should be.
   */
  readonly ok: boolean;
  /** How long the reply took, a connect included if one was needed. Milliseconds. Absent without a PING or a reply. */
  readonly latencyMs?: number;
  /** Present unless `ok`: why not, in one line without secrets. */
  readonly error?: string;
  /** A snapshot of just after the check. */
  readonly stats: PoolStats;
}

/** The numbers of a `ClusterPool`: those of all nodes together, and of each. Counts include nodes that have left. */
export interface ClusterPoolStats extends PoolStats {
  /** The pools of the nodes that were needed so far, by `host:port`. */
  readonly nodes: Readonly<Record<string, PoolStats>>;
}

/** Those of {@link PoolStats} that are of now; all others count since the start. */
export const PRESENT: ReadonlySet<string> = new Set<keyof PoolStats>([
  ...(['maxActive', 'maxIdle', 'minIdle', 'total', 'inUse', 'lanes', 'inFlight', 'queuedCommands'] as const),
  ...(['idle', 'connecting', 'closing', 'waiting', 'sentinelConnections'] as const),
]);
