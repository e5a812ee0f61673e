import type { PoolErrorCode } from './error-codes.ts';

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

/** The codes of errors that a pool makes once it is made. */
export type CountedErrorCode = Exclude<PoolErrorCode, 'POOL_INVALID_OPTION'>;

/**
 * A plain, frozen snapshot: what is now, and counts since the start, which never fall. At any time
 *
 * - `total = inUse + idle + connecting + closing <= maxActive`, and `lanes <= inUse`;
 * - `connected = inUse + idle +` the sum of `closed`, connections being closed counted under their reason.
 */
export interface PoolStats {
  /** The bound: most connections open at once. */
  readonly maxActive: number;
  /** Most connections kept idle. */
  readonly maxIdle: number;
  /** Idle connections kept ready. */
  readonly minIdle: number;
  /** Connections that occupy a place: in use, idle, being dialled, or not yet fully closed. */
  readonly total: number;
  /** Lent, or being checked before they are lent. */
  readonly inUse: number;
  /** Connections over which `pool.redis` sends at the moment; they are among those in use. */
  readonly lanes: number;
  /** Commands of `pool.redis` that are sent over lanes and not answered. */
  readonly inFlight: number;
  /** Commands of `pool.redis` that wait for a lane. Those of the present tick count. */
  readonly queuedCommands: number;
  /** Idle, ready to be lent. */
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
  /** Errors made, by code. Commands of `pool.redis` that fail together count as one. */
  readonly errors: Readonly<Record<CountedErrorCode, number>>;
}

/** Options of `health()`. */
export interface HealthOptions {
  /** How long the answer may take. Milliseconds; default 1000. */
  readonly timeoutMs?: number | undefined;
}

/** What `health()` found: a plain, frozen object. */
export interface PoolHealth {
  /**
   * Redis answered in time; or all connections are in use, so that nobody was asked, and the first in the queue has not
   * waited for longer than the time given.
   */
  readonly ok: boolean;
  /** How long the answer took; with a dial, if there had to be one. Milliseconds. Absent if nobody was asked or answered. */
  readonly latencyMs?: number;
  /** Why it is not ok, in one line without secrets; only then. */
  readonly error?: string;
  /** The pool after that. */
  readonly stats: PoolStats;
}
