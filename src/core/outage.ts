import type { PoolSlot } from './context.ts';
import type { Connections } from './dialer.ts';
import type { Admission } from './pool-errors.ts';
import type { Readiness } from './readiness.ts';
import type { Waiters } from './wait-queue.ts';

/** What those are told who wait while dials fail. */
export class Outage {
  readonly #connections: Connections;
  readonly #waiters: Waiters<PoolSlot>;
  readonly #readiness: Readiness;
  readonly #admission: Admission;

  constructor(
    connections: Connections,
    waiters: Waiters<PoolSlot>,
    readiness: Readiness,
    admission: Admission,
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
    if (!this.#connections.standing) this.#waiters.failAll(() => this.#admission.connectFailed(cause));
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
