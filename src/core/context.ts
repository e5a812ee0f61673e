import { PoolError, type PoolErrorCode } from '../api/errors.ts';
import type { ResolvedOptions } from '../api/options.ts';
import type { Connection, Dependencies } from './dependencies.ts';
import type { Events } from './events.ts';
import type { Slot, Slots } from './slot.ts';

/** A place for one connection. */
export type PoolSlot = Slot<Connection>;

/** What the parts of one pool share. */
export interface PoolContext {
  readonly options: ResolvedOptions;
  readonly deps: Dependencies;
  readonly slots: Slots<Connection>;
  readonly events: Events;
}

/** Why the connection of `slot` is lost, for the error of a command that was lost with it. */
export function whyLost({ connection, closedAs }: PoolSlot): Error {
  if (closedAs && closedAs !== 'broken') return new Error(`the pool closed the connection: ${closedAs}`);
  return connection?.error ?? new Error('the server closed the connection');
}

/** An error of this pool, with its numbers. */
export function poolError(
  { events }: PoolContext,
  code: PoolErrorCode,
  message: string,
  cause?: unknown,
): PoolError {
  if (code !== 'POOL_INVALID_OPTION') events.countError(code);
  return new PoolError(code, `${message} [${events.pool}]`, {
    pool: events.pool,
    stats: events.stats(),
    cause,
  });
}
