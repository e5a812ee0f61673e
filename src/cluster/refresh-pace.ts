/** Nodes are asked at least so far apart. Milliseconds. */
const APART_MS = 200;

/**
 * When may nodes be asked again who serves what? After an answer that brought nothing better than what was known, not
 * before a pause that doubles from 200 ms to `longestMs`, less a random 0 to 50 %, so that a fleet does not ask in step;
 * but never sooner than 200 ms.
 */
export class RefreshPace {
  readonly #longestMs: number;
  /** When they had been asked last, and the pause after that. */
  #askedAt = Number.NEGATIVE_INFINITY;
  #pauseMs = 0;
  /** How often in a row nothing better came. */
  #vain = 0;

  constructor(longestMs: number) {
    this.#longestMs = longestMs;
  }

  /** To be called when all have answered, or have not. `random`, from 0 to 1, is the jitter. */
  asked(better: boolean, now: number, random: number): void {
    // Who has asked for nothing for long has no trouble.
    const fresh = better || now - this.#askedAt > 2 * this.#longestMs;
    this.#vain = fresh ? 0 : this.#vain + 1;
    const most = Math.min(APART_MS * 2 ** this.#vain, this.#longestMs);
    this.#pauseMs = Math.max(APART_MS, most * (1 - random / 2));
    this.#askedAt = now;
  }

  /** Milliseconds until they may be asked; 0 or less: now. `news`: there is something that they can be asked about. */
  remaining(now: number, news?: 'news'): number {
    return this.#askedAt + (news ? APART_MS : this.#pauseMs) - now;
  }
}
