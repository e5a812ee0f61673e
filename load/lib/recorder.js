/** Counts what came of requests: in all, by name, and second by second. */
import { createHistogram } from 'node:perf_hooks';

/** Each name has a histogram; a scenario with a number in each path would have one a request. */
const MOST_NAMES = 50;
const OTHERS = 'all others';
/** So many in a row, and nothing else in between, mean that the service is gone. */
const UNREACHABLE = 20;

/** @typedef {{ count: number, p50: number, p95: number, p99: number, max: number, mean: number }} Latency milliseconds */

export class Recorder {
  inFlight = 0;
  /** Most requests under way at once. */
  inFlightPeak = 0;
  /** Resolves when nobody listens at the service any more. @type {Promise<void>} */
  unreachable;
  /** Of requests and of tasks, by what and where. @type {Map<string, number>} */
  faults = new Map();
  #all = createHistogram();
  #second = createHistogram();
  #secondErrors = 0;
  /** @type {Map<string, { histogram: import('node:perf_hooks').RecordableHistogram, errors: number }>} */
  #names = new Map();
  #inARow = 0;
  /** @type {() => void} */
  #gone = () => {};
  #over = false;

  constructor() {
    this.unreachable = new Promise((resolve) => {
      this.#gone = resolve;
    });
  }

  begin() {
    this.inFlightPeak = Math.max(this.inFlightPeak, ++this.inFlight);
  }

  /** @param {import('./visitor.js').Outcome} outcome */
  record({ name, ms, error, unreachable }) {
    this.inFlight--;
    if (this.#over) return;
    const microseconds = Math.max(1, Math.round(ms * 1000));
    const of = this.#of(name);
    for (const histogram of [this.#all, this.#second, of.histogram]) histogram.record(microseconds);
    if (error) {
      of.errors++;
      this.#fault(`${name}: ${error}`);
    }
    this.#inARow = unreachable ? this.#inARow + 1 : 0;
    if (this.#inARow === UNREACHABLE) this.#gone();
  }

  /** A task has thrown. @param {string} task @param {unknown} error */
  failed(task, error) {
    if (this.#over) return;
    const [line] = String(error instanceof Error ? error.message : error).split('\n');
    this.#fault(`task ${task}: ${line}`);
  }

  /** What is cut from now on says nothing about the service. */
  end() {
    this.#over = true;
  }

  /** What came of the time since the last call. */
  second() {
    const { p50, p99, count } = latencyOf(this.#second);
    const second = { requests: count, errors: this.#secondErrors, p50, p99 };
    this.#second.reset();
    this.#secondErrors = 0;
    return second;
  }

  summary() {
    const errors = [...this.faults.values()].reduce((sum, n) => sum + n, 0);
    const byName = [...this.#names].map(([name, one]) => ({
      name,
      errors: one.errors,
      latency: latencyOf(one.histogram),
    }));
    byName.sort((a, b) => b.latency.count - a.latency.count);
    const faults = [...this.faults]
      .map(([what, count]) => ({ what, count }))
      .sort((a, b) => b.count - a.count);
    const latency = latencyOf(this.#all);
    return { requests: latency.count, errors, latency, byName, faults, inFlightPeak: this.inFlightPeak };
  }

  /** @param {string} what */
  #fault(what) {
    this.#secondErrors++;
    const known = this.faults.has(what) || this.faults.size < MOST_NAMES ? what : OTHERS;
    this.faults.set(known, (this.faults.get(known) ?? 0) + 1);
  }

  /** @param {string} name */
  #of(name) {
    const known = this.#names.has(name) || this.#names.size < MOST_NAMES ? name : OTHERS;
    const of = this.#names.get(known) ?? { histogram: createHistogram(), errors: 0 };
    this.#names.set(known, of);
    return of;
  }
}

/** @param {import('node:perf_hooks').Histogram} histogram of microseconds @returns {Latency} */
function latencyOf(histogram) {
  if (histogram.count === 0) return { count: 0, p50: 0, p95: 0, p99: 0, max: 0, mean: 0 };
  const [p50, p95, p99] = [50, 95, 99].map((q) => histogram.percentile(q) / 1000);
  return { count: histogram.count, p50, p95, p99, max: histogram.max / 1000, mean: histogram.mean / 1000 };
}
