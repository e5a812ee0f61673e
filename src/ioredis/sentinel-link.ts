import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ClientOptions } from '../api/options.ts';
import type { Clock } from '../util/clock.ts';
import { ReplyReader, UNREAD } from './reply-reader.ts';

/** One of the sentinels that were given. */
export type Endpoint = NonNullable<ClientOptions['sentinels']>[number];

/** What is answered to (UN)SUBSCRIBE, and what is heard then. */
const PUBSUB: ReadonlySet<unknown> = new Set(['subscribe', 'unsubscribe', 'message']);
/** What an ACL says that allows its user no subscription; it is asked all the same. */
const NO_SUBSCRIPTION = /subscribe|channel/;
const MINUS = 45;
/** No reply of a sentinel is longer. Bytes. */
const MOST_UNREAD = 1 << 20;

/** A command on the wire. */
function encode(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

/**
 * One connection to one sentinel, which is asked, and listened to in between. It keeps no process alive, and whatever
 * goes wrong ends it.
 */
export class SentinelLink {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #channels: readonly string[];
  /** Replies to what it has introduced itself with; they are of no interest. */
  #ignored: number;
  #unread = Buffer.alloc(0);
  readonly #reader = new ReplyReader();
  #answered: ((reply: unknown) => void) | undefined;
  #wake: (() => void) | undefined;
  /** A message has come that nobody has heard of yet. */
  #news = false;
  #over: Error | undefined;
  readonly #gone: Promise<void>;
  #end: (error: Error) => void = () => {};

  constructor(endpoint: Endpoint, options: ClientOptions, channels: readonly string[], clock: Clock) {
    this.#clock = clock;
    this.#channels = channels;
    const { sentinelTLS, sentinelUsername, sentinelPassword, connectionName, family } = options;
    const target = {
      host: endpoint.host ?? 'localhost',
      port: Number(endpoint.port ?? 26379),
      family: Number(endpoint.family ?? family ?? 0),
    };
    this.#socket = sentinelTLS ? connectTls({ ...target, ...sentinelTLS }) : connectTcp(target);
    this.#socket.unref();
    this.#gone = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the sentinel closed the connection')));
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    const user = sentinelUsername ? [sentinelUsername] : [];
    const greeting = sentinelPassword ? [encode('auth', ...user, sentinelPassword)] : [];
    if (connectionName) greeting.push(encode('client', 'setname', connectionName));
    this.#ignored = greeting.length;
    this.#socket.write(greeting.join(''));
  }

  /**
   * Sends `question`, and listens from now on; resolves with the answer. Both reach the sentinel in one piece, so that
   * nothing can happen in between unheard.
   */
  ask(question: readonly string[], limitMs: number): Promise<unknown> {
    this.#news = false;
    const answer = new Promise((resolve) => {
      this.#answered = resolve;
    });
    this.#socket.write(
      encode('unsubscribe', ...this.#channels) + encode(...question) + encode('subscribe', ...this.#channels),
    );
    return this.#within(limitMs, answer, () => this.#fail(new Error(`no answer within ${limitMs} ms`)));
  }

  /** Resolves when something is heard, or after `ms`. */
  news(ms: number): Promise<unknown> {
    if (this.#news) return Promise.resolve();
    return this.#within(ms, new Promise<void>((resolve) => (this.#wake = resolve)), () => this.#wake?.());
  }

  /** Ends it; resolves when its socket is gone. */
  close(): Promise<void> {
    this.#fail(new Error('it was closed'));
    return this.#gone;
  }

  /** Waits for `work`, and calls `late` after `ms`; rejects if the connection ends. */
  async #within(ms: number, work: Promise<unknown>, late: () => void): Promise<unknown> {
    const cancel = this.#clock.after(ms, late, 'background');
    try {
      const ended = new Promise<never>((_, reject) => {
        if (this.#over) reject(this.#over);
        else this.#end = reject;
      });
      return await Promise.race([work, ended]);
    } finally {
      cancel();
    }
  }

  #fail(error: Error): void {
    this.#over ??= error;
    this.#socket.destroy();
    this.#end(this.#over);
  }

  #take(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    for (let reply = this.#next(); reply !== UNREAD; reply = this.#next()) this.#hear(reply);
    if (this.#unread.length > MOST_UNREAD) this.#fail(new Error('it sends what is no reply'));
  }

  /** The next reply that has come whole; an error as one. */
  #next(): unknown {
    if (this.#unread[0] === MINUS) {
      const end = this.#unread.indexOf('\r\n');
      if (end < 0) return UNREAD;
      const error = new Error(this.#unread.toString('utf8', 1, end));
      this.#unread = this.#unread.subarray(end + 2);
      return error;
    }
    this.#reader.begin(this.#unread, 0);
    const reply = this.#reader.read(true);
    if (reply !== UNREAD) this.#unread = this.#unread.subarray(this.#reader.at);
    return reply;
  }

  #hear(reply: unknown): void {
    if (this.#ignored > 0) {
      this.#ignored--;
    } else if (reply instanceof Error && NO_SUBSCRIPTION.test(reply.message)) {
      return;
    } else if (Array.isArray(reply) && reply.length === 3 && PUBSUB.has(reply[0])) {
      if (reply[0] !== 'message') return;
      this.#news = true;
      this.#wake?.();
    } else if (typeof reply !== 'string') {
      this.#answered?.(reply);
      this.#answered = undefined;
    }
  }
}
