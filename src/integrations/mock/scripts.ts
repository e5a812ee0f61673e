import { createHash } from 'node:crypto';
import { warn } from '../../util/warn.ts';
import type { Call } from './lua/functions.ts';
import { LuaMachine } from './lua/machine.ts';
import type { Reply } from './reply.ts';

/** A process warning has said that fengari is missing. */
let toldMissing = false;

/** The Lua scripts of a server, by their SHA-1. */
export class Scripts {
  readonly #texts = new Map<string, string>();
  /** Made for the first script that runs: without it, nobody needs fengari. */
  #machine: LuaMachine | undefined;

  /** Remembers a script, and returns its SHA-1; does not look at what is in it. */
  load(text: string): string {
    const sha = shaOf(text);
    this.#texts.set(sha, text);
    return sha;
  }

  /** As `load`, but throws if it is no Lua, where there is a machine that knows. */
  loadChecked(text: string): string {
    try {
      this.#machine ??= new LuaMachine();
    } catch {
      return this.load(text);
    }
    this.#machine.compile(shaOf(text), text);
    return this.load(text);
  }

  get(sha: string): string | undefined {
    return this.#texts.get(sha.toLowerCase());
  }

  clear(): void {
    this.#texts.clear();
  }

  /** Runs a script to its end. Its effects stay if it fails halfway, as in Redis. */
  run(text: string, keys: readonly string[], args: readonly string[], call: Call): Reply {
    this.#machine ??= newMachine();
    this.#machine.compile(shaOf(text), text);
    return this.#machine.run(this.load(text), keys, args, call);
  }
}

/** Libraries may hide the error of a script that is refused: so a warning says it, too. */
function newMachine(): LuaMachine {
  try {
    return new LuaMachine();
  } catch (error) {
    if (!toldMissing) warn(`a script was refused: ${(error as Error).message}`);
    toldMissing = true;
    throw error;
  }
}

function shaOf(text: string): string {
  return createHash('sha1').update(text, 'latin1').digest('hex');
}
