/** What the Redis server counts while the users are busy, seen from a thread or process of its own. */
import { Worker } from 'node:worker_threads';
import { BadInput } from './options.js';

/**
 * What is known of the server at one moment. Those who watch are left out, but for the CPU that they cost.
 *
 * @typedef {object} Sample
 * @property {number} open connections now
 * @property {number} peak most connections since the last sample
 * @property {number} total connections accepted since the server began
 * @property {number} commands
 * @property {number} cpuSeconds
 * @property {number} replyP99Ms how long one answer took
 */

/** Longer than any sample takes to come. */
const SAMPLE_MS = 3000;

export class RedisWatch {
  /** The last one that came. @type {Sample | undefined} */
  latest;
  /** What the server is, as in "redis-server 7.0.15", and how many connections it allows, where it says. */
  name = '';
  /** @type {number | undefined} */
  maxClients;
  /** Resolves with the reason when the server is gone. @type {Promise<string>} */
  lost;
  #source;
  #peak = 0;
  #peakOfSecond = 0;
  /** @type {((sample: Sample) => void)[]} */
  #waiting = [];

  /** @param {Worker | import('node:child_process').ChildProcess} source tells what it is first, and then samples */
  constructor(source) {
    this.#source = source;
    /** @type {(reason: string) => void} */
    let lose = () => {};
    this.lost = new Promise((resolve) => {
      lose = resolve;
    });
    source.on('message', (message) => {
      if (message.lost) lose(message.lost);
      if (message.sample) this.#see(message.sample);
    });
    source.on('error', (error) => lose(error.message));
    source.on('exit', () => lose('it has ended'));
  }

  /** @param {string} url of a server that runs @throws {BadInput} when it does not answer as a Redis does */
  static async connect(url) {
    const worker = new Worker(new URL('redis-worker.js', import.meta.url), { workerData: { url } });
    const watch = new RedisWatch(worker);
    await watch.begin(`the Redis of --redis, ${new URL(url).host}`);
    return watch;
  }

  /** Waits until it is ready. @param {string} what @returns {Promise<any>} all that it has to say */
  async begin(what) {
    const first = new Promise((resolve) => this.#source.once('message', resolve));
    const message = await Promise.race([first, this.lost.then((lost) => ({ lost }))]);
    if (message.lost) throw new BadInput(`Cannot watch ${what}: ${message.lost}.`);
    this.name = message.name;
    this.maxClients = message.maxClients;
    return message;
  }

  /** The next sample, and the peak anew from it on; when none comes, the last one. */
  async start() {
    const sample = await this.look();
    this.#peak = this.#peakOfSecond = sample?.open ?? 0;
    return sample;
  }

  /** A sample that is newer than now, or the last one of a server that is gone. @returns {Promise<Sample | undefined>} */
  look() {
    /** @type {Promise<Sample>} */
    const next = new Promise((resolve) => this.#waiting.push(resolve));
    const none = new Promise((resolve) => setTimeout(resolve, SAMPLE_MS).unref());
    return Promise.race([next, this.lost, none]).then((sample) =>
      typeof sample === 'object' ? sample : this.latest,
    );
  }

  /** Most connections at once since `start()`. */
  get peak() {
    return this.#peak;
  }

  /** The same since the last call. */
  takePeak() {
    const peak = Math.max(this.#peakOfSecond, this.latest?.open ?? 0);
    this.#peakOfSecond = this.latest?.open ?? 0;
    return peak;
  }

  stop() {
    if (this.#source instanceof Worker) return this.#source.terminate();
    this.#source.kill();
    return undefined;
  }

  /** @param {Sample} sample */
  #see(sample) {
    this.latest = sample;
    this.#peak = Math.max(this.#peak, sample.peak);
    this.#peakOfSecond = Math.max(this.#peakOfSecond, sample.peak);
    for (const resolve of this.#waiting.splice(0)) resolve(sample);
  }
}
