/** A reply of so many bytes has others wait. */
export const LARGE = 131_072;
/** For so long after a large reply, the next may come at any time. Milliseconds. */
const WARY_MS = 10_000;
/** So many commands are remembered, and no longer ones. */
const MOST = 1000;
const LONGEST = 200;

/**
 * Remembers which commands had large replies, by their name and first argument: what comes after such a command on the
 * same connection waits until all of it has come.
 */
export class LargeReplies {
  readonly #known = new Set<string>();
  #lastAt = Number.NEGATIVE_INFINITY;

  /** Whether there were large replies of late. */
  wary(now: number): boolean {
    return now - this.#lastAt < WARY_MS;
  }

  /** Tells that the reply to a command was large. */
  note(name: string, args: readonly unknown[], now: number): void {
    if (!this.wary(now)) this.#known.clear();
    this.#lastAt = now;
    const signature = signatureOf(name, args);
    if (signature.length > LONGEST) return;
    this.#known.delete(signature); // it comes last again
    this.#known.add(signature);
    for (const oldest of this.#known) {
      if (this.#known.size <= MOST) break;
      this.#known.delete(oldest);
    }
  }

  /** Whether the reply to a command is expected to be large. */
  expects(name: string, args: readonly unknown[]): boolean {
    return this.#known.has(signatureOf(name, args));
  }
}

function signatureOf(name: string, args: readonly unknown[]): string {
  return `${name} ${args[0]}`;
}
