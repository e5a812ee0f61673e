import type { PoolSlot } from './context.ts';
import type { Dialer } from './dialer.ts';
import type { PoolErrors } from './pool-errors.ts';
import type { Readiness } from './readiness.ts';
import type { WaitQueue } from './wait-queue.ts';

/** What those are told who wait while dials fail. */
export class Outage {
  readonly #connections: Dialer;
  readonly #waiters: WaitQueue<PoolSlot>;
  readonly #readiness: Readiness;
  readonly #admission: PoolErrors;

  constructor(
    connections: Dialer,
    waiters: WaitQueue<PoolSlot>,
    readiness: Readiness,
    admission: PoolErrors,
  ) {
    this.#connections = connections;
    this.#waiters = waiters;
    this.#readiness = readiness;
    this.#admission = admission;
  }

  /** With no connection left, everyone hears of it; while some stand, the first in line alone. */
  dialFailed(cause: Error): void {
    const first = this.#waiters.first;
    this.#readiness.fail(() => this.#admission.connectFailed(cause));
    if (!this.#connections.hasOpen) this.#waiters.failAll(() => this.#admission.connectFailed(cause));
    else if (first) this.#waiters.fail(first, this.#admission.connectFailed(cause));
    this.#connections.dialMore();
  }

  /** With the last connection, the hope of those in line may have gone: then they hear of it at once. */
  look(): void {
    const { lastError } = this.#connections;
    if (!lastError || !this.#connections.down) return;
    this.#waiters.failAll(() => this.#admission.connectFailed(lastError));
    this.#connections.dialMore();
  }
}
