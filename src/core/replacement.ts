/** For each connection that is replaced, so much time goes by before further ones are: ten dials a second. */
const EACH_MS = 100;
const LONGEST_MS = 1000;
/** After so long without one, the first is at once again, and the next one soon. */
const QUIET_MS = 10_000;

/**
 * When may connections be replaced that work, and do not serve, as those that lead to a replica? At once; then, as the
 * new ones may lead nowhere else, after a delay that doubles up to a second, and grows with their number.
 */
export class Replacement {
  #times = 0;
  #until = Number.NEGATIVE_INFINITY;

  /** Milliseconds until the next ones may be; 0: now. */
  remaining(now: number): number {
    return Math.max(0, this.#until - now);
  }

  /** Tells that so many are being replaced. `random`, from 0 to 1, keeps a fleet out of step. */
  begin(connections: number, now: number, random: number): void {
    if (now - this.#until >= QUIET_MS) this.#times = 0;
    const delay = Math.min(EACH_MS * 2 ** this.#times, LONGEST_MS);
    this.#times++;
    this.#until = now + Math.max(delay, EACH_MS * connections) * (1 + random / 2);
  }
}
