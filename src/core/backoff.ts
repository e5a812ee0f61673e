const FIRST_MS = 50;
const LONGEST_MS = 2000;

/** A connection that was open for longer than any delay has been of use, though nobody may have wanted it. */
export const STOOD_MS = LONGEST_MS;

/** Doubt ends when nothing has died for longer than two delays can take. */
const DOUBT_MS = 2 * LONGEST_MS;

/**
 * When may the next dial start? After a failed one not before a delay that doubles from 50 ms to 2 s, less a
 * random 0 to 50 % so that a fleet does not come back in step; and then one at a time, until one succeeds. A connection
 * that died before it was of any use makes doubtful what succeeds: again one dial at a time, until a new connection is
 * of use; and if that one dies like the first, its dial has failed.
 */
export class Backoff {
  /** The error of the last dial, unless one has succeeded since. */
  lastError: Error | undefined;
  #failures = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #until = Number.NEGATIVE_INFINITY;
  /** There was no connection at all, the last time. */
  #refused = false;
  /** The last dial that was begun before there was doubt, if there is. */
  #doubtedUpTo: number | undefined;
  #doubtedAt = 0;

  /** Tells that the dial begun at `startedAt` failed `now`. `random`, from 0 to 1, is the jitter. */
  failed(error: Error, startedAt: number, now: number, random: number): void {
    this.lastError = error;
    this.#refused = true;
    // Dials that were under way together fail together: that is one failure, not four doublings.
    if (startedAt > this.#failedAt) this.#fail(now, random);
  }

  /** Tells that the connection of dial number `dial` died before it was of any use. `latest` is the last one begun. */
  died(error: Error, dial: number, latest: number, now: number, random: number): void {
    const again = this.isDoubtful(now) && dial > (this.#doubtedUpTo ?? dial);
    this.#doubtedAt = now;
    // One may die of anything, and those beside it of the same.
    if (this.#doubtedUpTo === undefined || again) this.#doubtedUpTo = latest;
    if (!again) return;
    this.lastError = error;
    this.#refused = false;
    this.#fail(now, random);
  }

  /** Tells that dial number `dial` ended in a connection. In doubt, it has to stay open for a while before the next dial. */
  connected(dial: number, now: number, random: number): void {
    this.lastError = undefined;
    this.#refused = false;
    if (dial > (this.#doubtedUpTo ?? dial)) this.#wait(now, random);
  }

  /** Tells that a connection was of use, which ends all doubt. What made the last dial fail may be there still. */
  proved(): void {
    if (this.#refused) this.#doubtedUpTo = undefined;
    else this.succeeded();
  }

  /** Tells that a dial succeeded. */
  succeeded(): void {
    this.lastError = undefined;
    this.#refused = false;
    this.#doubtedUpTo = undefined;
    this.#failures = 0;
    this.#failedAt = Number.NEGATIVE_INFINITY;
    this.#until = Number.NEGATIVE_INFINITY;
  }

  /** How many dials may be under way at once: all of `most`, or one that finds out whether Redis is back. */
  limit(most: number, now: number): number {
    return this.#failures === 0 && !this.isDoubtful(now) ? most : 1;
  }

  /** Whether a connection has to prove itself. */
  isDoubtful(now: number): boolean {
    if (this.#doubtedUpTo !== undefined && now - this.#doubtedAt >= DOUBT_MS) this.proved();
    return this.#doubtedUpTo !== undefined;
  }

  /** Whether nobody gets a connection at all until the next dial. */
  refuses(now: number): boolean {
    return this.#refused && this.remaining(now) > 0;
  }

  /** Milliseconds until the next dial may start; 0 or less: now. */
  remaining(now: number): number {
    return this.#until - now;
  }

  #fail(now: number, random: number): void {
    this.#failedAt = now;
    this.#wait(now, random);
    this.#failures++;
  }

  #wait(now: number, random: number): void {
    const delay = Math.min(FIRST_MS * 2 ** this.#failures, LONGEST_MS);
    this.#until = now + delay * (1 - random / 2);
  }
}
