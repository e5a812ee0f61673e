import type { Lease } from '../../api/lease.ts';

/** A lease that was not released. */
export interface MockLease {
  /** Which of the pool's connections it is. */
  readonly connectionId: number;
  /** When it was acquired, on the mock's clock. Milliseconds. */
  readonly since: number;
  /** Where it was acquired. */
  readonly stack: string;
}

/** The leases that were acquired and not released. */
export class OpenLeases {
  readonly #out = new Map<Lease, MockLease>();

  add(lease: Lease, since: number, stack: string): void {
    const { connectionId } = lease;
    this.#out.set(lease, Object.freeze({ connectionId, since, stack: stack.replace(/^Error.*\n/, '') }));
  }

  /** The leases that are not released by now. */
  get open(): readonly MockLease[] {
    for (const lease of this.#out.keys()) {
      // A released lease is detached from its connection.
      if ((lease.stream as unknown) === undefined) this.#out.delete(lease);
    }
    return [...this.#out.values()];
  }
}
