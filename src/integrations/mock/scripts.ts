import { createHash } from 'node:crypto';

/** The texts of Lua scripts, by their SHA-1. They are stored, and never run. */
export class Scripts {
  readonly #texts = new Map<string, string>();

  /** Remembers a script, and returns its SHA-1. */
  load(text: string): string {
    const sha = createHash('sha1').update(text, 'latin1').digest('hex');
    this.#texts.set(sha, text);
    return sha;
  }

  get(sha: string): string | undefined {
    return this.#texts.get(sha.toLowerCase());
  }

  clear(): void {
    this.#texts.clear();
  }
}
