import type { ReadyOptions } from '../api/redis-pool.ts';
import { Condition } from '../util/condition.ts';
import { onAbort } from './abort-signals.ts';
import type { PoolContext } from './context.ts';
import { isTransient } from './transient.ts';

interface Call {
  readonly condition: Condition;
  /** A `timeoutMs` was given: a dial that fails with a transient cause is tried again until then. */
  readonly patient: boolean;
}

/** The calls of `ready()` in progress. */
export class ReadyCalls {
  readonly #context: PoolContext;
  readonly #isReady: () => boolean;
  readonly #lastConnectError: () => Error | undefined;
  readonly #calls = new Set<Call>();

  constructor(context: PoolContext, isReady: () => boolean, lastConnectError: () => Error | undefined) {
    this.#context = context;
    this.#isReady = isReady;
    this.#lastConnectError = lastConnectError;
  }

  /** Whether there is one. */
  get any(): boolean {
    return this.#calls.size > 0;
  }

  /** Whether there is one that tries again after a dial failed. */
  get anyPatient(): boolean {
    for (const { patient } of this.#calls) if (patient) return true;
    return false;
  }

  /** Resolves when the pool is ready; `unreachable` is why no dial may start yet, if so. */
  async wait({ timeoutMs, signal }: ReadyOptions, unreachable: Error | undefined): Promise<void> {
    const { deps, errors, options } = this.#context;
    const patient = timeoutMs !== undefined;
    if (signal?.aborted) throw errors.aborted(0, signal);
    if (unreachable && !(patient && isTransient(unreachable))) throw errors.connectFailed(unreachable);
    const waited = { since: deps.clock.now(), timeoutMs: timeoutMs ?? options.acquireTimeoutMs, signal };
    const condition = new Condition(deps.clock, this.#isReady, () => {
      this.#calls.delete(call);
      ignore?.();
    });
    const call = { condition, patient };
    this.#calls.add(call);
    const ignore = signal && onAbort(signal, () => condition.reject(() => errors.gaveUp(waited, 'abort')));
    await condition.wait(waited.timeoutMs, () => {
      const error = this.#lastConnectError();
      return patient && error ? errors.connectFailed(error) : errors.gaveUp(waited, 'timeout');
    });
  }

  /** Something has changed. */
  notify(): void {
    for (const { condition } of this.#calls) condition.notify();
  }

  /** A dial failed. */
  dialFailed(cause: Error): void {
    const permanent = !isTransient(cause);
    for (const { condition, patient } of [...this.#calls]) {
      if (permanent || !patient) condition.reject(() => this.#context.errors.connectFailed(cause));
    }
  }

  /** The pool is being closed. */
  closed(): void {
    for (const { condition } of [...this.#calls]) condition.reject(() => this.#context.errors.closed());
  }
}
