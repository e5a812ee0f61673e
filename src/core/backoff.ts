const FIRST_MS = 50;
const LONGEST_MS = 2000;

/**
 * When may the next dial start? After a failed one not before a delay that doubles from 50 ms to 2 s, less a
 * random 0 to 50 % so that a fleet does not come back in step; and then one at a time, until one succeeds.
 */
export class Backoff {
  /** The error of the last dial, unless one has succeeded since. */
  lastError: Error | undefined;
  #failures = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #until = Number.NEGATIVE_INFINITY;

  /** Tells that the dial begun at `startedAt` failed `now`. `random`, from 0 to 1, is the jitter. */
  failed(error: Error, startedAt: number, now: number, random: number): void {
    this.lastError = error;
    // Dials that were under way together fail together: that is one failure, not four doublings.
    if (startedAt <= this.#failedAt) return;
    const delay = Math.min(FIRST_MS * 2 ** this.#failures, LONGEST_MS);
    this.#failures++;
    this.#failedAt = now;
    this.#until = now + delay * (1 - random / 2);
  }

  /** Tells that a dial succeeded. */
  succeeded(): void {
    this.lastError = undefined;
    this.#failures = 0;
    this.#failedAt = Number.NEGATIVE_INFINITY;
    this.#until = Number.NEGATIVE_INFINITY;
  }

  /** How many dials may be under way at once: all of `most`, or one that finds out whether Redis is back. */
  limit(most: number): number {
    return this.#failures === 0 ? most : 1;
  }

  /** Milliseconds until the next dial may start; 0 or less: now. */
  remaining(now: number): number {
    return this.#until - now;
  }
}
