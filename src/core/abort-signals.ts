import { inspect } from 'node:util';
import { invalidOption } from '../api/errors.ts';
import { warnThrown } from '../util/warn.ts';

/** The callbacks that wait for one signal. */
interface Watch {
  readonly waiting: Set<() => void>;
  readonly told: () => void;
}

/** One listener for each signal, however many callers use it: all of them use that of a shut-down. */
const WATCHED = new WeakMap<AbortSignal, Watch>();

/**
 * Throws `POOL_INVALID_OPTION` if `signal` is no signal. Signals of other realms, and polyfills without a `reason`, are
 * accepted: it needs `aborted`, and methods to add and to remove a listener.
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
 * Calls `told` when `signal` is aborted, at once if it is aborted already. Returns a function that cancels this. Both
 * are O(1). Throws what the signal throws.
 */
export function onAbort(signal: AbortSignal, told: () => void): () => void {
  const watch = WATCHED.get(signal) ?? begin(signal);
  watch.waiting.add(told);
  if (signal.aborted) watch.told();
  return () => {
    if (watch.waiting.delete(told) && watch.waiting.size === 0) end(signal, watch);
  };
}

/** The reason of an aborted signal. Polyfills may have none; then it is Node's default reason. */
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
      // Only the present callbacks: one that is added again meanwhile finds the signal aborted.
      const all = [...waiting];
      waiting.clear();
      for (const told of all) told();
    },
  };
  signal.addEventListener('abort', watch.told);
  WATCHED.set(signal, watch);
  return watch;
}

/** The signal is user code: its throw must not come out of the code that ended the wait. */
function end(signal: AbortSignal, watch: Watch): void {
  if (WATCHED.get(signal) === watch) WATCHED.delete(signal);
  try {
    signal.removeEventListener('abort', watch.told);
  } catch (error) {
    warnThrown('an AbortSignal threw', error);
  }
}
