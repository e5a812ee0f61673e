const FIRST_MS = 50;
const LONGEST_MS = 2000;

/** While somebody waits for Redis to come back, the delay between two dials is no longer than this. */
const AWAITED_MS = 500;

/** A connection that was open for longer than any delay counts as useful, even if nobody used it. Milliseconds. */
export const STOOD_MS = LONGEST_MS;

/**
 * While dials are paced, they are at least so far apart, one at a time. One connection may be enough for all who wait,
 * and at the end of an outage a whole fleet reconnects. Milliseconds.
 */
const PACE_MS = 100;

/** For so long dials are paced; a connection that is lost sooner after its dial is lost young. Milliseconds. */
const PACED_MS = 1000;

/** An outage that ends after this many failed dials, or fewer, is too short for pacing. */
const MOMENTARY = 3;

/** Doubt ends when no connection was lost for longer than two delays can take. Milliseconds. */
const DOUBT_MS = 2 * LONGEST_MS;

/**
 * When may the next dial start? After a failed one, not before a delay that doubles from 50 ms to 2 s, less a random 0
 * to 50 %, so that a fleet does not reconnect in step; and then one at a time, until one succeeds. A connection that is
 * lost before it was useful puts successful dials in doubt: again one dial at a time, until a new connection is useful;
 * if that one is lost too, its dial counts as failed. For a second after an outage, and while new connections are lost
 * one after the other though they are useful, dials are paced: at most ten a second.
 */
export class Backoff {
  /** The error of the last dial, unless one has succeeded since. */
  lastError: Error | undefined;
  #failures = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  /** When the current delay began, how long it is, and how much of it the jitter leaves. */
  #delayedAt = Number.NEGATIVE_INFINITY;
  #delay = 0;
  #share = 1;
  /** The last dial did not succeed: there was no connection at all. */
  #refused = false;
  /** While in doubt, the number of the last dial that was started before. */
  #doubtedUpTo: number | undefined;
  #doubtedAt = Number.POSITIVE_INFINITY;
  /** When the last dial started, and when a connection was last lost. */
  #startedAt = Number.NEGATIVE_INFINITY;
  #lostAt = Number.POSITIVE_INFINITY;
  #pacedUntil = Number.NEGATIVE_INFINITY;

  /** To be called when a dial starts. */
  started(now: number): void {
    this.#startedAt = now;
  }

  /**
   * To be called when a connection is lost, useful or not. If it was dialled after the last loss, and is lost young, the
   * next ones would be lost too: dials are paced.
   */
  lost(connectedAt: number, now: number): void {
    if (connectedAt > this.#lostAt && now - connectedAt < PACED_MS) this.#pacedUntil = now + PACED_MS;
    this.#lostAt = now;
  }

  /** To be called when the dial started at `startedAt` fails. `random`, from 0 to 1, is the jitter. */
  failed(error: Error, startedAt: number, now: number, random: number): void {
    this.lastError = error;
    this.#refused = true;
    // Dials that were in progress together fail together: that counts as one failure, and doubles the delay once.
    if (startedAt > this.#failedAt) this.#fail(now, random);
  }

  /**
   * To be called when the connection of dial `dial` is lost before it was useful. `latest` is the last dial started.
   */
  died(error: Error, dial: number, latest: number, now: number, random: number): void {
    const again = this.isDoubtful(now) && dial > (this.#doubtedUpTo ?? dial);
    this.#doubtedAt = now;
    // A single loss may have any cause, and others at the same time the same cause.
    if (this.#doubtedUpTo === undefined || again) this.#doubtedUpTo = latest;
    if (!again) return;
    this.lastError = error;
    this.#refused = false;
    this.#fail(now, random);
  }

  /**
   * To be called when dial `dial` succeeds. In doubt, its connection has to stay open before the next dial may start.
   */
  connected(dial: number, now: number, random: number): void {
    this.lastError = undefined;
    this.#refused = false;
    if (dial > (this.#doubtedUpTo ?? dial)) this.#wait(now, random);
  }

  /** The next dial may start now: Redis has moved since the last one failed. */
  hurry(): void {
    this.#delayedAt = Number.NEGATIVE_INFINITY;
  }

  /** To be called when a connection was useful, which ends doubt. The cause of the last failed dial may remain. */
  proved(now: number): void {
    if (this.#refused) this.#doubtedUpTo = undefined;
    else this.succeeded(now);
  }

  /** To be called when a dial succeeds. */
  succeeded(now: number): void {
    if (this.#failures > MOMENTARY) this.#pacedUntil = now + PACED_MS;
    this.lastError = undefined;
    this.#refused = false;
    this.#doubtedUpTo = undefined;
    this.#failures = 0;
    this.#failedAt = Number.NEGATIVE_INFINITY;
    this.#delayedAt = Number.NEGATIVE_INFINITY;
  }

  /** How many dials may be in progress at once: `most`, or one that tests whether Redis is available again. */
  limit(most: number, now: number): number {
    return !this.isDoubtful(now) && this.#failures === 0 ? most : 1;
  }

  /** Whether a new connection has to show first that it is useful. */
  isDoubtful(now: number): boolean {
    const endsAt = this.#doubtedAt + DOUBT_MS;
    if (this.#doubtedUpTo !== undefined && now >= endsAt) this.proved(endsAt);
    return this.#doubtedUpTo !== undefined;
  }

  /** Whether there is no connection at all until the next dial. */
  refuses(now: number): boolean {
    return this.#refused && this.remaining(now) > 0;
  }

  /**
   * Milliseconds until the next dial may start; 0 or less: now. `awaited`: somebody waits for it, so it comes sooner;
   * `inProgress`: how many dials are in progress.
   */
  remaining(now: number, awaited?: 'awaited', inProgress = 0): number {
    const delay = awaited ? Math.min(this.#delay, AWAITED_MS) : this.#delay;
    // With the doubt ends the delay that is due to it.
    const doubtEndsAt = this.#refused ? Number.POSITIVE_INFINITY : this.#doubtedAt + DOUBT_MS;
    const next = Math.min(this.#delayedAt + delay * this.#share, doubtEndsAt);
    const paced = inProgress > 0 ? this.#pacedUntil : Math.min(this.#startedAt + PACE_MS, this.#pacedUntil);
    return Math.max(next, paced) - now;
  }

  #fail(now: number, random: number): void {
    this.#failedAt = now;
    this.#wait(now, random);
    this.#failures++;
  }

  #wait(now: number, random: number): void {
    this.#delayedAt = now;
    this.#delay = Math.min(FIRST_MS * 2 ** this.#failures, LONGEST_MS);
    this.#share = 1 - random / 2;
  }
}
