import { EventEmitter } from 'node:events';
import { soon } from './mock-clock.ts';

/** What is at the other end. */
export interface Peer {
  /** Bytes have come. */
  receive(data: string | Uint8Array): void;
  /** The socket is gone. */
  gone(): void;
}

/**
 * As much of a socket as ioredis uses, in memory. It is no Node stream: those call back through `process.nextTick`,
 * which fake timers may hold back; a promise's job is held back by none.
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
    // It is connected as soon as someone waits to hear it: `connect`, or, who asked for TLS, `secureConnect`.
    this.on('newListener', (event) => {
      if (/connect$/i.test(String(event)) && this.connecting) soon(() => this.#connected(event));
    });
  }

  /** Takes a row of bytes from the server. */
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
    // What the server has said by now still arrives.
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
