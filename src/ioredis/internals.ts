import { channel } from 'node:diagnostics_channel';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Command, Redis, type RedisOptions } from 'ioredis';
import { warnThrown } from '../util/warn.ts';
import { inOurOwnWords } from './redact.ts';

/*
 * The internals of ioredis that the pool relies on: the only place that checks whether they are there. Where an
 * optional one is missing, ioredis' own way is used; without a necessary one no connection is made.
 */

/** A command of ioredis. */
interface MadeCommand {
  readonly toWritable?: unknown;
  readonly transformReply?: unknown;
  readonly stringifyArguments?: unknown;
}

/** Transforms the arguments, or the reply, of certain commands. */
export type Transformer = (value: unknown, context?: object) => unknown;
type Transformers = Readonly<Record<'argument' | 'reply', Readonly<Record<string, Transformer | undefined>>>>;

/** ioredis' own tables, filled by `Command.setArgumentTransformer` and `setReplyTransformer`. */
export const transformers = Reflect.get(Command, '_transformer') as Partial<Transformers> | undefined;

/** ioredis 6 sets the shape of the reply on a command, and passes it to the command's reply transformer. */
export const WITH_CONTEXT = 'setReplyContext' in Command.prototype;

/** How deeply nested lists ioredis' own decoder can read: it recurses, and the stack is limited. */
export const MOST_LEVELS = WITH_CONTEXT ? 1000 : 2000;

/** The properties of a command of ioredis, in all known versions. */
const PARTS_OF_COMMAND = new Set([
  ...['name', 'args', 'callback', 'errorStack', 'replyEncoding', 'promise', 'resolve', 'reject'],
  ...['inTransaction', 'isTraced', 'isResolved', 'isSettled', 'transformed', 'protocol', 'replyMapping'],
]);

const OUR_COMMAND = new Command('get', ['k'], { replyEncoding: 'utf8' });

/** Whether a command with Buffers among its arguments has a flag for it. */
export const TELLS_BYTES = Reflect.get(new Command('set', ['k', Buffer.of(0)]), 'bufferMode') === true;

/** Methods of commands that a `LeanCommand` does not call. */
const passedBy = Command.prototype as unknown as Record<
  'initPromise' | 'transformReply' | '_convertValue',
  object | undefined
>;
const { initPromise, transformReply: transforming, _convertValue } = passedBy;

/** Whether somebody has replaced these since, as some APMs do. */
export function isCommandChanged(): boolean {
  return (
    passedBy.initPromise !== initPromise ||
    passedBy.transformReply !== transforming ||
    passedBy._convertValue !== _convertValue
  );
}

/** Whether the method is as its class defines it: nobody had replaced it before. */
export const isMethod = (value: unknown): boolean =>
  value === undefined || (typeof value === 'function' && !Object.hasOwn(value, 'prototype'));

/** Whether ioredis' commands are as a `LeanCommand` expects them. */
export const KNOWN_COMMAND = ((): boolean => {
  const { toWritable, transformReply, stringifyArguments } = OUR_COMMAND as unknown as MadeCommand;
  return (
    [toWritable, transformReply, stringifyArguments].every((one) => typeof one === 'function') &&
    [initPromise, transforming, _convertValue].every(isMethod) &&
    transformers?.argument !== undefined &&
    transformers.reply !== undefined &&
    Reflect.get(OUR_COMMAND, 'replyEncoding') === 'utf8' &&
    Object.keys(OUR_COMMAND).every((part) => PARTS_OF_COMMAND.has(part))
  );
})();

/** The sendCommand that was checked last, with the result: it is nearly always the same one. */
let lookedAt: unknown;
let found = false;

/**
 * Whether sendCommand is ioredis' own, not that of a subclass or of an instrumentation (which may be added at any
 * time), and does what is known of it.
 */
export function sendsAsKnown({ sendCommand }: Pick<Redis, 'sendCommand'>): boolean {
  if (sendCommand === lookedAt) return found;
  const text = Function.prototype.toString.call(sendCommand);
  lookedAt = sendCommand;
  found =
    /\bcommandQueue\.push\(\{\s*command\b/.test(text) &&
    text.includes('.toWritable(') &&
    text.includes('.setReplyContext(') === WITH_CONTEXT;
  return found;
}

/** Read once: in CommonJS, an import is behind a getter. */
const ofAll: Pick<Redis, 'sendCommand'> = Redis.prototype;

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

/** Whether somebody observes all commands now. Called for each command. */
export function areWatched(): boolean {
  return !sendsAsKnown(ofAll) || areCommandsTraced() || isCommandChanged();
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

/** Whether commands of a client with these options need nothing that a `LeanCommand` has not. */
export function canUseLeanCommands({
  keyPrefix,
  showFriendlyErrorStack,
  commandTimeout,
}: RedisOptions): boolean {
  return KNOWN_COMMAND && !keyPrefix && !showFriendlyErrorStack && commandTimeout === undefined;
}

/** The methods of a client's queue of unanswered commands that are used. */
const METHODS_OF_QUEUE = ['push', 'shift', 'peekFront', 'peekBack', 'peekAt'] as const;

/** Checks a client that has just connected, and is sending its first commands; returns what it lacks. */
function lacks(client: Redis): string | undefined {
  for (const part of ['stream', 'condition', 'commandQueue', 'scriptsSet', 'addedBuiltinSet'] as const) {
    if (typeof client[part] !== 'object' || client[part] === null) return part;
  }
  const queue = client.commandQueue;
  if (typeof queue.length !== 'number') return 'commandQueue.length';
  const method = METHODS_OF_QUEUE.find((one) => typeof queue[one] !== 'function');
  if (method) return `commandQueue.${method}`;
  // Another copy of ioredis may need properties of a command that commands of the pool's copy do not have.
  for (const [, called] of String(client.sendCommand).matchAll(/\bcommand\.(\w+)\(/g)) {
    if (called && !(called in OUR_COMMAND)) return `Command.${called}, in the ioredis that the pool imports,`;
  }
  const first = queue.peekFront();
  if (first === undefined) return undefined; // it sends no commands
  const command = first.command as Command | undefined;
  return typeof command?.resolve === 'function' && typeof command.reject === 'function'
    ? undefined
    : 'the command in an item of commandQueue';
}

/** What each class of clients lacks; all clients of a class are alike. */
const looked = new WeakMap<object, Error | 'nothing'>();

/** Why a client that has just connected cannot be used; checked once for each class. */
export function whyForeign(client: Redis): Error | undefined {
  const kind = Object.getPrototypeOf(client) as object; // its `constructor` is EventEmitter
  let verdict = looked.get(kind);
  if (verdict === undefined) {
    const missing = lacks(client);
    verdict = missing
      ? inOurOwnWords(
          new Error(`ioredis ${versionOf(client)} is not made as this pool needs it: ${missing} is missing`),
        )
      : 'nothing';
    if (missing || client.commandQueue.length > 0) looked.set(kind, verdict);
  }
  return verdict === 'nothing' ? undefined : verdict;
}

/** Whether the error is ioredis' report of a reply to no command; removes the reply's text from it then. */
export function tellsOfStray(error: Error): boolean {
  const [text] = /^Command queue state error/.exec(error.message) ?? [];
  if (text === undefined) return false;
  error.message = text;
  error.stack = `${error.name}: ${text}`; // the stack has the text too
  return true;
}

/** Drops the commands that such a client has sent: ioredis might throw on them when it is closed. */
export function dropSent({ commandQueue }: Redis): void {
  if (typeof commandQueue?.shift !== 'function') return;
  while (commandQueue.shift()) {}
}

/** The version of the ioredis that `client` comes from (there may be several), for an error message. */
function versionOf(client: Redis): string {
  const require = createRequire(process.execPath); // for its cache: any path would do
  for (const loaded of Object.values(require.cache)) {
    if (!loaded || !/[\\/]built[\\/]index\.js$/.test(loaded.filename)) continue;
    const { Redis: Class } = loaded.exports as { Redis?: unknown };
    if (typeof Class !== 'function' || !(client instanceof Class)) continue;
    return require(join(dirname(loaded.filename), '..', 'package.json')).version;
  }
  return '(of unknown version)';
}

/**
 * Rejects `command`. Its `reject` may be replaced by somebody else's; a throw of that must not prevent the rejection of
 * other commands.
 */
export function rejectSafely(command: Pick<Command, 'name' | 'reject'>, error: unknown): void {
  try {
    command.reject(error as Error);
  } catch (thrown) {
    warnThrown(`to reject ${command.name} failed`, thrown);
  }
}
