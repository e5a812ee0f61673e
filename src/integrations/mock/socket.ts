import { EventEmitter } from 'node:events';
import { soon } from './mock-clock.ts';

/** The other end of the socket. */
export interface Peer {
  /** Is called with the bytes that arrive. */
  receive(data: string | Uint8Array): void;
  /** Is called when the socket is closed. */
  gone(): void;
}

/**
 * The part of a socket that ioredis uses, in memory. It is no Node stream: streams call back through
 * `process.nextTick`, which fake timers may hold back; they never hold back promises.
 */
export class MemorySocket extends EventEmitter {
  connecting = true;
  writable = true;
  destroyed = false;
  readonly remoteAddress = 'memory';
  readonly #peer: Peer;
  #incoming = '';
  #paused = false;

  constructor(peer: Peer) {
    super();
    this.#peer = peer;
    // It is connected as soon as there is a listener for `connect`, or, with TLS, `secureConnect`.
    this.on('newListener', (event) => {
      if (/connect$/i.test(String(event)) && this.connecting) soon(() => this.#connected(event));
    });
  }

  /** Is called with a byte string from the server. */
  deliver(bytes: string): void {
    this.#incoming += bytes;
    soon(() => this.#tell());
  }

  write(data: string | Uint8Array): boolean {
    if (this.writable) this.#peer.receive(data);
    return this.writable;
  }

  end(): this {
    if (!this.writable) return this;
    this.writable = false;
    // Replies that the server has sent by now still arrive.
    soon(() => {
      this.#tell();
      this.destroy();
    });
    return this;
  }

  destroy(): this {
    if (this.destroyed) return this;
    this.writable = false;
    this.destroyed = true;
    this.#peer.gone();
    soon(() => this.emit('close'));
    return this;
  }

  pause(): this {
    this.#paused = true;
    return this;
  }

  resume(): this {
    this.#paused = false;
    if (this.#incoming !== '') soon(() => this.#tell());
    return this;
  }

  cork(): void {}
  uncork(): void {}
  setKeepAlive(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }

  #connected(event: string): void {
    if (!this.connecting || this.destroyed) return;
    this.connecting = false;
    this.emit(event);
  }

  #tell(): void {
    if (this.#paused || this.destroyed || this.#incoming === '') return;
    const bytes = this.#incoming;
    this.#incoming = '';
    this.emit('data', Buffer.from(bytes, 'latin1'));
  }
}
