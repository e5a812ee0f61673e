import { isAscii } from 'node:buffer';
import type { Command, Redis } from 'ioredis';
import type { Intake } from '../core/dependencies.ts';
import { warnThrown } from '../util/warn.ts';
import { isCommandChanged, MOST_LEVELS, rejectSafely, sendsAsKnown } from './internals.ts';
import { inOurOwnWords } from './redact.ts';
import { ARRAY, kindOfMessage, type Parts, PUSH, ReplyReader, ReplyScanner, UNREAD } from './reply-reader.ts';

/** Called with the bytes that arrive. */
export type Decoder = (chunk: Buffer) => void;

/** A command of ioredis; a lean command also accepts a reply in which strings have the wanted type already. */
interface Answerable extends Pick<Command, 'name' | 'resolve' | 'reject'>, Partial<Parts> {
  readonly replyEncoding?: string | null;
  answer?(reply: unknown): void;
}

const EMPTY = Buffer.alloc(0);

/** Shorter chunks are not worth a look at whether they are ASCII. Bytes. */
const LOOKED_AT = 1024;

/**
 * Replies nested this deeply are not passed to ioredis in pieces: its decoder may turn out to be unable to read them.
 */
const SUSPICIOUS_LEVELS = 64;

const SUBSCRIBES = /^[ps]?subscribe$/;
const UNASKED = /^([ps]?message|[ps]?unsubscribe)$/;

/**
 * Reads the bytes of a connection before ioredis' decoder. It reads frequent replies itself, and passes the others to
 * ioredis, one at a time, while a reply is pending. A reply when none is pending, one that cannot be read, and any
 * throw meanwhile close the connection; after that, all bytes are ignored.
 */
export class ReplyIntake implements Intake {
  /** Is called with the bytes in place of `read`, which it has to call; set by a lane while it has the connection. */
  listener: Decoder | undefined;
  refused: Intake['refused'];
  /** Called with each error within the reply to EXEC, for which ioredis does not call `reconnectOnError`. */
  told: ((error: Error) => void) | undefined;
  readonly scanner = new ReplyScanner();
  readonly #reader = new ReplyReader();
  /** ioredis would convert such replies to strings, numbers and lists only, as this class does. */
  readonly #plain: boolean;
  readonly #client: Redis;
  readonly #broken: (cause: Error) => void;
  #decoder: Decoder | undefined;
  /** It is known that the decoder settles a command synchronously. */
  #proven = false;
  /** The beginning of a reply that cannot be judged yet. */
  #held: Buffer | undefined;
  /** The reply that is being read is not passed to any command. */
  #skipping = false;
  #closing = false;
  #deaf = false;
  /** The size of the chunk that ended the connection. Bytes. */
  spoilt = 0;
  readonly #stand = new Stand(this);
  #decoding = false;

  /** For a client that has just connected. `broken` is called once, when the connection has to be closed. */
  constructor(client: Redis, broken: (cause: Error) => void) {
    this.#client = client;
    this.#broken = broken;
    const { stream, options } = client;
    const { stringNumbers, replyMapping } = options as { stringNumbers?: boolean; replyMapping?: string };
    this.#plain = !stringNumbers && replyMapping !== 'resp3';
    const [decoder, ...others] = stream.listeners('data') as Decoder[];
    if (decoder === undefined || others.length > 0) return; // this ioredis reads differently
    this.#decoder = decoder;
    stream.off('data', decoder);
    stream.prependListener('data', this.#take);
    this.#catchFatal();
  }

  /** Whether it has replaced ioredis' decoder. If not, ioredis reads by itself, and `listener` is not called. */
  get inFront(): boolean {
    return this.#decoder !== undefined;
  }

  /** Whether a part of a reply has arrived: if none is pending, the connection must not be lent. */
  get midway(): boolean {
    return this.#held !== undefined || this.scanner.midway;
  }

  /** The connection is closing: pending replies may still arrive, and anything else is ignored. */
  close(): void {
    this.#closing = true;
    if (!this.inFront || !this.#owes) this.#deafen();
  }

  /** Gives up the connection. Pending commands are rejected with `cause`, as soon as its socket is closed. */
  fail(cause: Error): void {
    if (this.#deaf) return;
    this.#deafen();
    this.#broken(cause);
  }

  /** Reads `chunk`. */
  read(chunk: Buffer): void {
    let at = 0;
    if (this.#held !== undefined) {
      chunk = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    } else if (this.scanner.midway) {
      at = this.#pass(chunk, 0, false);
    }
    while (at < chunk.length && !this.#deaf) {
      if (this.#decoder === undefined) return; // ioredis has turned out to read differently
      at = this.#answer(chunk, at);
      if (at === chunk.length) break;
      if (this.#isOwed(chunk, at)) {
        this.scanner.begin();
        at = this.#pass(chunk, at, true);
      } else if (this.#held || this.#closing) {
        return;
      } else {
        throw new Unreadable('the server sent what nobody had asked for');
      }
    }
    this.#reader.begin(EMPTY, 0); // else it would retain the chunk
  }

  /** Resolves commands with the replies from `at` on, as far as it can read them; returns where it stopped. */
  #answer(chunk: Buffer, at: number): number {
    const { commandQueue, condition, status } = this.#client;
    if (!this.#plain || !this.#proven || condition?.subscriber || (status as string) === 'monitoring')
      return at;
    const reader = this.#reader;
    const wrapped = !sendsAsKnown(this.#client) || isCommandChanged();
    if (reader.has(chunk)) reader.at = at;
    else reader.begin(chunk, at, chunk.length >= LOOKED_AT && isAscii(chunk));
    while (at < chunk.length) {
      const item = commandQueue.peekFront() as unknown as
        | { command: Answerable; watched?: boolean }
        | undefined;
      if (item === undefined) break;
      const { command } = item;
      // Instrumentations that wrap commands expect Buffers in their replies.
      const watched = wrapped || item.watched === true;
      const text = !watched && command.replyEncoding === 'utf8';
      const reply =
        !text && !watched && command.isText ? reader.readParts(command as Parts) : reader.read(text);
      // ioredis does more with the reply to a subscription than resolve the command.
      if (reply === UNREAD || (Array.isArray(reply) && /subscribe$/i.test(command.name))) break;
      at = reader.at;
      commandQueue.shift();
      try {
        if (command.answer && !watched) command.answer(reply);
        else command.resolve(reply as never);
      } catch (error) {
        rejectSafely(command, error);
        throw error;
      }
    }
    return at;
  }

  get #owes(): boolean {
    return this.#client.commandQueue.length > 0;
  }

  #deafen(): void {
    this.#deaf = true;
    this.#held = undefined;
    if (this.inFront) return;
    const { stream } = this.#client;
    for (const event of ['data', 'readable']) stream.removeAllListeners(event);
    stream.unpipe?.();
    stream.resume(); // else its end would not be emitted
  }

  readonly #take = (chunk: Buffer): void => {
    if (this.#closing && !this.#owes) this.#deaf = true;
    if (this.#deaf) return;
    try {
      if (this.listener) this.listener(chunk);
      else this.read(chunk);
    } catch (error) {
      this.spoilt = chunk.length;
      if (!(error instanceof Unreadable)) warnThrown('what was called with a reply threw', error);
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  };

  /** Whether the reply at `at` is expected, or is a push. If that cannot be judged yet, its beginning is held. */
  #isOwed(chunk: Buffer, at: number): boolean {
    const { commandQueue, condition, status } = this.#client;
    const command = commandQueue.peekFront()?.command;
    const push = chunk[at] === PUSH;
    if (!push) {
      if (command !== undefined || (status as string) === 'monitoring') return true;
      if (chunk[at] !== ARRAY || !condition?.subscriber) return false;
    }
    const kind = kindOfMessage(chunk, at);
    if (kind === undefined) this.#held = chunk.subarray(at);
    if (kind === undefined) return false;
    // ioredis assumes that the first pending command is the subscription.
    return push ? !SUBSCRIBES.test(kind) || command?.name.toLowerCase() === kind : UNASKED.test(kind);
  }

  /** Passes the reply that begins, or continues, at `at` to ioredis; returns where it ends. */
  #pass(chunk: Buffer, at: number, begins: boolean): number {
    const { scanner } = this;
    const end = scanner.scan(chunk, at);
    const to = end < 0 ? chunk.length : end;
    if (scanner.deepest > MOST_LEVELS) {
      const tooDeep = new Unreadable(`a reply has more than ${MOST_LEVELS} lists, one within the other`);
      // ioredis has a part of it already; or it is a push, so no command can be rejected in its place.
      if (!(begins ? chunk[at] !== PUSH : this.#skipping)) throw tooDeep;
      this.#skipping = end < 0;
      if (end >= 0) rejectSafely(this.#client.commandQueue.shift()?.command as Command, tooDeep);
    } else if (end < 0 && begins && scanner.deepest > SUSPICIOUS_LEVELS) {
      scanner.reset();
      this.#held = chunk.subarray(at);
    } else {
      const first = this.#proven ? undefined : this.#client.commandQueue.peekFront();
      this.#decode(at === 0 && to === chunk.length ? chunk : chunk.subarray(at, to));
      if (first && end >= 0) this.#prove(first !== this.#client.commandQueue.peekFront(), chunk, end);
    }
    return to;
  }

  /** Lets ioredis read a reply, or a part of one. A throw of the command that is settled is caught before ioredis. */
  #decode(bytes: Buffer): void {
    const item = this.#client.commandQueue.peekFront() as { command: unknown } | undefined;
    const command = item?.command as Command | undefined;
    if (item && command) item.command = this.#stand.for(command, item);
    this.#decoding = true;
    try {
      this.#decoder?.(bytes);
    } finally {
      this.#decoding = false;
      if (item && command) item.command = command;
    }
    this.#stand.rethrow();
  }

  /**
   * The first reply shows whether ioredis' decoder is synchronous. If it is not, ioredis reads by itself from then on.
   */
  #prove(answered: boolean, chunk: Buffer, end: number): void {
    this.#proven = true;
    const decoder = this.#decoder;
    if (answered || decoder === undefined) return;
    this.#decoder = undefined;
    const { stream } = this.#client;
    stream.off('data', this.#take);
    stream.prependListener('data', decoder);
    if (end < chunk.length) decoder(chunk.subarray(end));
  }

  /** When ioredis' decoder fails, ioredis rejects all commands with an error that contains what it has read. */
  #catchFatal(): void {
    const client = this.#client as unknown as { recoverFromFatalError?: (...given: unknown[]) => void };
    const { recoverFromFatalError: recover } = client;
    if (typeof recover !== 'function') return;
    client.recoverFromFatalError = (...given) => {
      if (this.#decoding) throw new Unreadable('protocol error: the server sent what is no reply');
      recover.apply(client, given);
    };
  }
}

/** Something arrived that belongs to no command. The message does not contain it. */
class Unreadable extends Error {
  constructor(message: string) {
    super(message);
    inOurOwnWords(this);
  }
}

/**
 * Replaces the command that a reply is for, while ioredis reads the reply. Somebody may have replaced the command's
 * `resolve` or `reject`; ioredis 6 would rethrow what those throw where nobody can catch it.
 */
class Stand {
  readonly #intake: ReplyIntake;
  #command: Command | undefined;
  #item: { command: unknown } | undefined;
  #thrown: { readonly error: unknown } | undefined;

  constructor(intake: ReplyIntake) {
    this.#intake = intake;
  }

  for(command: Command, item: { command: unknown }): this {
    this.#command = command;
    this.#item = item;
    return this;
  }

  get name(): string | undefined {
    return this.#command?.name;
  }

  get args(): unknown {
    return this.#command?.args;
  }

  resolve(reply: never): void {
    if (Array.isArray(reply) && this.#command?.name.toLowerCase() === 'exec') this.#tell(reply);
    try {
      this.#command?.resolve(reply);
    } catch (error) {
      this.#thrown = { error };
      if (this.#command) rejectSafely(this.#command, error);
    }
  }

  reject(error: Error): void {
    try {
      if (!this.#isTaken(error)) this.#command?.reject(error);
    } catch (thrown) {
      this.#thrown = { error: thrown };
    }
  }

  #tell(replies: readonly unknown[]): void {
    for (const one of replies) if (one instanceof Error) this.#intake.told?.(one);
  }

  #isTaken(error: Error): boolean {
    const item = this.#item;
    if (item === undefined || this.#intake.refused === undefined) return false;
    item.command = this.#command;
    return this.#intake.refused(item, error);
  }

  rethrow(): void {
    const thrown = this.#thrown;
    this.#thrown = undefined;
    this.#command = undefined;
    this.#item = undefined;
    if (thrown) throw thrown.error;
  }
}
