import { Buffer } from 'node:buffer'; // the global one is behind a getter
import { Command, Redis } from 'ioredis';
import { arrayOf } from '../util/young.ts';
import { isAlwaysShared } from './command-kinds.ts';
import { TELLS_BYTES, transformers, WITH_CONTEXT } from './internals.ts';

const argumentTransformers = transformers?.argument ?? {};
const replyTransformers = transformers?.reply ?? {};

const { toWritable: encode } = Command.prototype;
const { byteLength } = Buffer;
/** How commands begin, by name and number of arguments, and what is before an argument, by its size in bytes. */
const heads = new Map<string, readonly string[]>();
const HEADS = 8;
const SIZES = Array.from({ length: 1024 }, (_, bytes) => ['\r\n$', bytes, '\r\n'].join(''));

function headOf(name: string, count: number): string {
  let known = heads.get(name);
  if (known === undefined) {
    known = Array.from({ length: HEADS }, (_, i) => makeHead(name, i));
    heads.set(name, known);
  }
  return known[count] ?? makeHead(name, count);
}

/** Joined, not added: the text is then in one piece, and faster to write. */
function makeHead(name: string, count: number): string {
  return ['*', count + 1, '\r\n$', byteLength(name), '\r\n', name].join('');
}

/** The methods that ioredis itself calls on a command. */
interface Internals {
  stringifyArguments(): void;
  transformReply(reply: unknown): unknown;
  _clearTimers(): void;
}

/**
 * An instance of ioredis' Command, made without Command's constructor: it has what a plain command needs and nothing
 * else, since with thousands of callers the allocations of a command determine the speed. It does not support
 * callbacks, key prefixes and friendly error stacks; for those ioredis' own is used.
 */
export abstract class BareCommand {
  isResolved = false;
  isSettled = false;
  inTransaction = false;
  isTraced = false;
  bufferMode = false;
  protocol = 2;
  replyMapping = 'legacy';

  constructor(
    readonly name: string,
    public args: unknown[],
    readonly replyEncoding: 'utf8' | null,
  ) {}

  abstract reject(error: unknown): void;

  /** Passes the value on to whoever waits for it. */
  protected abstract tell(value: unknown): void;

  /** Encodes it as ioredis does, in half the time, unless somebody has put another method in the place of ioredis'. */
  toWritable(stream: object): string | Buffer {
    const { name, args } = this;
    const { toWritable } = Command.prototype;
    if (this.bufferMode || toWritable !== encode) return toWritable.call(this, stream);
    let text = headOf(name, args.length);
    for (let i = 0; i < args.length; i++) {
      const bytes = byteLength(args[i] as string);
      text += SIZES[bytes] ?? `\r\n$${bytes}\r\n`;
      text += args[i];
    }
    return `${text}\r\n`;
  }

  /** Resolves with a reply from ioredis' decoder, in which strings are Buffers. */
  resolve(reply: unknown): void {
    try {
      this.#settle((this as unknown as Internals).transformReply(reply));
    } catch (error) {
      this.reject(error);
    }
  }

  /** Resolves with a reply in which strings have the wanted type already. */
  answer(reply: unknown): void {
    if (replyTransformers[this.name] === undefined) {
      this.#settle(reply);
      return;
    }
    try {
      this.#settle(transformed(this, reply));
    } catch (error) {
      this.reject(error);
    }
  }

  #settle(value: unknown): void {
    this.isResolved = true;
    this.isSettled = true;
    this.tell(value);
  }

  /** Converts the arguments; throws if one has no text, or if the transformer throws. Returns whether it had to. */
  protected prepare(): boolean {
    const transform = argumentTransformers[this.name];
    if (transform === undefined && areStrings(this.args)) return false;
    this.args = flat(this.args);
    if (transform !== undefined) this.args = transform(this.args) as unknown[];
    (this as unknown as Internals).stringifyArguments();
    return true;
  }
}

Object.setPrototypeOf(BareCommand.prototype, Command.prototype);

/** What a transformer is told of a command. */
export type Transformed = Pick<BareCommand, 'name' | 'protocol' | 'replyMapping'>;

/** The reply to a command, with its strings as they are wanted, after the transformer of its name. */
export function transformed(
  { name: commandName, protocol, replyMapping }: Transformed,
  reply: unknown,
): unknown {
  const transform = replyTransformers[commandName];
  if (transform === undefined) return reply;
  return WITH_CONTEXT ? transform(reply, { commandName, protocol, replyMapping }) : transform(reply);
}

/** A command by itself. If its arguments cannot be converted, it is rejected already. */
export class LeanCommand extends BareCommand {
  readonly promise: Promise<unknown>;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;

  constructor(name: string, args: unknown[], replyEncoding: 'utf8' | null) {
    super(name, args, replyEncoding);
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    try {
      if (this.prepare()) keepBytes(this);
    } catch (error) {
      this.reject(error);
    }
  }

  reject(error: unknown): void {
    this.isSettled = true;
    this.#reject(error);
  }

  protected tell(value: unknown): void {
    this.#resolve(value);
  }
}

/**
 * A command that was sent, as ioredis queues it until its reply comes. Not a literal, which might come to be allocated
 * in the old generation: see util/young.ts.
 */
export class SentCommand {
  constructor(
    readonly command: unknown,
    readonly stream: unknown,
    readonly select: number | undefined,
  ) {}
}

/** A method of a client that sends one command, which leaves nothing behind and can be a {@link LeanCommand}. */
export interface CommandMethod {
  readonly method: string;
  readonly command: string;
  readonly encoding: 'utf8' | null;
  /** As ioredis has it. */
  readonly full: (this: unknown, ...args: unknown[]) => unknown;
}

/** All of them; none, where ioredis does not say which there are. */
export function commandMethods(): CommandMethod[] {
  const prototype = Redis.prototype as unknown as Record<string, CommandMethod['full']>;
  const { getBuiltinCommands } = Redis.prototype as unknown as { getBuiltinCommands?(): string[] };
  const commands = getBuiltinCommands?.call(Redis.prototype) ?? [];
  return commands.filter(isAlwaysShared).flatMap((command) =>
    [[command, 'utf8'] as const, [`${command}Buffer`, null] as const].flatMap(([method, encoding]) => {
      const full = prototype[method];
      return full ? [{ method, command, encoding, full }] : [];
    }),
  );
}

/**
 * Gives a lean command its own bound methods, as ioredis' commands have them: instrumentations call them unbound, or
 * replace them.
 */
export function unbind(command: object): void {
  if (!(command instanceof BareCommand) || Object.hasOwn(command, 'resolve')) return;
  for (const method of ['resolve', 'reject'] as const) {
    const shared = command[method];
    command[method] = (outcome) => {
      (command as unknown as Internals)._clearTimers();
      shared.call(command, outcome);
    };
  }
}

/**
 * Encodes a command with Buffers among its arguments now: it is written at the end of the tick or later, and the caller
 * may reuse the Buffers at once, as with ioredis, which writes within the call. This copies them once, as ioredis does.
 * All other arguments are copied by ioredis already.
 */
export function keepBytes(given: object): void {
  const command = given as {
    args: (string | Buffer)[];
    name: string;
    bufferMode?: boolean;
    toWritable(): Buffer;
  };
  const { name, args, bufferMode } = command;
  if (!(TELLS_BYTES ? bufferMode : args.some((arg) => arg instanceof Buffer))) return;
  if (!command.toWritable || !isWrittenPlainly(command)) {
    // A script's command, whose encoding depends on its socket; or ioredis calls it differently.
    for (const [i, arg] of args.entries()) if (arg instanceof Buffer) args[i] = Buffer.from(arg);
    return;
  }
  let written: Buffer;
  try {
    written = write(name, args);
  } catch {
    return; // it is too large: sending it will fail with an error
  }
  command.toWritable = () => written;
}

/** Whether nobody else can change what a command is written with, so that it may be written once more. */
export function hasOwnBytes(given: object): boolean {
  const command = given as Pick<Command, 'args' | 'toWritable'>;
  return !isWrittenPlainly(command) || !command.args.some((arg) => arg instanceof Buffer);
}

/** Whether it is encoded as all commands are, when it is sent. */
function isWrittenPlainly({ toWritable }: { readonly toWritable: unknown }): boolean {
  return toWritable === Command.prototype.toWritable || toWritable === LeanCommand.prototype.toWritable;
}

/** Encodes a command as ioredis does. From then on the Buffers among `args` are slices of the encoding. */
function write(name: string, args: (string | Buffer)[]): Buffer {
  let text = `${headOf(name, args.length)}\r\n`;
  let length = byteLength(text);
  for (const arg of args) {
    const bytes = typeof arg === 'string' ? Buffer.byteLength(arg) : arg.length;
    length += `$${bytes}\r\n\r\n`.length + bytes;
  }
  const written = Buffer.allocUnsafe(length);
  let at = 0;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string | Buffer;
    if (typeof arg === 'string') {
      text += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`;
      continue;
    }
    at += written.write(`${text}$${arg.length}\r\n`, at);
    args[i] = written.subarray(at, at + arg.length);
    at += arg.copy(written, at);
    text = '\r\n';
  }
  written.write(text, at);
  return written;
}

/** Like `args.flat()`, which takes much longer. */
function flat(args: readonly unknown[]): unknown[] {
  const all: unknown[] = arrayOf();
  for (const arg of args) {
    if (!Array.isArray(arg)) all.push(arg);
    else for (let i = 0; i < arg.length; i++) if (arg[i] !== undefined || i in arg) all.push(arg[i]);
  }
  return all;
}

function areStrings(args: readonly unknown[]): boolean {
  for (const arg of args) if (typeof arg !== 'string') return false;
  return true;
}

/** Of shorter text the length is taken, though text beyond ASCII has up to three times as many bytes. */
const LONG = 256;

/** The size of a command's arguments in bytes, approximate for short text. */
export function bytesOf({ args }: Command): number {
  let bytes = 0;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string | Buffer | undefined;
    if (typeof arg === 'string') bytes += arg.length < LONG ? arg.length : Buffer.byteLength(arg);
    else bytes += arg?.length ?? 0; // some arguments cannot be sent
  }
  return bytes;
}
