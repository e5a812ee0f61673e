import type { Lease } from '../../api/lease.ts';

/** A lease that is out. */
export interface MockLease {
  readonly connectionId: number;
  /** When it was handed out, on the mock's clock. Milliseconds. */
  readonly since: number;
  /** Where it was acquired. */
  readonly stack: string;
}

/** Remembers leases until they come back. */
export class OpenLeases {
  readonly #out = new Map<Lease, MockLease>();

  add(lease: Lease, since: number, stack: string): void {
    const { connectionId } = lease;
    this.#out.set(lease, Object.freeze({ connectionId, since, stack: stack.replace(/^Error.*\n/, '') }));
  }

  /** Those that have not come back. */
  get open(): readonly MockLease[] {
    for (const lease of this.#out.keys()) {
      // A lease is cut off from its connection when it comes back.
      if ((lease.stream as unknown) === undefined) this.#out.delete(lease);
    }
    return [...this.#out.values()];
  }
}
