import { warnThrown } from '../util/warn.ts';
import type { ClientOwner } from './client-backend.ts';
import type { ClientView } from './client-views.ts';

/** The events that it emits. */
const TOLD = ['connect', 'ready', 'error', 'close', 'end'];

/**
 * Emits the events of a view of the pool: `connect` and `ready` when a connection is open, and again when one is open
 * after none could be made; `error` for a connect that failed; `close` and `end` once, when the view or the pool is
 * closed. That single connections open and close is not reported. Listeners are called after the callers who wait for
 * the same thing, and what they throw affects nobody else.
 */
export class ClientEvents implements ClientView {
  /** The view or the pool was closed. */
  over = false;
  readonly #emitter: NodeJS.EventEmitter;
  readonly #owner: ClientOwner;
  readonly #detach: () => void;
  /** `ready` was emitted, and still holds. */
  #up = false;

  constructor(emitter: NodeJS.EventEmitter, owner: ClientOwner) {
    this.#emitter = emitter;
    this.#owner = owner;
    this.#detach = owner.attach(this);
    // A listener for `ready` gets it even if no command has needed a connection yet.
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

  /** Ends the view, not the pool. */
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
    if (event === 'error' && this.#emitter.listenerCount(event) === 0) return; // emit would throw it
    try {
      this.#emitter.emit(event, detail);
    } catch (thrown) {
      warnThrown(`a listener for '${event}' of pool.redis threw`, thrown);
    }
  }
}
