import { deadline } from './clock.ts';
import type { CommandQueue } from './command-queue.ts';
import type { Lane } from './commands/lane.ts';
import type { House } from './house.ts';
import type { Waiter } from './waiters.ts';

/** What becomes of what has waited for too long. */
export interface OverdueOwner {
  /** What came at `moment` or before has no lane yet; `waited` is for its error. */
  expired(moment: number, waited: Pick<Waiter<unknown>, 'since' | 'timeoutMs' | 'signal'>): void;
  /** The oldest command of a lane has no reply. */
  silent(lane: Lane): void;
}

/** Watches over the time of multiplexed commands, with a timer for all until they have a lane, and one for the replies. */
export class Overdue {
  readonly #house: House;
  readonly #queue: CommandQueue;
  readonly #lanes: readonly Lane[];
  readonly #owner: OverdueOwner;
  #cancelQueued: (() => void) | undefined;
  #cancelSent: (() => void) | undefined;

  constructor(house: House, queue: CommandQueue, lanes: readonly Lane[], owner: OverdueOwner) {
    this.#house = house;
    this.#queue = queue;
    this.#lanes = lanes;
    this.#owner = owner;
  }

  /** Sees to it that somebody looks when the first thing may be overdue. */
  watch(now: number): void {
    if (this.#cancelQueued && this.#cancelSent) return;
    const { clock } = this.#house.hands;
    const { acquireTimeoutMs, replyTimeoutMs } = this.#house.options;
    // From now on, too, for what comes meanwhile.
    const until = (dues: readonly number[], most: number): number =>
      Math.max(0, Math.min(most, Math.min(...dues) + most - now));
    this.#cancelQueued ??= deadline(
      clock,
      until(
        this.#queue.batches.map(({ at }) => at),
        acquireTimeoutMs,
      ),
      () => this.#lookAtQueue(),
      'background',
    );
    this.#cancelSent ??= clock.after(
      until(
        this.#lanes.map(({ waitingSince }) => waitingSince),
        replyTimeoutMs,
      ),
      () => this.#lookAtLanes(),
      'background',
    );
  }

  stop(): void {
    this.#cancelQueued?.();
    this.#cancelSent?.();
    this.#cancelQueued = undefined;
    this.#cancelSent = undefined;
  }

  #lookAtQueue(): void {
    const { hands, options } = this.#house;
    const now = hands.clock.now();
    this.#cancelQueued = undefined;
    const { acquireTimeoutMs: timeoutMs } = options;
    const oldest = Math.min(...this.#queue.batches.map(({ at }) => at));
    if (oldest + timeoutMs <= now) {
      this.#owner.expired(now - timeoutMs, { since: oldest, timeoutMs, signal: undefined });
    }
    this.#goOn(now);
  }

  #lookAtLanes(): void {
    const { hands, options } = this.#house;
    const now = hands.clock.now();
    this.#cancelSent = undefined;
    for (const lane of [...this.#lanes]) {
      if (lane.waitingSince + options.replyTimeoutMs <= now) this.#owner.silent(lane);
    }
    this.#goOn(now);
  }

  #goOn(now: number): void {
    if (this.#queue.length > 0 || this.#lanes.length > 0) this.watch(now);
  }
}
