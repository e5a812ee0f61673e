import { inspect } from 'node:util';
import { invalidOption } from '../api/errors.ts';
import { warnThrown } from '../util/warn.ts';

/** Those who wait under one signal. */
interface Watch {
  readonly waiting: Set<() => void>;
  readonly told: () => void;
}

/** One listener for each signal, however many wait under it: under that of a shut-down, everyone does. */
const WATCHED = new WeakMap<AbortSignal, Watch>();

/**
 * Throws `POOL_INVALID_OPTION` if `signal` is none. Those of other realms, and polyfills without a `reason`, are signals
 * too: what counts is that it can be asked, listened to, and listened to no more.
 */
export function checkSignal(signal: unknown): void {
  const got = whyNoSignal(signal);
  if (got !== undefined) throw invalidOption(`option signal must be an AbortSignal, got ${got}`);
}

function whyNoSignal(value: unknown): string | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return inspect(value);
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  const lacks = [
    typeof aborted !== 'boolean' && '`aborted`',
    typeof addEventListener !== 'function' && '`addEventListener()`',
    typeof removeEventListener !== 'function' && '`removeEventListener()`',
  ].filter(Boolean);
  if (lacks.length === 0) return undefined;
  const hint = 'signal' in value ? ' (pass its `signal`)' : '';
  return `an object without ${lacks.join(' and ')}${hint}`;
}

/**
 * Calls `told` once `signal` is aborted, at once if it is by now; unless what is returned was called before. O(1), both.
 * Throws what the signal throws.
 */
export function onAbort(signal: AbortSignal, told: () => void): () => void {
  const watch = WATCHED.get(signal) ?? begin(signal);
  watch.waiting.add(told);
  if (signal.aborted) watch.told();
  return () => {
    if (watch.waiting.delete(told) && watch.waiting.size === 0) end(signal, watch);
  };
}

/** What a signal was aborted with. Polyfills tell no reason; then it is what Node's own would tell. */
export function reasonOf(signal: AbortSignal): unknown {
  let reason: unknown;
  try {
    reason = signal.reason;
  } catch (error) {
    return error;
  }
  return reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason;
}

function begin(signal: AbortSignal): Watch {
  const waiting = new Set<() => void>();
  const watch: Watch = {
    waiting,
    told: () => {
      end(signal, watch);
      // Only those who are here now: one that comes back at once finds the signal aborted.
      const all = [...waiting];
      waiting.clear();
      for (const told of all) told();
    },
  };
  signal.addEventListener('abort', watch.told);
  WATCHED.set(signal, watch);
  return watch;
}

/** It is somebody else's signal: what it throws now must not come out of whatever ended the wait. */
function end(signal: AbortSignal, watch: Watch): void {
  if (WATCHED.get(signal) === watch) WATCHED.delete(signal);
  try {
    signal.removeEventListener('abort', watch.told);
  } catch (error) {
    warnThrown('an AbortSignal threw', error);
  }
}
