import { AsyncResource } from 'node:async_hooks';
import type { AcquireRequest } from './wait-queue.ts';

/**
 * Binds a request that has to wait to the async context of its caller: a trace, or a log by request, wants the
 * listeners of `acquire` called in that context, though the request is served when somebody else releases a connection.
 */
export function bindAsyncContext<S>(this: AcquireRequest<S>): void {
  const { served, failed } = this;
  const context = new AsyncResource('RedisPoolAcquire');
  this.served = (slot, waitedMs) => {
    context.runInAsyncScope(served, undefined, slot, waitedMs);
    context.emitDestroy();
  };
  this.failed = (error) => {
    context.emitDestroy();
    failed(error);
  };
}
