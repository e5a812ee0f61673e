import { AsyncResource } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import { type Command, Redis } from 'ioredis';
import { isCommandChanged, rejectSafely, sendsAsKnown } from './internals.ts';
import { unbind } from './lean-command.ts';

const WATCHED = Symbol('watched');

/** Read once: in CommonJS, an import is behind a getter. */
const ofAll: Sender = Redis.prototype;

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

/** Whether somebody observes all commands now. Called for each command. */
export function areWatched(): boolean {
  return !sendsAsKnown(ofAll) || areCommandsTraced() || isCommandChanged();
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

const channelOf = (what: string, step: string) => channel(`tracing:ioredis:${what}:${step}`);
const STEPS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
/** ioredis' own tracing. With a subscriber, commands are sent through ioredis' own code, which is traced. */
const TRACING = ['command', 'batch'].flatMap((what) => STEPS.map((step) => channelOf(what, step)));
// The channels of commands are separate constants: reading those costs next to nothing.
const start = channelOf('command', 'start');
const end = channelOf('command', 'end');
const asyncStart = channelOf('command', 'asyncStart');
const asyncEnd = channelOf('command', 'asyncEnd');
const failed = channelOf('command', 'error');

/** Whether ioredis' tracing of commands, or of transactions, has subscribers. */
export function isTracing(): boolean {
  return TRACING.some((one) => one.hasSubscribers);
}

/** Whether ioredis' tracing of commands has subscribers. Called for each command. */
function areCommandsTraced(): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    failed.hasSubscribers
  );
}

/** Whether this client itself has another sendCommand than its class. */
export function isWrapped(client: Redis): boolean {
  return client.sendCommand !== Redis.prototype.sendCommand && !sendsAsKnown(client);
}

/** Whether the options of a client give its sendCommand no additional work. */
export function hasPlainOptions({ options }: Redis): boolean {
  const { commandTimeout, socketTimeout, himportFieldsets } = options as Redis['options'] & {
    himportFieldsets?: unknown;
  };
  const debug = /ioredis|\*/.test(process.env['DEBUG'] ?? '');
  const busy = commandTimeout !== undefined || socketTimeout !== undefined || !!himportFieldsets;
  return !debug && !busy;
}
