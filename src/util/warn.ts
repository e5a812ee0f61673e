import { inspect } from 'node:util';

/** Tells whoever runs the process, in one line. */
export function warn(text: string): void {
  process.emitWarning(text, 'PoolWarning');
}

/** Reports what somebody else's code threw, and the pool goes on. */
export function warnThrown(what: string, thrown: unknown): void {
  let shown = 'what cannot even be shown';
  try {
    shown = inspect(thrown).split('\n', 1)[0] ?? '';
  } catch {
    // Somebody else's code once more: a getter, or an inspect of its own.
  }
  warn(`${what}: ${shown}`);
}
