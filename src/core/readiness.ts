import { Condition } from '../util/condition.ts';
import type { PoolContext } from './context.ts';
import type { Dialer } from './dialer.ts';
import type { PoolErrors } from './pool-errors.ts';

/** Connections that are wanted by nobody in particular: those of `minIdle` and `ready()`, and one to ask Redis over. */
export class Readiness {
  readonly #context: PoolContext;
  readonly #connections: Dialer;
  readonly #admission: PoolErrors;
  /** As many stand as `ready()` promises. */
  readonly #ready: Condition;
  readonly #oneRests: Condition;
  /** Somebody looks whether a connection could be had, and asks for none. */
  #watched = false;

  constructor(
    context: PoolContext,
    connections: Dialer,
    idle: { readonly length: number },
    admission: PoolErrors,
  ) {
    this.#context = context;
    this.#connections = connections;
    this.#admission = admission;
    const { clock } = context.deps;
    this.#ready = new Condition(clock, () => {
      const { openCount: live, count, maxActive } = context.slots;
      return live > 0 && idle.length >= Math.min(context.options.minIdle, maxActive - count.inUse);
    });
    this.#oneRests = new Condition(clock, () => idle.length > 0);
  }

  /** How many are to rest. */
  get wanted(): number {
    const one =
      this.#oneRests.awaited ||
      (this.#ready.awaited && this.#context.slots.openCount === 0) ||
      (this.#watched && this.#connections.failing);
    return Math.max(this.#context.options.minIdle, one ? 1 : 0);
  }

  /** Whether the start of something waits for them. */
  get awaited(): boolean {
    return this.#ready.awaited;
  }

  /** Resolves when `minIdle` connections rest, or as many as the borrowers leave, and at least one stands. */
  async ready(): Promise<void> {
    const { down } = this.#admission;
    if (down) throw this.#admission.connectFailed(down);
    const { acquireTimeoutMs: timeoutMs } = this.#context.options;
    const since = this.#context.deps.clock.now();
    const ready = this.#ready.wait(timeoutMs, () =>
      this.#admission.gaveUp({ since, timeoutMs, signal: undefined }, 'timeout'),
    );
    this.#connections.dialMore();
    // Afterwards, what is still to be dialled is wanted for minIdle alone, and keeps no process alive.
    await ready.finally(() => this.#connections.dialMore());
  }

  /** From now on one is wanted whenever none stands and the last dial failed. */
  keepTrying(): void {
    this.#watched = true;
    this.#connections.dialMore();
  }

  /** Resolves when a connection rests; if need be, one is dialled that belongs to whoever is first in line. */
  oneRests(): Promise<void> {
    const resting = this.#oneRests.wait(Number.POSITIVE_INFINITY, () => undefined);
    this.#connections.dialMore();
    return resting;
  }

  /** Tells that something has changed. */
  look(): void {
    this.#ready.notify();
    this.#oneRests.notify();
  }

  /** Tells those who wait that it will not come. */
  fail(error: () => unknown): void {
    this.#ready.reject(error);
    this.#oneRests.reject(error);
  }
}
