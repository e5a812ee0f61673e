import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

/**
 * What the server said at one moment.
 *
 * @typedef {object} Sample
 * @property {number} at when, milliseconds since 1970
 * @property {number} total connections accepted since it started
 * @property {number} open connections open; the most since the sample before, where that is known
 */

/**
 * Watches the connections of a server from a thread of its own: the thread that dials hundreds of them is
 * too busy to look.
 */
export class Observer {
  #worker;
  #failed;
  /** @type {Sample[]} */
  #samples = [];

  /**
   * @param {string} file the worker; its first message says that it watches, all others are samples
   * @param {object} [workerData]
   */
  constructor(file, workerData = {}) {
    this.#worker = new Worker(new URL(file, import.meta.url), { workerData });
    this.#failed = once(this.#worker, 'error').then(([error]) => Promise.reject(error));
    this.#failed.catch(() => {});
  }

  /** Resolves when it watches, with what the worker has to say about the server. */
  async ready() {
    const [message] = await this.#next();
    this.#worker.on('message', (sample) => this.#samples.push(sample));
    return message;
  }

  /** Forgets older samples and takes a new one. @returns {Promise<Sample>} */
  async start() {
    this.#samples = [];
    return this.#look();
  }

  /**
   * Waits until no more than `open` connections are left, so that none is counted for the next arm, but not
   * for ever: a server of somebody else's has other clients.
   *
   * @param {number} open
   * @returns {Promise<Sample[]>} all since `start()`
   */
  async end(open) {
    for (let tries = 0; tries < 50 && (await this.#look()).open > open; tries++) await sleep(20);
    return this.#samples;
  }

  async stop() {
    await this.#worker.terminate();
  }

  /** @returns {Promise<Sample>} one that was taken after now */
  async #look() {
    const asked = performance.timeOrigin + performance.now();
    this.#worker.postMessage('look');
    for (;;) {
      const [sample] = await this.#next();
      if (sample.at >= asked) return sample;
    }
  }

  #next() {
    return Promise.race([once(this.#worker, 'message'), this.#failed]);
  }
}
