import type { ResolvedOptions } from '../api/options.ts';
import type { Connection, Dependencies } from './dependencies.ts';
import type { Events } from './events.ts';
import type { PoolErrors } from './pool-errors.ts';
import type { Slot, Slots } from './slot.ts';

/** The slot of one connection. */
export type PoolSlot = Slot<Connection>;

/** What the parts of one pool share. */
export interface PoolContext {
  readonly options: ResolvedOptions;
  readonly deps: Dependencies;
  readonly slots: Slots<Connection>;
  readonly events: Events;
  readonly errors: PoolErrors;
}

/** Why the connection of `slot` is lost, for the error of a command that was lost with it. */
export function whyLost({ connection, closedAs }: PoolSlot): Error {
  if (closedAs && closedAs !== 'broken') return new Error(`the pool closed the connection: ${closedAs}`);
  return connection?.error ?? new Error('the server closed the connection');
}

/** What the pool of connections reports. */
export interface ConnectionPoolOwner {
  /** One more caller waits for whom there is no capacity; there are so many now. */
  waiting(callers: number): void;
  /** The connection of a lease was lost, and what it has not answered is not rejected yet. */
  leaseLost(slot: PoolSlot): void;
}
