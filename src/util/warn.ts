import { inspect } from 'node:util';

/** Emits a process warning. */
export function warn(text: string): void {
  process.emitWarning(text, 'PoolWarning');
}

/** Emits a warning for something that user code threw; the pool goes on. */
export function warnThrown(what: string, thrown: unknown): void {
  let shown = 'what cannot even be shown';
  try {
    shown = inspect(thrown).split('\n', 1)[0] ?? '';
  } catch {
    // User code again: a getter, or a custom inspect method.
  }
  warn(`${what}: ${shown}`);
}
