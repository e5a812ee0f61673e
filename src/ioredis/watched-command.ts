import { AsyncResource } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import { type Command, Redis } from 'ioredis';
import { isCommandChanged, rejectSafely, sendsAsKnown } from './internals.ts';
import { unbind } from './lean-command.ts';

const WATCHED = Symbol('watched');

/** Looked up once: in CommonJS, what is imported is behind a getter. */
const ofAll: Sender = Redis.prototype;

type Sender = Pick<Redis, 'sendCommand'>;

/**
 * A command of which somebody will be told who has put something around ioredis' sendCommand, or listens to its tracing:
 * OpenTelemetry, an APM. He must find what he finds with a client of one's own, though it is sent at the end of the tick
 * or later: the async context of whoever gave it, and that one gets what comes out of sendCommand.
 */
class Watched {
  /** It was told. What is sent again, since a connection was lost, is not told again. */
  told = false;
  /** Takes what comes out of sendCommand. */
  returned: (promise: unknown) => void = ignore;

  constructor(readonly context: AsyncResource) {}
}

/** Whether somebody watches all commands now. Asked for each of them. */
export function areWatched(): boolean {
  return !sendsAsKnown(ofAll) || areCommandsTraced() || isCommandChanged();
}

/** Watches over a command of its own; returns what whoever gave it gets. */
export function watch(command: Command): Promise<unknown> {
  const watched = watchIn(command, new AsyncResource('RedisPoolCommand'));
  const answer = new Promise((resolve) => {
    watched.returned = (promise) => resolve(isPromise(promise) ? promise : command.promise);
    const never = (): void => resolve(command.promise); // it was refused, and never sent
    command.promise.then(never, never);
  });
  if (hasCallback(command)) ignore(answer);
  return answer;
}

/** Watches over one of a group, which was given in `context`. */
export function watchIn(command: Command, context: AsyncResource): Watched {
  const watched = new Watched(context);
  Object.defineProperty(command, WATCHED, { value: watched, configurable: true }); // it may be given once more
  return watched;
}

/** Whether whoever gave it hears of its error in a callback. */
export function hasCallback(command: Command): boolean {
  return typeof Reflect.get(command, 'callback') === 'function';
}

function watchedOf(command: Command): Watched | undefined {
  return (command as { [WATCHED]?: Watched })[WATCHED];
}

/** Whether somebody is, or was, told of it, who may have replaced its methods. */
export function isWatched(command: Command): boolean {
  return watchedOf(command) !== undefined;
}

/** Whether somebody is still to be told of it. */
export function isUntold(command: Command): boolean {
  return watchedOf(command)?.told === false;
}

/** Hands `command` to `sender`, whose sendCommand may be anybody's. */
export function handOver(command: Command, sender: Sender): void {
  const watched = watchedOf(command);
  unbind(command);
  const send = (): unknown => sender.sendCommand(command);
  try {
    const promise = watched ? watched.context.runInAsyncScope(send) : send();
    if (watched) watched.returned(promise);
    else if (promise !== command.promise) ignore(promise);
  } catch (error) {
    rejectSafely(command, error); // it cannot be written, as a text that is too long
  }
  if (watched) watched.told = true;
}

/** Has a rejection of `promise`, which is derived from one that somebody has, bother nobody. */
export function ignore(promise: unknown): void {
  if (isPromise(promise)) promise.then(undefined, () => {});
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}

const channelOf = (what: string, step: string) => channel(`tracing:ioredis:${what}:${step}`);
const STEPS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
/** ioredis' own tracing. With a subscriber, commands go the long way, which is traced. */
const TRACING = ['command', 'batch'].flatMap((what) => STEPS.map((step) => channelOf(what, step)));
// Those of commands have names of their own: to look into constants costs next to nothing.
const start = channelOf('command', 'start');
const end = channelOf('command', 'end');
const asyncStart = channelOf('command', 'asyncStart');
const asyncEnd = channelOf('command', 'asyncEnd');
const failed = channelOf('command', 'error');

/** Whether somebody listens to ioredis' tracing of commands, or of transactions. */
export function isTracing(): boolean {
  return TRACING.some((one) => one.hasSubscribers);
}

/** Whether somebody listens to ioredis' tracing of commands. Asked for each of them. */
function areCommandsTraced(): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    failed.hasSubscribers
  );
}

/** Whether this client has a sendCommand that is not that of all. */
export function isWrapped(client: Redis): boolean {
  return client.sendCommand !== Redis.prototype.sendCommand && !sendsAsKnown(client);
}

/** Whether the options of a client give its sendCommand nothing to do besides. */
export function hasPlainOptions({ options }: Redis): boolean {
  const { commandTimeout, socketTimeout, himportFieldsets } = options as Redis['options'] & {
    himportFieldsets?: unknown;
  };
  const debug = /ioredis|\*/.test(process.env['DEBUG'] ?? '');
  const busy = commandTimeout !== undefined || socketTimeout !== undefined || !!himportFieldsets;
  return !debug && !busy;
}
