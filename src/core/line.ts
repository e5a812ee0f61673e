import type { PoolContext, PoolSlot } from './context.ts';
import type { PoolErrors } from './pool-errors.ts';
import type { AcquireRequest, Waiter, WaitQueue } from './wait-queue.ts';

/** For how long someone would wait, and behind how many. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly maxWaiting: number;
}

/** The end of the queue: who may join it, and who is told that it grows. */
export class Line {
  readonly #context: PoolContext;
  readonly #waiters: WaitQueue<PoolSlot>;
  readonly #idle: { readonly length: number };
  readonly #admission: PoolErrors;
  readonly #crowded: (waiting: number) => void;

  constructor(
    context: PoolContext,
    waiters: WaitQueue<PoolSlot>,
    idle: { readonly length: number },
    admission: PoolErrors,
    crowded: (waiting: number) => void,
  ) {
    this.#context = context;
    this.#waiters = waiters;
    this.#idle = idle;
    this.#admission = admission;
    this.#crowded = crowded;
  }

  /** How many wait for whom there is no room; below 0, so many could still come. */
  get excess(): number {
    return this.#waiters.length - this.#context.slots.freeCapacity;
  }

  /** Since when the first in line waits. */
  get waitingSince(): number | undefined {
    return this.#waiters.first?.since;
  }

  /** Whether a connection could be had, or dialled, that nobody waits for. */
  get spare(): boolean {
    const { total, maxActive } = this.#context.slots;
    return this.#waiters.length === 0 && (this.#idle.length > 0 || total < maxActive);
  }

  /** Puts `request` at the end of the queue; throws what refuses it. */
  join(request: AcquireRequest<PoolSlot>, { timeoutMs, signal, maxWaiting }: Patience): Waiter<PoolSlot> {
    const { excess } = this;
    this.#admission.mayWait(excess, maxWaiting);
    const waiter = this.#waiters.add(request, timeoutMs, signal);
    this.#waiters.enqueue(waiter, excess >= 0);
    if (excess >= 0) this.#tell(excess + 1);
    return waiter;
  }

  #tell(waiting: number): void {
    const { events } = this.#context;
    if (events.count('wait')) events.emit('wait', { waiting });
    this.#crowded(waiting);
  }
}
