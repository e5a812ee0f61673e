import { warnThrown } from '../util/warn.ts';
import type { ClientBackend, ClientView } from './client-backend.ts';

/** What it tells. */
const TOLD = ['connect', 'ready', 'error', 'close', 'end'];

/**
 * Tells those who listen on a view of the pool what concerns them: `connect` and `ready` when a connection is open, and
 * again when one is open after none could be made; `error` for a dial that failed; `close` and `end` once, when all is
 * over. Single connections come and go without a word. Listeners come after those who wait for what is told, and what
 * one throws is its own matter.
 */
export class ClientEvents implements ClientView {
  /** The view was closed, or the pool. */
  over = false;
  readonly #emitter: NodeJS.EventEmitter;
  readonly #owner: ClientBackend;
  readonly #detach: () => void;
  /** It was told that a connection is open. */
  #up = false;

  constructor(emitter: NodeJS.EventEmitter, owner: ClientBackend) {
    this.#emitter = emitter;
    this.#owner = owner;
    this.#detach = owner.attach(this);
    // Who listens for `ready` hears of it, though nobody has had a use for a connection yet.
    emitter.on('newListener', (event) => {
      if (TOLD.includes(event) && !this.over) owner.hold(this, true);
      if (event === 'ready' || event === 'connect')
        queueMicrotask(() => this.#up || this.over || owner.warm());
    });
    emitter.on('removeListener', () => {
      if (TOLD.every((event) => emitter.listenerCount(event) === 0)) owner.hold(this, false);
    });
  }

  connected(): void {
    if (this.#up) return;
    this.#up = true;
    this.#tell('connect');
    this.#tell('ready');
  }

  failed(error: Error): void {
    if (this.#owner.status !== 'ready') this.down();
    this.#tell('error', error);
  }

  down(): void {
    this.#up = false;
  }

  ended(): void {
    this.over = true;
    this.#owner.hold(this, false);
    this.#emit('close');
    this.#emit('end');
  }

  /** Ends the view alone. */
  leave(): void {
    if (this.over) return;
    this.over = true;
    this.#detach();
    this.#owner.hold(this, false);
    process.nextTick(() => this.ended());
  }

  #tell(event: string, detail?: Error): void {
    process.nextTick(() => this.#emit(event, detail));
  }

  #emit(event: string, detail?: Error): void {
    if (event === 'error' && this.#emitter.listenerCount(event) === 0) return; // it would be thrown
    try {
      this.#emitter.emit(event, detail);
    } catch (thrown) {
      warnThrown(`a listener for '${event}' of pool.redis threw`, thrown);
    }
  }
}
