import { ignore } from './watched-command.ts';

/** As much of ioredis' script as is needed here. */
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
 * Has the commands of a script sent as a whole, with EVAL, when they are sent again after NOSCRIPT. ioredis remembers
 * for each socket whether it has sent the script there; the second attempt may go over another socket, on which it
 * was sent before SCRIPT FLUSH, and would fail again.
 */
export function withForcedEval(script: object | undefined): void {
  const { Command, execute } = (script ?? {}) as Partial<Script>;
  if (typeof Command !== 'function' || typeof execute !== 'function') return; // made in some other way: then it has to do as it is
  (script as Script).execute = (container, args, options, callback) => {
    const sent = execute.call(script, container, args, options, callback);
    if (typeof callback === 'function') ignore(sent); // whoever gave it hears of an error there
    return sent;
  };
  (script as Script).Command = class extends Command {
    readonly #made = this.promise;

    override toWritable(socket: object): string | Buffer {
      // ioredis watches the promise of a first attempt, and so replaces it; not that of a second.
      const again = this.promise === this.#made;
      const written = super.toWritable(socket); // notes too that this socket has the script from now on
      return again && this.name !== 'eval' ? super.toWritable({}) : written;
    }
  };
}
