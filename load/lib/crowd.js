/** The users: they come, act, and wait in between. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { nextTurn, pick } from './turns.js';
import { RequestFailed } from './visitor.js';

/**
 * @typedef {object} Plan
 * @property {import('./scenario.js').Scenario} scenario
 * @property {number} users
 * @property {number} spawnRate a second
 * @property {number} waitScale
 * @property {number} waveMs
 * @property {(id: number) => import('./visitor.js').Visitor} newVisitor
 * @property {(task: string, error: unknown) => void} failed a task has thrown, other than for a request
 * @property {AbortSignal} signal nobody begins anything new
 */

export class Crowd {
  /** Users who are there. */
  present = 0;
  #plan;
  #origin = performance.now();
  /** @type {import('./visitor.js').Visitor[]} */
  #visitors = [];

  /** @param {Plan} plan */
  constructor(plan) {
    this.#plan = plan;
    setMaxListeners(0, plan.signal); // one for each user who waits
  }

  /** Resolves when the signal is aborted and everybody has ended what was under way. */
  async run() {
    const { users, spawnRate, newVisitor } = this.#plan;
    const lives = [];
    for (let id = 1; id <= users; id++) {
      if (!(await this.#until(this.#origin + ((id - 1) / spawnRate) * 1000))) break;
      const visitor = newVisitor(id);
      this.#visitors.push(visitor);
      this.present++;
      lives.push(this.#live(visitor));
    }
    await Promise.all(lives);
  }

  async close() {
    await Promise.all(this.#visitors.map((visitor) => visitor.close()));
  }

  /** @param {import('./visitor.js').Visitor} visitor */
  async #live(visitor) {
    const { start, tasks } = this.#plan.scenario;
    let started = !start;
    do {
      if (!started) started = await this.#attempt('start', () => start?.(visitor));
      if (!started || this.#plan.signal.aborted) continue;
      const name = pick(tasks, Math.random());
      await this.#attempt(name, () => tasks[name][1](visitor));
    } while (await this.#turn());
  }

  /** @param {string} name @param {() => unknown} work */
  async #attempt(name, work) {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof RequestFailed)) this.#plan.failed(name, error);
      return false;
    }
  }

  /** Waits as a person does. */
  #turn() {
    const { scenario, waitScale, waveMs } = this.#plan;
    const [now, chance] = [performance.now(), Math.random()];
    const when = { now, origin: this.#origin, wait: scenario.wait, scale: waitScale, waveMs, chance };
    return this.#until(nextTurn(when));
  }

  /** Whether the time came before the end. @param {number} due */
  async #until(due) {
    const { signal } = this.#plan;
    if (signal.aborted) return false;
    const ms = due - performance.now();
    // A task without any wait would otherwise keep the event loop to itself.
    await sleep(Math.max(0, ms), undefined, { signal }).catch(() => {});
    return !signal.aborted;
  }
}
