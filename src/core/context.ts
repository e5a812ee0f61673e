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
