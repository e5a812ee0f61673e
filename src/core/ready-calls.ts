import type { ReadyOptions } from '../api/redis-pool.ts';
import { Condition } from '../util/condition.ts';
import { onAbort } from './abort-signals.ts';
import type { PoolContext } from './context.ts';
import { isTransient } from './transient.ts';

interface Call {
  readonly condition: Condition;
  /** A `timeoutMs` was given: a dial that fails with a transient cause is tried again until then. */
  readonly patient: boolean;
  /** It is for a connection that is idle, not for one that somebody has. */
  readonly forIdle: boolean;
}

/** What the calls need to know of the pool. */
interface ReadyOwner {
  isReady(): boolean;
  hasIdle(): boolean;
  lastConnectError(): Error | undefined;
  /** No call is in progress any more. */
  ended(): void;
}

/** The calls of `ready()` and `oneIdle()` in progress. */
export class ReadyCalls {
  readonly #context: PoolContext;
  readonly #owner: ReadyOwner;
  readonly #calls = new Set<Call>();

  constructor(context: PoolContext, owner: ReadyOwner) {
    this.#context = context;
    this.#owner = owner;
  }

  /** Whether there is one that waits for an idle connection. */
  get anyForIdle(): boolean {
    for (const { forIdle } of this.#calls) if (forIdle) return true;
    return false;
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
    const refused = unreachable && !(patient && isTransient(unreachable));
    if (signal?.aborted || refused) {
      this.#endIfNone();
      throw signal?.aborted ? errors.aborted(0, signal) : errors.connectFailed(unreachable as Error);
    }
    const waited = { since: deps.clock.now(), timeoutMs: timeoutMs ?? options.acquireTimeoutMs, signal };
    const condition = this.#add(
      () => this.#owner.isReady(),
      { patient, forIdle: false },
      () => ignore?.(),
    );
    const ignore = signal && onAbort(signal, () => condition.reject(() => errors.gaveUp(waited, 'abort')));
    await condition.wait(waited.timeoutMs, () => {
      const error = this.#owner.lastConnectError();
      return patient && error ? errors.connectFailed(error) : errors.gaveUp(waited, 'timeout');
    });
  }

  /** Resolves when a connection is idle; rejects if a dial fails. */
  oneIdle(): Promise<void> {
    const condition = this.#add(() => this.#owner.hasIdle(), { patient: false, forIdle: true });
    return condition.wait(Number.POSITIVE_INFINITY, () => undefined);
  }

  /** Something has changed. */
  notify(): void {
    for (const { condition } of [...this.#calls]) condition.notify();
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

  #endIfNone(): void {
    if (this.#calls.size === 0) this.#owner.ended();
  }

  #add(met: () => boolean, kind: Omit<Call, 'condition'>, settled = (): void => {}): Condition {
    const condition = new Condition(this.#context.deps.clock, met, () => {
      this.#calls.delete(call);
      settled();
      this.#endIfNone();
    });
    const call = { condition, ...kind };
    this.#calls.add(call);
    return condition;
  }
}
