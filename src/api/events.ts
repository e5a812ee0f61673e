import type { CloseReason, PoolStats } from './stats.ts';

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

/** The names of all events: what `hooks` may hold, and `on` may listen to. */
export const EVENT_NAMES = [
  ...(['acquire', 'release', 'wait', 'timeout', 'abort', 'exhausted', 'connecting', 'connect'] as const),
  ...(['connectError', 'close', 'leak', 'clear', 'drain'] as const),
] satisfies PoolEventName[];

/** A listener for one event. A throw is reported with `process.emitWarning` and hurts nobody. */
export type PoolListener<E extends PoolEventName> = (event: PoolEvents[E]) => void;
