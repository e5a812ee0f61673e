import type { ResolvedOptions } from '../api/options.ts';
import type { CommandQueue } from './command-queue.ts';
import type { Lane } from './lane.ts';

/** How often a reply that is still arriving after a blocked loop gets a quarter of replyTimeoutMs more. */
export const MOST_QUARTERS = 4;

/** Finds which of the multiplexed commands have waited for too long: until they have a lane, and for their replies. */
export class CommandTimeouts {
  readonly #options: ResolvedOptions;
  readonly #queue: CommandQueue;
  readonly #lanes: readonly Lane[];
  /** A lane that was heard after that may be given a quarter more, as often as is left. */
  #heardAfter = 0;
  #quartersLeft = MOST_QUARTERS;
  /** A lane was given a quarter more when they were looked at last. */
  #talking = false;

  constructor(options: ResolvedOptions, queue: CommandQueue, lanes: readonly Lane[]) {
    this.#options = options;
    this.#queue = queue;
    this.#lanes = lanes;
  }

  /** In how many milliseconds to ask for `expiredBefore`. */
  untilExpired(now: number): number {
    const since = this.#queue.batches.map(({ at }) => at);
    return delay(now, since, this.#options.acquireTimeoutMs);
  }

  /** The oldest that has no lane has waited too long, and so has all that came at `moment` or before. */
  expiredBefore(now: number): { readonly moment: number; readonly oldest: number } | undefined {
    const moment = now - this.#options.acquireTimeoutMs;
    const oldest = Math.min(...this.#queue.batches.map(({ at }) => at));
    return oldest <= moment ? { moment, oldest } : undefined;
  }

  /** In how many milliseconds to ask for `silentLanes`. */
  untilSilent(now: number): number {
    const { replyTimeoutMs } = this.#options;
    if (this.#talking) {
      this.#talking = false;
      this.#quartersLeft--;
      this.#heardAfter = now;
      return replyTimeoutMs / 4;
    }
    const since = this.#lanes.map(({ waitingSince }) => waitingSince);
    const ms = delay(now, since, replyTimeoutMs);
    this.#quartersLeft = MOST_QUARTERS;
    this.#heardAfter = now + ms;
    return ms;
  }

  /** Those whose oldest command has no reply, and will have none. */
  silentLanes(now: number): Lane[] {
    const late = this.#lanes.filter((lane) => lane.waitingSince + this.#options.replyTimeoutMs <= now);
    // Bytes read just now, after a blocked loop, may be the beginning: the kernel's buffers hold only a part of a
    // reply.
    const silent = late.filter(({ heardAt }) => this.#quartersLeft === 0 || heardAt <= this.#heardAfter);
    this.#talking = silent.length < late.length;
    return silent;
  }
}

/**
 * The time until the first of those is overdue that wait `since` then, for at most `most`. At most `most` from now on,
 * for those that come meanwhile.
 */
function delay(now: number, since: readonly number[], most: number): number {
  return Math.max(0, Math.min(now, ...since) + most - now);
}
