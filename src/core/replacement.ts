/** The delay for each connection that is replaced: at most ten dials a second. Milliseconds. */
const EACH_MS = 100;
const LONGEST_MS = 300;
/** When nothing was replaced for this long, the delay starts at its shortest again. Milliseconds. */
const QUIET_MS = 10_000;

/**
 * When connections that work may be replaced, because they lead to a replica for example. The first time at once; then,
 * since the new ones may lead to the same server, after a delay that doubles, and grows with their number. It stays
 * short, since writes may be waiting for Redis to be a master again.
 */
export class Replacement {
  #times = 0;
  #until = Number.NEGATIVE_INFINITY;

  /** Milliseconds until the next replacement; 0: now. */
  remaining(now: number): number {
    return Math.max(0, this.#until - now);
  }

  /** To be called when so many are replaced. `random`, from 0 to 1, is the jitter. */
  begin(connections: number, now: number, random: number): void {
    if (now - this.#until >= QUIET_MS) this.#times = 0;
    const delay = Math.min(EACH_MS * 2 ** this.#times, LONGEST_MS);
    this.#times++;
    this.#until = now + Math.max(delay, EACH_MS * connections) * (1 + random / 2);
  }
}
