import { inspect } from 'node:util';

/** Reports what somebody else's code threw, and the pool goes on: as a process warning, in one line. */
export function warn(what: string, thrown: unknown): void {
  process.emitWarning(`${what}: ${inspect(thrown).split('\n', 1)[0]}`, 'PoolWarning');
}
