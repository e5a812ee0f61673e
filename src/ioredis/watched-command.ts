import { AsyncResource } from 'node:async_hooks';
import type { Command, Redis } from 'ioredis';
import { rejectSafely } from './internals.ts';
import { unbind } from './lean-command.ts';

const WATCHED = Symbol('watched');

type Sender = Pick<Redis, 'sendCommand'>;

/**
 * A command that is observed by code that wraps ioredis' sendCommand, or subscribes to its tracing: OpenTelemetry, an
 * APM. Although the command is sent at the end of the tick or later, the observer must see what it sees with an
 * ordinary client: the caller's async context; and the caller gets the promise that the wrapped sendCommand returns.
 */
class Watched {
  /** It was passed to the observer. A command that is sent again, after a lost connection, is not observed twice. */
  told = false;
  /** Is called with the return value of sendCommand. */
  returned: (promise: unknown) => void = ignore;

  constructor(readonly context: AsyncResource) {}
}

/** Marks a single command as observed; returns the promise for the caller. */
export function watch(command: Command): Promise<unknown> {
  const watched = watchIn(command, new AsyncResource('RedisPoolCommand'));
  const answer = new Promise((resolve) => {
    watched.returned = (promise) => resolve(isPromise(promise) ? promise : command.promise);
    const never = (): void => resolve(command.promise); // if it is refused, it is never sent
    command.promise.then(never, never);
  });
  if (hasCallback(command)) ignore(answer);
  return answer;
}

/** Marks a command of a group as observed; `context` is the caller's async context. */
export function watchIn(command: Command, context: AsyncResource): Watched {
  const watched = new Watched(context);
  Object.defineProperty(command, WATCHED, { value: watched, configurable: true }); // a caller may send it again
  return watched;
}

/** Whether the caller gets the error in a callback. */
export function hasCallback(command: Command): boolean {
  return typeof Reflect.get(command, 'callback') === 'function';
}

function watchedOf(command: Command): Watched | undefined {
  return (command as { [WATCHED]?: Watched })[WATCHED];
}

/** Whether it is or was observed: the observer may have replaced its methods. */
export function isWatched(command: Command): boolean {
  return watchedOf(command) !== undefined;
}

/** Whether it is still to be passed to the observer. */
export function isUntold(command: Command): boolean {
  return watchedOf(command)?.told === false;
}

/** Passes `command` to `sender`, whose sendCommand may be wrapped. */
export function handOver(command: Command, sender: Sender): void {
  const watched = watchedOf(command);
  unbind(command);
  const send = (): unknown => sender.sendCommand(command);
  try {
    const promise = watched ? watched.context.runInAsyncScope(send) : send();
    if (watched) watched.returned(promise);
    else if (promise !== command.promise) ignore(promise);
  } catch (error) {
    rejectSafely(command, error); // it cannot be encoded, as a string that is too long
  }
  if (watched) watched.told = true;
}

/** Ignores a rejection of `promise`, which is derived from one that the caller has. */
export function ignore(promise: unknown): void {
  if (isPromise(promise)) promise.then(undefined, () => {});
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}
