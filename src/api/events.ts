import type { CloseReason, PoolStats } from './stats.ts';

/** What every event carries. */
export interface PoolEvent {
  /** The pool's name. */
  readonly pool: string;
  /** Which node of the cluster it is about; of a `ClusterPool` alone. */
  readonly node?: string;
  /** A snapshot of just after what the event reports. */
  readonly stats: PoolStats;
}

/** What an event about one connection carries in addition. */
export interface ConnectionEvent extends PoolEvent {
  /** Which of the pool's connections, numbered from 1 in the order of `connecting`. Failed connects use numbers too. */
  readonly connectionId: number;
}

/** The events by name, with what each carries. Times are milliseconds. */
export interface PoolEvents {
  /** A connection was leased. `connected`: it is new, nobody had used it before. */
  acquire: ConnectionEvent & { readonly waitedMs: number; readonly connected: boolean };
  /** A lease was released. */
  release: ConnectionEvent & { readonly heldMs: number };
  /** A caller found no free slot and is queued. */
  wait: PoolEvent & { readonly waiting: number };
  /** A caller's deadline passed while it waited. */
  timeout: PoolEvent & { readonly waitedMs: number };
  /** A caller's signal was aborted while it waited. */
  abort: PoolEvent & { readonly waitedMs: number };
  /** A caller was refused: no slot is free, and it must not wait. */
  exhausted: PoolEvent & { readonly waiting: number };
  /** A connect starts. */
  connecting: ConnectionEvent;
  /** A connect succeeded. */
  connect: ConnectionEvent & { readonly durationMs: number };
  /** A connect failed. */
  connectError: ConnectionEvent & { readonly error: Error; readonly durationMs: number };
  /** A connection is being closed. `uses`: how many times it was lent. */
  close: ConnectionEvent & { readonly reason: CloseReason; readonly ageMs: number; readonly uses: number };
  /**
   * A lease is held for longer than `leakThresholdMs`, or was dropped without release. `stack`: where it was
   * acquired, if `leakThresholdMs` is on. Emitted once more, not counted, if it is released after all: `returned`.
   */
  leak: ConnectionEvent & { readonly heldMs: number; readonly stack: string; readonly returned: boolean };
  /** `clear()` was called. */
  clear: PoolEvent;
  /** The whole pool is closed; its last event. */
  drain: PoolEvent;
}

/** The name of an event. */
export type PoolEventName = keyof PoolEvents;

/** The names of all events: what `hooks` may hold, and `on` may listen to. */
export const EVENT_NAMES = [
  ...(['acquire', 'release', 'wait', 'timeout', 'abort', 'exhausted', 'connecting', 'connect'] as const),
  ...(['connectError', 'close', 'leak', 'clear', 'drain'] as const),
] satisfies PoolEventName[];

/** A listener for one event. A throw is reported with `process.emitWarning` and has no other effect. */
export type PoolListener<E extends PoolEventName> = (event: PoolEvents[E]) => void;
