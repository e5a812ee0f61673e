import type { PoolContext, PoolSlot } from './context.ts';
import { Replacement } from './replacement.ts';

/** Replaces connections that work but do not serve: they lead to a replica, or the user does not want them. */
export class Replacer {
  readonly #context: PoolContext;
  readonly #closeStale: () => void;
  readonly #replacement = new Replacement();
  #refusesWrites = false;
  #cancel: (() => void) | undefined;
  #over = false;

  /** `closeStale` closes stale connections that are idle. */
  constructor(context: PoolContext, closeStale: () => void) {
    this.#context = context;
    this.#closeStale = closeStale;
  }

  /** Whether Redis has refused a write, and no connection to a master was made since. */
  get refusesWrites(): boolean {
    return this.#refusesWrites;
  }

  /** A reply over this connection says that it has to be replaced. */
  unwanted(slot: PoolSlot, why: 'readOnly' | 'asked'): void {
    if (slot.state !== 'inUse' && slot.state !== 'idle') return;
    if (slot.unwanted !== 'readOnly') slot.unwanted = why;
    if (slot.stale) return;
    if (why === 'readOnly') this.#refusesWrites = true;
    if (this.#cancel || this.#over) return;
    const { clock } = this.#context.deps;
    const delay = this.#replacement.remaining(clock.now());
    if (delay > 0) this.#cancel = clock.after(delay, () => this.renew(), 'background');
    // None of them is lent from now on. They close later: replies are being read, and `close` listeners would run.
    else if (this.#markStale()) clock.soon(this.#closeStale);
  }

  /** A dial succeeded. */
  arrived(slot: PoolSlot): void {
    if (slot.stale) return;
    if (slot.connection?.role !== 'slave') {
      this.#refusesWrites = false;
    } else if (this.#refusesWrites) {
      slot.unwanted = 'readOnly'; // at the next write or health check
    }
  }

  /** Replaces unwanted connections if the delay is over; all connections if one of them leads to a replica. */
  renew(): void {
    const { clock } = this.#context.deps;
    if (this.#replacement.remaining(clock.now()) > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#markStale()) this.#closeStale();
  }

  #markStale(): boolean {
    const { slots, deps } = this.#context;
    const fresh = [...slots.all].filter(({ stale, state }) => !stale && state !== 'closing');
    const all = fresh.some(({ unwanted }) => unwanted === 'readOnly');
    const doomed = all ? fresh : fresh.filter(({ unwanted }) => unwanted !== undefined);
    if (doomed.length === 0) return false;
    for (const slot of doomed) slot.stale = 'stale';
    this.#replacement.begin(doomed.length, deps.clock.now(), deps.random());
    return true;
  }

  stop(): void {
    this.#over = true;
    this.#cancel?.();
  }
}
