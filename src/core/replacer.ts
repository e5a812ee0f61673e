import type { PoolContext, PoolSlot } from './context.ts';
import { Replacement } from './replacement.ts';

/** Sees to it that connections are replaced that work, and do not serve. */
export class Replacer {
  readonly #context: PoolContext;
  readonly #closeStale: () => void;
  readonly #replacement = new Replacement();
  #refusesWrites = false;
  #hadMaster = false;
  #cancel: (() => void) | undefined;
  #over = false;

  /** `closeStale` closes those that are stale and idle. */
  constructor(context: PoolContext, closeStale: () => void) {
    this.#context = context;
    this.#closeStale = closeStale;
  }

  /** Redis has refused a write, and no connection has come since that may lead to a master. */
  get refusesWrites(): boolean {
    return this.#refusesWrites;
  }

  /** Some connection led to a master, or may have: so a later one may again. */
  get hadMaster(): boolean {
    return this.#hadMaster;
  }

  /** A connection was answered so, by Redis or for whoever uses the pool, that it is to be replaced. */
  unwanted(slot: PoolSlot, why: 'readOnly' | 'asked'): void {
    if (slot.state !== 'inUse' && slot.state !== 'idle') return;
    if (slot.unwanted !== 'readOnly') slot.unwanted = why;
    if (slot.stale) return;
    if (why === 'readOnly') this.#refusesWrites = true;
    if (this.#cancel || this.#over) return;
    const { clock } = this.#context.deps;
    const delay = this.#replacement.remaining(clock.now());
    if (delay > 0) this.#cancel = clock.after(delay, () => this.renew(), 'background');
    // Nobody is to get one of them any more. They close later: replies are being read, and listeners hear of that.
    else if (this.#markStale()) clock.soon(this.#closeStale);
  }

  /** A dial ended in a connection. */
  arrived(slot: PoolSlot): void {
    if (slot.stale) return;
    if (slot.connection?.role !== 'slave') {
      this.#hadMaster = true;
      this.#refusesWrites = false;
    } else if (this.#refusesWrites) {
      slot.unwanted = 'readOnly'; // when somebody next wants to write, or to know
    }
  }

  /** Replaces those that are to be replaced, if that may be by now; where one leads to a replica, all may. */
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
