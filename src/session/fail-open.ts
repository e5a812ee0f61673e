import type { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';

/** Tells a store's listeners `disconnect` when no connection can be made any more, and `connect` when one stands again. */
export class FailOpen {
  readonly #redis: Redis;
  readonly #store: EventEmitter;
  #down = false;

  constructor(redis: Redis, store: EventEmitter) {
    this.#redis = redis;
    this.#store = store;
    redis.on('error', this.#failed);
  }

  stop(): void {
    this.#redis.off('error', this.#failed).off('ready', this.#ready);
  }

  readonly #failed = (): void => {
    if (this.#down || this.#redis.status !== 'connecting') return;
    this.#down = true;
    // Who waits for it has the pool try again and again, though no request comes through any more.
    this.#redis.once('ready', this.#ready);
    this.#store.emit('disconnect');
  };

  readonly #ready = (): void => {
    this.#down = false;
    this.#store.emit('connect');
  };
}
