/** A reply of this size delays others. Bytes. */
export const LARGE = 131_072;

/** Replies that are smaller on average do not delay others, however many: the server's time is all they take. Bytes. */
const SMALL = 1024;

/** The number of recent replies that the average is taken over. */
const REPLIES = 16;

/** Measures a lane: how fast it replies, and how large the replies are. */
export class LaneMeter {
  /** When the lane last made progress: a reply was complete, or the first command was sent. */
  progressAt = 0;
  /** How long a reply takes with no other before it. Milliseconds; 0 until that is known. */
  paceMs = 0;
  /** It was sent a command with a large reply, and has not been empty since. */
  large = false;
  /** The average size of a reply. Bytes. */
  #replySize = 0;
  /** What has arrived since the last reply was complete. Bytes. */
  #unfinished = 0;
  /** The next reply is the first one after the lane was empty. */
  #first = false;

  /** To be called when commands are sent over an empty lane. */
  begin(now: number): void {
    this.progressAt = now;
    this.large = false;
    this.#first = true;
    this.#unfinished = 0;
  }

  received(bytes: number): void {
    this.#unfinished += bytes;
  }

  /** To be called when replies are complete. Returns whether the first of them was large. */
  answered(replies: number, now: number): boolean {
    const large = this.#unfinished >= LARGE;
    const weight = Math.min(1, replies / REPLIES);
    this.#replySize += (this.#unfinished / replies - this.#replySize) * weight;
    this.#unfinished = 0;
    // The fastest recent one: a reply that was slow once, or large, does not count.
    if (this.#first)
      this.paceMs = Math.min(now - this.progressAt, this.paceMs * 2 || Number.POSITIVE_INFINITY);
    this.#first = false;
    this.progressAt = now;
    return large;
  }

  /** The expected size of the replies to `inFlight` commands, if `known` bytes are certain. */
  bytesDue(inFlight: number, known: number): number {
    const expected = inFlight * this.#replySize - this.#unfinished;
    const counted = this.#replySize < SMALL ? Math.min(expected, LARGE - 1) : expected;
    return Math.max(known, this.large ? LARGE : 0, counted);
  }
}

/** For this long after a large reply, further ones are expected. Milliseconds. */
const WARY_MS = 10_000;
/** The number of commands that are remembered, and the length of their names and arguments. */
const MOST = 1000;
const LONGEST = 200;

/**
 * Remembers which commands had large replies, by their name and first argument: later commands on the same connection
 * wait until such a reply is complete.
 */
export class LargeReplies {
  readonly #known = new Set<string>();
  #lastAt = Number.NEGATIVE_INFINITY;

  /** Whether there were large replies recently. */
  wary(now: number): boolean {
    return now - this.#lastAt < WARY_MS;
  }

  /** To be called when the reply to a command was large. */
  note(name: string, args: readonly unknown[], now: number): void {
    if (!this.wary(now)) this.#known.clear();
    this.#lastAt = now;
    const signature = signatureOf(name, args);
    if (signature.length > LONGEST) return;
    this.#known.delete(signature); // to make it the newest again
    this.#known.add(signature);
    for (const oldest of this.#known) {
      if (this.#known.size <= MOST) break;
      this.#known.delete(oldest);
    }
  }

  /** Whether the reply to a command is expected to be large. */
  expects(name: string, args: readonly unknown[]): boolean {
    return this.#known.size > 0 && this.#known.has(signatureOf(name, args));
  }
}

function signatureOf(name: string, args: readonly unknown[]): string {
  return `${name} ${args[0]}`;
}
