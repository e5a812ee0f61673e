import { ignore } from './watched-command.ts';

/** The part of ioredis' Script that is needed here. */
interface Script {
  Command: ScriptCommand;
  execute(container: object, args: unknown[], options: object, callback?: unknown): unknown;
}
type ScriptCommand = new (
  ...args: unknown[]
) => {
  promise: Promise<unknown>;
  name: string;
  toWritable(socket: object): string | Buffer;
};

/**
 * Sends the commands of a script with EVAL and the whole script when they are sent again after NOSCRIPT. ioredis
 * remembers for each socket whether it has sent the script there; the second attempt may use another socket, on which
 * the script was sent before SCRIPT FLUSH, and would fail again.
 */
export function withForcedEval(script: object | undefined): void {
  const { Command, execute } = (script ?? {}) as Partial<Script>;
  if (typeof Command !== 'function' || typeof execute !== 'function') return; // another ioredis: left as it is
  (script as Script).execute = (container, args, options, callback) => {
    const sent = execute.call(script, container, args, options, callback);
    if (typeof callback === 'function') ignore(sent); // the caller gets an error there
    return sent;
  };
  (script as Script).Command = class extends Command {
    readonly #made = this.promise;

    override toWritable(socket: object): string | Buffer {
      // ioredis handles a rejection of the first attempt, and so replaces its promise; not that of the second.
      const again = this.promise === this.#made;
      const written = super.toWritable(socket); // also records that this socket has the script from now on
      return again && this.name !== 'eval' ? super.toWritable({}) : written;
    }
  };
}
