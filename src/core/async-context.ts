import { AsyncResource } from 'node:async_hooks';
import type { Events } from './events.ts';
import type { AcquireRequest } from './wait-queue.ts';

/**
 * Has those who listen to acquires called in the async context of whoever acquires, even if it is served when somebody else
 * gives a connection back: a trace, or a log by request, needs to know. It costs something only with a wait and a listener.
 */
export function bindAsyncContext<S>(request: AcquireRequest<S>, events: Events): AcquireRequest<S> {
  const { served, failed } = request;
  request.waits = () => {
    if (!events.contextWanted) return;
    const context = new AsyncResource('RedisPoolAcquire');
    request.served = (slot, waitedMs) => {
      context.runInAsyncScope(served, undefined, slot, waitedMs);
      context.emitDestroy();
    };
    request.failed = (error) => {
      context.emitDestroy();
      failed(error);
    };
  };
  return request;
}
