import type { Command, Redis } from 'ioredis';
import type { Intake } from '../core/dependencies.ts';
import { warnThrown } from '../util/warn.ts';
import { isCommandChanged, MOST_LEVELS, rejectSafely, sendsAsKnown } from './internals.ts';
import { inOurOwnWords } from './redact.ts';
import { ARRAY, kindOfMessage, PUSH, ReplyReader, ReplyScanner, UNREAD } from './reply-reader.ts';

/** Takes the bytes that have come. */
export type Decoder = (chunk: Buffer) => void;

/** A command of ioredis; one of the pool's own takes its reply with the strings in it as they are wanted, too. */
interface Answerable extends Pick<Command, 'name' | 'resolve' | 'reject'> {
  readonly replyEncoding?: string | null;
  answer?(reply: unknown): void;
}

const EMPTY = Buffer.alloc(0);

/** From here on a reply is not given to ioredis in pieces: it may turn out to be one that its decoder cannot read. */
const SUSPICIOUS_LEVELS = 64;

const SUBSCRIBES = /^[ps]?subscribe$/;
const UNASKED = /^([ps]?message|[ps]?unsubscribe)$/;

/**
 * Stands before ioredis' decoder for as long as a connection lives. It reads frequent replies itself, and gives ioredis
 * the others, one at a time, as long as one is owed. What comes when nothing is owed, what cannot be read, and whatever
 * is thrown meanwhile, ends the connection; and once that is given up, nothing is heard of it any more.
 */
export class ReplyIntake implements Intake {
  /** Takes the bytes, and calls `read`; a lane does, while it has the connection. */
  listener: Decoder | undefined;
  readonly scanner = new ReplyScanner();
  readonly #reader = new ReplyReader();
  /** Strings, numbers and lists are all that ioredis would make of them. */
  readonly #plain: boolean;
  readonly #client: Redis;
  readonly #broken: (cause: Error) => void;
  #decoder: Decoder | undefined;
  /** It is known that the decoder has dealt with a reply as soon as it has got it. */
  #proven = false;
  /** What has come of a reply that nobody can judge yet. */
  #held: Buffer | undefined;
  /** The reply that is being read is not given to anyone. */
  #skipping = false;
  #closing = false;
  #deaf = false;
  /** How much came with what ended the connection. Bytes. */
  spoilt = 0;
  readonly #stand = new Stand();
  #decoding = false;

  /** For a client that has just connected. `broken` is told, once, that the connection must end. */
  constructor(client: Redis, broken: (cause: Error) => void) {
    this.#client = client;
    this.#broken = broken;
    const { stream, options } = client;
    const { stringNumbers, replyMapping } = options as { stringNumbers?: boolean; replyMapping?: string };
    this.#plain = !stringNumbers && replyMapping !== 'resp3';
    const [decoder, ...others] = stream.listeners('data') as Decoder[];
    if (decoder === undefined || others.length > 0) return; // it reads in some other way
    this.#decoder = decoder;
    stream.off('data', decoder);
    stream.prependListener('data', this.#take);
    this.#catchFatal();
  }

  /** Whether it has ioredis' decoder in its hands. If not, ioredis reads by itself, and nobody is told of replies. */
  get inFront(): boolean {
    return this.#decoder !== undefined;
  }

  /** Whether a part of something has come: while nothing is owed, nobody can have the connection. */
  get midway(): boolean {
    return this.#held !== undefined || this.scanner.midway;
  }

  /** The connection is being closed: what it owes by now may still come, and whatever else arrives is nobody's. */
  close(): void {
    this.#closing = true;
    if (!this.inFront || !this.#owes) this.#deafen();
  }

  /** Gives up the connection. What it owes is rejected with `cause`, as soon as its socket is gone. */
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
      if (this.#decoder === undefined) return; // it has turned out to read in some other way
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
    this.#reader.begin(EMPTY, 0); // or it would keep the chunk
  }

  /** Answers commands with the replies from `at` on, as far as it can read these; returns where it has come to. */
  #answer(chunk: Buffer, at: number): number {
    const { commandQueue, condition, status } = this.#client;
    if (!this.#plain || !this.#proven || condition?.subscriber || (status as string) === 'monitoring')
      return at;
    const reader = this.#reader;
    const wrapped = !sendsAsKnown(this.#client) || isCommandChanged();
    while (at < chunk.length) {
      const item = commandQueue.peekFront() as unknown as
        | { command: Answerable; watched?: boolean }
        | undefined;
      if (item === undefined) break;
      const { command } = item;
      // Whoever has put something around commands finds bytes in their replies.
      const watched = wrapped || item.watched === true;
      reader.begin(chunk, at);
      const reply = reader.read(!watched && command.replyEncoding === 'utf8');
      // What a subscription is answered with is more than a reply to ioredis.
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
    stream.resume(); // or its end would not be seen
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

  /** Whether what begins at `at` is waited for, or may come at any time. What cannot be told yet is held. */
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
    // ioredis takes the first command for the one that has subscribed.
    return push ? !SUBSCRIBES.test(kind) || command?.name.toLowerCase() === kind : UNASKED.test(kind);
  }

  /** Gives ioredis the reply that begins, or goes on, at `at`; returns where it ends. */
  #pass(chunk: Buffer, at: number, begins: boolean): number {
    const { scanner } = this;
    const end = scanner.scan(chunk, at);
    const to = end < 0 ? chunk.length : end;
    if (scanner.deepest > MOST_LEVELS) {
      const tooDeep = new Unreadable(`a reply has more than ${MOST_LEVELS} lists, one within the other`);
      // ioredis has a part of it already; or nobody waits for it, and so it cannot be left out.
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

  /** Has ioredis read a reply, or a part of one. What a command throws that takes it is caught before ioredis sees it. */
  #decode(bytes: Buffer): void {
    const item = this.#client.commandQueue.peekFront() as { command: unknown } | undefined;
    const command = item?.command as Command | undefined;
    if (item && command) item.command = this.#stand.for(command);
    this.#decoding = true;
    try {
      this.#decoder?.(bytes);
    } finally {
      this.#decoding = false;
      if (item && command) item.command = command;
    }
    this.#stand.rethrow();
  }

  /** The first reply tells whether ioredis' decoder is one that answers at once. If not, it gets the rest its own way. */
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

  /** Where ioredis' decoder can read no further, ioredis rejects all with an error that holds what it has read. */
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

/** What came cannot be given to anyone. It says nothing of what that was. */
class Unreadable extends Error {
  constructor(message: string) {
    super(message);
    inOurOwnWords(this);
  }
}

/**
 * Stands in for the command that a reply is for, while ioredis reads that. Somebody may have put something in the place
 * of a command's `resolve` or `reject`; what that throws ioredis 6 would throw again where nobody can catch it.
 */
class Stand {
  #command: Command | undefined;
  #thrown: { readonly error: unknown } | undefined;

  for(command: Command): this {
    this.#command = command;
    return this;
  }

  get name(): string | undefined {
    return this.#command?.name;
  }

  get args(): unknown {
    return this.#command?.args;
  }

  resolve(reply: never): void {
    try {
      this.#command?.resolve(reply);
    } catch (error) {
      this.#thrown = { error };
      if (this.#command) rejectSafely(this.#command, error);
    }
  }

  reject(error: Error): void {
    try {
      this.#command?.reject(error);
    } catch (thrown) {
      this.#thrown = { error: thrown };
    }
  }

  rethrow(): void {
    const thrown = this.#thrown;
    this.#thrown = undefined;
    this.#command = undefined;
    if (thrown) throw thrown.error;
  }
}
