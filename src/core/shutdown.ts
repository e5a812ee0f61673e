import { deadline } from '../util/clock.ts';
import type { PoolContext } from './context.ts';
import type { Dialer } from './dialer.ts';

/** Closes a pool: waits for its leases, closes their connections when the grace is over, and emits `drain`. */
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
    context.slots.share?.drop();
    const gone = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    this.done = gone.then(() => this.#end());
  }

  /** Closes the connections in use `graceMs` from now; never later than an earlier call said. */
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

  /** To be called when a connection is closed, or if there may be none. */
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
    this.#context.slots.share?.leave();
    await this.#connections.end();
    if (events.count('drain')) events.emit('drain', {});
    events.removeAll();
  }
}
