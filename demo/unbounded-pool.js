import { connect } from './connect.js';

/** @typedef {import('ioredis').Redis} Redis */

/**
 * redigo's Pool as the outage had it: what `Get` and `Close` of its pool.go do, over ioredis.
 *
 * Both values are the ones that were in force there: nobody had set MaxActive, so it was 0, which means
 * unlimited, and `redistore.New(3, …)` made MaxIdle 3. `Wait`, `TestOnBorrow` and the time-outs were off.
 */
export class UnboundedPool {
  #url;
  #maxActive = 0;
  #maxIdle = 3;
  #active = 0;
  /** The last one returned is the first one lent. @type {Redis[]} */
  #idle = [];

  /** @param {string} url */
  constructor(url) {
    this.#url = url;
  }

  /**
   * @template T
   * @param {(redis: Redis) => Promise<T>} work
   */
  async use(work) {
    const redis = await this.#get();
    try {
      return await work(redis);
    } finally {
      this.#put(redis);
    }
  }

  async close() {
    for (const redis of this.#idle.splice(0)) this.#end(redis);
  }

  /** "Dial new connection if under limit": with MaxActive 0 there is none. */
  async #get() {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#maxActive !== 0 && this.#active >= this.#maxActive)
      throw new Error('connection pool exhausted');
    this.#active++;
    try {
      return await connect(this.#url);
    } catch (error) {
      this.#active--;
      throw error;
    }
  }

  /** Keeps it, and closes the one that has been idle for longest if that makes more than MaxIdle. */
  #put(/** @type {Redis} */ redis) {
    if (redis.status !== 'ready') return this.#end(redis);
    this.#idle.push(redis);
    const excess = this.#idle.length > this.#maxIdle ? this.#idle.shift() : undefined;
    if (excess) this.#end(excess);
  }

  #end(/** @type {Redis} */ redis) {
    this.#active--;
    redis.disconnect();
  }
}
