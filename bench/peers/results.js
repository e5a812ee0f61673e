/** What the full runs have measured: bench/results/*.json, oldest first. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from '../lib/measure.js';

const folder = join(import.meta.dirname, '../results');

export const runs = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));

/** All that was measured of `key`, in all runs or in some. */
export function values(id, name, key, of = runs) {
  const all = of.flatMap((run) => run.workloads.find((one) => one.id === id)?.values[name]?.[key] ?? []);
  return all.filter((value) => value !== null);
}

/** The median, or nothing where nothing was measured. */
export function middle(id, name, key = 'perSecond', scale = 1) {
  const all = values(id, name, key);
  return all.length > 0 ? median(all) * scale : undefined;
}

/** How many times as fast as `other`, in each run. */
export function ratios(id, name, other) {
  return runs.map((run) => {
    const of = (one) => median(values(id, one, 'perSecond', [run]));
    return of(name) / of(other);
  });
}
