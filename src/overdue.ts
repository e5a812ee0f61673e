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

/** Watches over the time of multiplexed commands, with one timer for all: until they have a lane, and for the reply. */
export class Overdue {
  readonly #house: House;
  readonly #queue: CommandQueue;
  readonly #lanes: readonly Lane[];
  readonly #owner: OverdueOwner;
  #cancel: (() => void) | undefined;

  constructor(house: House, queue: CommandQueue, lanes: readonly Lane[], owner: OverdueOwner) {
    this.#house = house;
    this.#queue = queue;
    this.#lanes = lanes;
    this.#owner = owner;
  }

  /** Sees to it that somebody looks when the first thing may be overdue. */
  watch(now: number): void {
    if (this.#cancel !== undefined) return;
    const { acquireTimeoutMs, replyTimeoutMs } = this.#house.options;
    const due = [
      now + Math.min(acquireTimeoutMs, replyTimeoutMs), // for what comes meanwhile
      ...this.#queue.batches.map(({ at }) => at + acquireTimeoutMs),
      ...this.#lanes.map(({ waitingSince }) => waitingSince + replyTimeoutMs),
    ];
    const delay = Math.max(0, Math.min(...due) - now);
    this.#cancel = this.#house.hands.clock.after(delay, () => this.#look(), 'background');
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #look(): void {
    const { hands, options } = this.#house;
    const now = hands.clock.now();
    this.#cancel = undefined;
    const { acquireTimeoutMs: timeoutMs, replyTimeoutMs } = options;
    const oldest = Math.min(...this.#queue.batches.map(({ at }) => at));
    if (oldest + timeoutMs <= now) {
      this.#owner.expired(now - timeoutMs, { since: oldest, timeoutMs, signal: undefined });
    }
    for (const lane of [...this.#lanes]) {
      if (lane.waitingSince + replyTimeoutMs <= now) this.#owner.silent(lane);
    }
    if (this.#queue.length > 0 || this.#lanes.length > 0) this.watch(now);
  }
}
