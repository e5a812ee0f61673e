import { LARGE } from './large-replies.ts';

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
