/**
 * What was recorded: bench/results/peers.json has, for each workload, what was measured of each contender, and on what,
 * when and of which commit.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { summary } from '../lib/statistics.js';
import { WORKLOADS } from './workloads.js';

const FILE = join(import.meta.dirname, '../results/peers.json');

/** What of a workload's surroundings has to be the same for its numbers to be beside others. */
const PLACE = ['commit', 'node', 'server', 'machine'];

export class Results {
  #all;

  /** @param {Record<string, { about: object, values: object }>} [all] by workload */
  constructor(all = {}) {
    this.#all = all;
  }

  static read() {
    return new Results(JSON.parse(readFileSync(FILE, 'utf8')));
  }

  add(id, about, values) {
    this.#all[id] = { about, values };
  }

  /** Writes the file whole, so that nothing is lost by what interrupts the next workload. */
  save() {
    const lines = WORKLOADS.filter((one) => this.#all[one.id]).map(
      (one) => `${JSON.stringify(one.id)}: ${JSON.stringify(this.#all[one.id])}`,
    );
    mkdirSync(dirname(FILE), { recursive: true });
    writeFileSync(`${FILE}.new`, `{\n${lines.join(',\n')}\n}\n`);
    renameSync(`${FILE}.new`, FILE);
  }

  /** Whether this workload was measured here, as it is now. */
  has(id, here) {
    const about = this.#all[id]?.about;
    return about !== undefined && PLACE.every((key) => about[key] === here[key]);
  }

  /** The contenders of a workload that were measured. */
  names(id) {
    return Object.keys(this.#all[id]?.values ?? {});
  }

  /** What was measured of one of them. */
  keys(id, name) {
    return Object.keys(this.#all[id].values[name]);
  }

  /** All that was measured of `key`. */
  values(id, name, key) {
    return this.#all[id]?.values[name]?.[key] ?? [];
  }

  /** How many processes a contender had. */
  processes(id, name) {
    return this.values(id, name, 'unsettled').length;
  }

  /** The median and the middle half around it; nothing where nothing was measured, or by less than half of the processes. */
  spread(id, name, key, scale = 1) {
    const all = this.values(id, name, key);
    if (all.length === 0 || 2 * all.length < this.processes(id, name)) return undefined;
    return summary(all.map((value) => value * scale));
  }

  /** The median alone. */
  middle(id, name, key, scale) {
    return this.spread(id, name, key, scale)?.median;
  }

  /** Whether one of the contender's processes was still not warm when its time was up. */
  unsettled(id, name) {
    return this.values(id, name, 'unsettled').some(Boolean);
  }

  /** On what these workloads were measured, when, and of which commit. */
  about(ids) {
    const known = ids.flatMap((id) => this.#all[id]?.about ?? []);
    const words = ({ date, commit, node, server, machine }) =>
      `${machine}; Node ${node}, redis-server ${server}; ${date}, commit ${commit}`;
    return [...new Set(known.map(words))];
  }
}

/** Adds up what the processes of a contender measure: numbers, or lists of them. */
export function collect(values, name, result) {
  values[name] ??= {};
  for (const [key, value] of Object.entries(result)) {
    const found = [value].flat().filter(Number.isFinite);
    values[name][key] = [...(values[name][key] ?? []), ...found.map((one) => Number(one.toPrecision(4)))];
  }
}
