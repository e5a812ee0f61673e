/** Reads a service's Prometheus endpoint again and again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { bare } from './format.js';
import { BadInput } from './options.js';
import { gaugesOf, parseMetrics } from './prometheus.js';

/** On average: a fixed time would see waves always from the same side. */
const EVERY_MS = 500;
const PATIENCE_MS = 3000;

/** @typedef {import('./prometheus.js').Metrics} Metrics */

export class Scraper {
  /** @type {Metrics | undefined} */
  first;
  /** @type {Metrics | undefined} */
  last;
  /** When, by performance.now(). */
  firstAt = 0;
  lastAt = 0;
  /** Looks that were not answered. */
  missed = 0;
  /** Most seen, by pool and node. @type {Map<string, { inUse: number, open: number, lanes: number, waiting: number }>} */
  peaks = new Map();
  /** @type {number | undefined} */
  lagP99Ms;
  #url;
  #over = new AbortController();

  /** @param {string} url */
  constructor(url) {
    this.#url = url;
  }

  /** @throws {BadInput} when there is nothing to read */
  async start() {
    try {
      await this.look();
    } catch (error) {
      throw new BadInput(`Cannot read --metrics ${bare(this.#url)}: ${reasonOf(error)}.`);
    }
    if (this.last?.size === 0)
      throw new BadInput(
        `--metrics ${bare(this.#url)} has neither redis_pool_* nor process_cpu_seconds_total.`,
      );
    this.first = this.last;
    this.firstAt = this.lastAt;
    void this.#goOn();
  }

  /** @returns {Promise<void>} */
  async look() {
    const { statusCode, body } = await request(this.#url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`it answers with status ${statusCode}`);
    this.last = parseMetrics(text);
    this.lastAt = performance.now();
    for (const { labels } of this.last.get('redis_pool_connections_max') ?? []) this.#note(labels);
    const { lagP99Ms } = gaugesOf(this.last);
    if (lagP99Ms !== undefined) this.lagP99Ms = Math.max(lagP99Ms, this.lagP99Ms ?? 0);
  }

  stop() {
    this.#over.abort();
  }

  async #goOn() {
    const { signal } = this.#over;
    while (!signal.aborted) {
      await sleep(EVERY_MS * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
      if (!signal.aborted) await this.look().catch(() => this.missed++);
    }
  }

  /** @param {Record<string, string>} labels */
  #note({ pool, node }) {
    const mine = new Map(
      [...(this.last ?? [])].map(([name, all]) => [
        name,
        all.filter(({ labels }) => labels.pool === pool && labels.node === node),
      ]),
    );
    const { inUse, open, lanes, waiting } = gaugesOf(mine);
    const key = peakKey(pool, node);
    const before = this.peaks.get(key) ?? { inUse: 0, open: 0, lanes: 0, waiting: 0 };
    this.peaks.set(key, {
      inUse: Math.max(inUse, before.inUse),
      open: Math.max(open, before.open),
      lanes: Math.max(lanes, before.lanes),
      waiting: Math.max(waiting, before.waiting),
    });
  }
}

/** Of `peaks`. @param {string} pool @param {string} [node] */
export const peakKey = (pool, node = '') => JSON.stringify([pool, node]);

/** @param {any} error */
export function reasonOf(error) {
  const { code, message, name } = error?.errors?.[0] ?? error ?? {};
  if (code === 'ECONNREFUSED') return 'nobody listens there (connection refused)';
  if (name === 'TimeoutError' || /TIMEOUT/.test(code ?? '')) return 'it does not answer in time';
  return String(message || code)
    .split('\n')[0]
    .replace(/\.$/, '');
}
