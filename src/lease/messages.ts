import type { Redis } from 'ioredis';
import type { LeaseMessage } from '../api/lease.ts';
import { onAbort, reasonOf } from '../core/abort-signals.ts';

/** At this many unread messages the socket is paused, so that Redis keeps the rest, until half of them are read. */
const MOST_UNREAD = 1000;

/** What the iterator needs from its lease. */
export interface MessageSource {
  /** Emits the messages; `close` when the connection is lost, `end` when the lease ends. */
  readonly emitter: Redis;
  readonly signal: AbortSignal | undefined;
  /** Makes the error for a lost connection. */
  lost(): Error;
  /** Pauses and resumes the socket; not while a reply is awaited, which would come after the messages. */
  pause(): void;
  resume(): void;
}

/** The messages that a lease is subscribed to, from now on, with back-pressure. */
export class Messages implements AsyncIterableIterator<LeaseMessage> {
  readonly #source: MessageSource;
  readonly #unread: LeaseMessage[] = [];
  readonly #listeners: Readonly<Record<string, (...args: string[]) => void>>;
  #wake: () => void = () => {};
  #ignoreSignal: () => void = () => {};
  /** Set when no more messages will come, with the error to throw, if any. */
  #over: { readonly error?: unknown } | undefined;

  constructor(source: MessageSource) {
    this.#source = source;
    this.#listeners = {
      message: (channel = '', message = '') => this.#take({ kind: 'message', channel, message }),
      smessage: (channel = '', message = '') => this.#take({ kind: 'smessage', channel, message }),
      pmessage: (pattern = '', channel = '', message = '') =>
        this.#take({ kind: 'pmessage', pattern, channel, message }),
      end: () => this.#stop({}),
      close: () => this.#stop({ error: source.lost() }),
    };
    for (const [event, listener] of Object.entries(this.#listeners)) source.emitter.on(event, listener);
    const { signal } = source;
    if (signal) this.#ignoreSignal = onAbort(signal, () => this.#stop({ error: reasonOf(signal) }));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<LeaseMessage>> {
    while (this.#unread.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const message = this.#unread.shift();
    if (this.#unread.length === MOST_UNREAD / 2) this.#source.resume();
    if (message) return { done: false, value: message };
    const over = this.#over;
    this.#over = {}; // throw the error only once
    if (over && 'error' in over) throw over.error;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<LeaseMessage>> {
    this.#unread.length = 0;
    this.#stop({});
    return { done: true, value: undefined };
  }

  #take(message: LeaseMessage): void {
    this.#unread.push(message);
    if (this.#unread.length >= MOST_UNREAD) this.#source.pause();
    this.#wake();
  }

  #stop(how: { readonly error?: unknown }): void {
    if (this.#over) return;
    this.#over = how;
    const { emitter } = this.#source;
    for (const [event, listener] of Object.entries(this.#listeners)) emitter.off(event, listener);
    this.#ignoreSignal();
    this.#source.resume();
    this.#wake();
  }
}
