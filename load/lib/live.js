/** What is going on, while it does: a view that is drawn over itself on a terminal, elsewhere a line now and then. */
import { createLogUpdate } from 'log-update';
import { line, together, view } from './view.js';

/** Where there is no terminal: so many lines, or one so often, in seconds. */
const LINES = 10;
const MOST_SECONDS = 5;

/** @typedef {import('./view.js').Second} Second */

export class Live {
  #out = process.stdout;
  #update = createLogUpdate(this.#out);
  #plan;
  #every;
  /** @type {Second[]} */
  #seconds = [];

  /** @param {{ duration: number, users: number, wave: number }} plan */
  constructor(plan) {
    this.#plan = plan;
    this.#every = Math.min(MOST_SECONDS, Math.max(1, Math.round(plan.duration / LINES)));
  }

  /** @param {Second} second */
  show(second) {
    this.#seconds.push(second);
    if (this.#out.isTTY) this.#update(view(this.#seconds, this.#plan));
    else if (this.#seconds.length % this.#every === 0)
      console.log(line(together(this.#seconds.slice(-this.#every))));
  }

  /** What is printed now stands below. */
  end() {
    if (this.#out.isTTY) this.#update.done();
  }
}
