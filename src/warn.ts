import { inspect } from 'node:util';

/** Tells whoever runs the process, in one line. */
export function warn(text: string): void {
  process.emitWarning(text, 'PoolWarning');
}

/** Reports what somebody else's code threw, and the pool goes on. */
export function warnThrown(what: string, thrown: unknown): void {
  warn(`${what}: ${inspect(thrown).split('\n', 1)[0]}`);
}
