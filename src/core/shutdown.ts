import { deadline } from '../util/clock.ts';
import type { PoolContext } from './context.ts';
import type { Dialer } from './dialer.ts';

/** The end of a pool: waits for the leases that are out, cuts them when the grace is over, and tells the end. */
export class Shutdown {
  /** Resolves when nothing of the pool is left. */
  readonly done: Promise<void>;
  readonly #context: PoolContext;
  readonly #connections: Dialer;
  #finish: () => void = () => {};
  #over = false;
  #cutAt = Number.POSITIVE_INFINITY;
  #cancelCut: () => void = () => {};

  constructor(context: PoolContext, connections: Dialer) {
    this.#context = context;
    this.#connections = connections;
    const gone = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    this.done = gone.then(() => this.#end());
  }

  /** Cuts what is still out `graceMs` from now; never later than asked for before. */
  cutWithin(graceMs: number): void {
    if (this.#over) return;
    const { clock } = this.#context.deps;
    const cutAt = clock.now() + graceMs;
    if (cutAt >= this.#cutAt) return;
    this.#cutAt = cutAt;
    this.#cancelCut();
    if (graceMs > 0) this.#cancelCut = deadline(clock, graceMs, () => this.#cut());
    else this.#cut();
  }

  /** Tells that a connection is gone, or that there may have been none. */
  check(): void {
    if (this.#context.slots.total > 0) return;
    this.#over = true;
    this.#cancelCut();
    this.#finish();
  }

  #cut(): void {
    for (const slot of this.#context.slots.all) {
      if (slot.state === 'inUse') this.#connections.close(slot, 'poolClosed');
    }
  }

  async #end(): Promise<void> {
    const { events } = this.#context;
    await this.#connections.end();
    if (events.count('drain')) events.emit('drain', {});
    events.removeAll();
  }
}
