import type { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { systemClock } from '../../util/clock.ts';

/** How long Redis may take for a command of a store that fails open, before it counts as unavailable. */
const ANSWER_WITHIN_MS = 1000;

/** How long after a failed PING the next one is sent. */
const LOOK_AGAIN_MS = 250;

/**
 * Emits `disconnect` on a store when Redis cannot be connected to any more, or does not reply, and `connect` when it
 * replies again. A listener that is added in between gets `disconnect` too.
 */
export class FailOpen {
  readonly #redis: Redis;
  readonly #store: EventEmitter;
  #told = false;
  #over = false;
  #cancel = (): void => {};

  constructor(redis: Redis, store: EventEmitter) {
    this.#redis = redis;
    this.#store = store;
    redis.on('error', this.#check).once('end', this.stop);
    store.on('newListener', (event) => {
      // The event comes before the listener is added.
      if (event === 'disconnect') queueMicrotask(() => this.#told && store.emit('disconnect'));
    });
    this.#check();
  }

  /** Whether Redis is unavailable, as far as is known. */
  get away(): boolean {
    return this.#told || this.#redis.status === 'connecting';
  }

  /** Waits for `work`, a command, for as long as Redis may take. */
  bound<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const late = (): void => {
        if (settled) return;
        this.#lost();
        reject(new Error(`Redis has not answered within ${ANSWER_WITHIN_MS} ms`));
      };
      // A reply that has arrived by then counts, even if the process was too busy to read it.
      const cancel = systemClock.after(ANSWER_WITHIN_MS, () => systemClock.soon(late));
      const settle = (): void => {
        settled = true;
        cancel();
      };
      work.finally(settle).then(resolve, reject);
    });
  }

  readonly stop = (): void => {
    this.#over = true;
    this.#cancel();
    this.#redis.off('error', this.#check).off('end', this.stop);
  };

  readonly #check = (): void => {
    if (this.#redis.status === 'connecting') this.#lost();
  };

  #lost(): void {
    if (this.#told || this.#over) return;
    this.#told = true;
    this.#store.emit('disconnect');
    this.#ask();
  }

  readonly #ask = (): void => {
    this.#redis.ping().then(
      () => {
        if (this.#over) return;
        this.#told = false;
        this.#store.emit('connect');
      },
      () => {
        if (!this.#over) this.#cancel = systemClock.after(LOOK_AGAIN_MS, this.#ask, 'background');
      },
    );
  };
}
