import type { PoolContext } from '../core/context.ts';
import type { Waiter } from '../core/wait-queue.ts';
import { deadline } from '../util/clock.ts';
import type { CommandQueue } from './command-queue.ts';
import type { Lane } from './lane.ts';

/** What becomes of what has waited for too long. */
export interface OverdueOwner {
  /** What came at `moment` or before has no lane yet; `waited` is for its error. */
  expired(moment: number, waited: Pick<Waiter<unknown>, 'since' | 'timeoutMs' | 'signal'>): void;
  /** The oldest command of a lane has no reply. */
  silent(lane: Lane): void;
}

/** So often a reply that goes on coming after a block is given a quarter of replyTimeoutMs more. */
export const MOST_QUARTERS = 4;

/** Watches over the time of multiplexed commands, with a timer for all until they have a lane, and one for the replies. */
export class CommandTimeouts {
  readonly #context: PoolContext;
  readonly #queue: CommandQueue;
  readonly #lanes: readonly Lane[];
  readonly #owner: OverdueOwner;
  #cancelQueued: (() => void) | undefined;
  #cancelSent: (() => void) | undefined;
  #stopped = false;

  constructor(context: PoolContext, queue: CommandQueue, lanes: readonly Lane[], owner: OverdueOwner) {
    this.#context = context;
    this.#queue = queue;
    this.#lanes = lanes;
    this.#owner = owner;
  }

  /** Sees to it that somebody looks when the first thing may be overdue. */
  watch(now: number): void {
    if (this.#stopped) return;
    if (this.#cancelQueued === undefined) this.#watchQueue(now);
    if (this.#cancelSent === undefined) {
      const since = this.#lanes.map(({ waitingSince }) => waitingSince);
      const ms = delay(now, since, this.#context.options.replyTimeoutMs);
      this.#watchLanes(ms, now + ms);
    }
  }

  #watchQueue(now: number): void {
    const { deps, options } = this.#context;
    const since = this.#queue.batches.map(({ at }) => at);
    const ms = delay(now, since, options.acquireTimeoutMs);
    this.#cancelQueued = deadline(deps.clock, ms, () => this.#lookAtQueue(), 'background');
  }

  /** In `ms`; a lane that was heard after `heardAfter` may be given a quarter more, `more` times. */
  #watchLanes(ms: number, heardAfter: number, more = MOST_QUARTERS): void {
    const { clock } = this.#context.deps;
    this.#cancelSent = clock.after(ms, () => this.#lookAtLanes(heardAfter, more), 'background');
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelQueued?.();
    this.#cancelSent?.();
    this.#cancelQueued = undefined;
    this.#cancelSent = undefined;
  }

  #lookAtQueue(): void {
    const { deps, options } = this.#context;
    const now = deps.clock.now();
    this.#cancelQueued = undefined;
    const { acquireTimeoutMs: timeoutMs } = options;
    const oldest = Math.min(...this.#queue.batches.map(({ at }) => at));
    if (oldest + timeoutMs <= now) {
      this.#owner.expired(now - timeoutMs, { since: oldest, timeoutMs, signal: undefined });
    }
    this.#goOn(now);
  }

  #lookAtLanes(heardAfter: number, more: number): void {
    const { deps, options } = this.#context;
    const { replyTimeoutMs } = options;
    const now = deps.clock.now();
    this.#cancelSent = undefined;
    let talking = false;
    for (const lane of [...this.#lanes]) {
      if (lane.waitingSince + replyTimeoutMs > now) continue;
      // What has come just now, after a block, may be the beginning: the server could send no more than the kernel takes.
      if (more > 0 && lane.heardAt > heardAfter) talking = true;
      else this.#owner.silent(lane);
    }
    if (talking) this.#watchLanes(replyTimeoutMs / 4, now, more - 1);
    this.#goOn(now);
  }

  #goOn(now: number): void {
    if (this.#queue.length > 0 || this.#lanes.length > 0) this.watch(now);
  }
}

/** Until the first of those is overdue that wait `since` then, and `most` at most; from now on, too, for what comes meanwhile. */
function delay(now: number, since: readonly number[], most: number): number {
  return Math.max(0, Math.min(now, ...since) + most - now);
}
