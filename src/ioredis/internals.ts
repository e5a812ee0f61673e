import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Command, type Redis } from 'ioredis';
import { warnThrown } from '../util/warn.ts';
import { inOurOwnWords } from './redact.ts';

/*
 * What is built upon of ioredis that it does not promise to keep: the one place that knows how to tell whether it is
 * there. What can be done without is then done in ioredis' own way; without the rest no connection is made.
 */

/** A command as ioredis makes it. */
interface MadeCommand {
  readonly toWritable?: unknown;
  readonly transformReply?: unknown;
  readonly stringifyArguments?: unknown;
}

/** What ioredis does to arguments, or to a reply, of certain commands. */
export type Transformer = (value: unknown, context?: object) => unknown;
type Transformers = Readonly<Record<'argument' | 'reply', Readonly<Record<string, Transformer | undefined>>>>;

/** ioredis' own tables, which `Command.setArgumentTransformer` and `setReplyTransformer` fill. */
export const transformers = Reflect.get(Command, '_transformer') as Partial<Transformers> | undefined;

/** ioredis 6 tells a command what its reply will look like, and gives that to the command's reply transformer. */
export const WITH_CONTEXT = 'setReplyContext' in Command.prototype;

/** How deep ioredis' own decoder reads lists within lists before the stack is full; it takes calls for each level. */
export const MOST_LEVELS = WITH_CONTEXT ? 1000 : 2000;

/** What a command of ioredis consists of, in all versions that are known. */
const PARTS_OF_COMMAND = new Set([
  ...['name', 'args', 'callback', 'errorStack', 'replyEncoding', 'promise', 'resolve', 'reject'],
  ...['inTransaction', 'isTraced', 'isResolved', 'isSettled', 'transformed', 'protocol', 'replyMapping'],
]);

const OUR_COMMAND = new Command('get', ['k'], { replyEncoding: 'utf8' });

/** Whether a command with bytes among its arguments says so. */
export const TELLS_BYTES = Reflect.get(new Command('set', ['k', Buffer.of(0)]), 'bufferMode') === true;

/** Methods of commands that a `SharedCommand` passes by. */
const passedBy = Command.prototype as unknown as Record<
  'initPromise' | 'transformReply' | '_convertValue',
  object | undefined
>;
const { initPromise, transformReply: transforming, _convertValue } = passedBy;

/** Whether somebody has put others in their place since, as some APMs do. */
export function isCommandChanged(): boolean {
  return (
    passedBy.initPromise !== initPromise ||
    passedBy.transformReply !== transforming ||
    passedBy._convertValue !== _convertValue
  );
}

/** Whether it is as a class has it, and so nobody had put his own there before. */
const isMethod = (value: unknown): boolean =>
  value === undefined || (typeof value === 'function' && !Object.hasOwn(value, 'prototype'));

/** Whether commands are made as a `SharedCommand` expects it. */
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

/** The sendCommand that was looked at last, and what came of it: it is the same one nearly always. */
let lookedAt: unknown;
let found = false;

/**
 * Whether ioredis' sendCommand is its own, neither a subclass' nor an instrumentation's, which may come at any time, and
 * does what is known of it.
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

/** What a client's queue of unanswered commands must be able to do. */
const METHODS_OF_QUEUE = ['push', 'shift', 'peekFront', 'peekBack', 'peekAt'] as const;

/** Looks at a client that has just connected, and is sending its first commands; says what it lacks. */
function lacks(client: Redis): string | undefined {
  for (const part of ['stream', 'condition', 'commandQueue', 'scriptsSet', 'addedBuiltinSet'] as const) {
    if (typeof client[part] !== 'object' || client[part] === null) return part;
  }
  const queue = client.commandQueue;
  if (typeof queue.length !== 'number') return 'commandQueue.length';
  const method = METHODS_OF_QUEUE.find((one) => typeof queue[one] !== 'function');
  if (method) return `commandQueue.${method}`;
  // Another copy of ioredis may ask of a command what those of the pool's own have not.
  for (const [, called] of String(client.sendCommand).matchAll(/\bcommand\.(\w+)\(/g)) {
    if (called && !(called in OUR_COMMAND)) return `Command.${called}, in the ioredis that the pool imports,`;
  }
  const first = queue.peekFront();
  if (first === undefined) return undefined; // it has nothing to say
  const command = first.command as Command | undefined;
  return typeof command?.resolve === 'function' && typeof command.reject === 'function'
    ? undefined
    : 'the command in an item of commandQueue';
}

/** What each class of clients lacks; all of one are made alike. */
const looked = new WeakMap<object, Error | 'nothing'>();

/** Why a client that has just connected cannot be used; looks once at those of a class. */
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

/** Whether ioredis tells of a reply that nobody had asked for; it says no more of it then. */
export function tellsOfStray(error: Error): boolean {
  const [text] = /^Command queue state error/.exec(error.message) ?? [];
  if (text === undefined) return false;
  error.message = text;
  error.stack = `${error.name}: ${text}`; // which has it too
  return true;
}

/** Drops what such a client has sent: when it is closed, it might stumble over that. */
export function dropSent({ commandQueue }: Redis): void {
  if (typeof commandQueue?.shift !== 'function') return;
  while (commandQueue.shift()) {}
}

/** Of the ioredis that `client` comes from: there may be several. Looked up only to name it. */
function versionOf(client: Redis): string {
  const require = createRequire(process.execPath); // for what it knows: any path would do
  for (const loaded of Object.values(require.cache)) {
    if (!loaded || !/[\\/]built[\\/]index\.js$/.test(loaded.filename)) continue;
    const { Redis: Class } = loaded.exports as { Redis?: unknown };
    if (typeof Class !== 'function' || !(client instanceof Class)) continue;
    return require(join(dirname(loaded.filename), '..', 'package.json')).version;
  }
  return '(of unknown version)';
}

/**
 * Rejects `command`; what its `reject` throws, which somebody may have put there, is his own matter, and hurts nobody
 * who is rejected next.
 */
export function rejectSafely(command: Pick<Command, 'name' | 'reject'>, error: unknown): void {
  try {
    command.reject(error as Error);
  } catch (thrown) {
    warnThrown(`to reject ${command.name} failed`, thrown);
  }
}
