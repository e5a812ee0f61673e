/** A reply of so many bytes has others wait. */
export const LARGE = 131_072;

/** So many replies, and what they weighed is all that counts. */
const REPLIES = 16;

/** What a lane has shown of late: how fast it answers, and how large replies are. */
export class LaneMeter {
  /** When the lane last had something to show: a reply was complete, or the first command went out. */
  progressAt = 0;
  /** How long a reply takes when nothing is before it. Milliseconds; 0 until that is known. */
  paceMs = 0;
  /** It was given a command with a large reply, and has not been empty since. */
  large = false;
  /** What a reply weighs, on average. Bytes. */
  #replySize = 0;
  /** What has come since the last reply was complete. Bytes. */
  #unfinished = 0;
  /** The next reply is the first to what was sent over the empty lane. */
  #first = false;

  /** Commands go out over the empty lane. */
  begin(now: number): void {
    this.progressAt = now;
    this.large = false;
    this.#first = true;
    this.#unfinished = 0;
  }

  received(bytes: number): void {
    this.#unfinished += bytes;
  }

  /** Replies are complete. Returns whether the first of them was large. */
  answered(replies: number, now: number): boolean {
    const large = this.#unfinished >= LARGE;
    const weight = Math.min(1, replies / REPLIES);
    this.#replySize += (this.#unfinished / replies - this.#replySize) * weight;
    this.#unfinished = 0;
    // The fastest of late: what was slow for once, or by a large reply, is no measure.
    if (this.#first)
      this.paceMs = Math.min(now - this.progressAt, this.paceMs * 2 || Number.POSITIVE_INFINITY);
    this.#first = false;
    this.progressAt = now;
    return large;
  }

  /** Bytes that are expected in reply to `inFlight` commands, if `known` are to come for sure. */
  bytesDue(inFlight: number, known: number): number {
    return Math.max(known, this.large ? LARGE : 0, inFlight * this.#replySize - this.#unfinished);
  }
}

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
