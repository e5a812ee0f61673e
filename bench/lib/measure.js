/** Medians with their spread, where they were measured, and Markdown. */
import { cpus } from 'node:os';
import { closedLoop } from './loops.js';

/** The value below which the share `q` of the sorted values lies. */
export function quantile(sorted, q) {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** The median of `values`, and the middle half around it. */
export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) };
}

export const median = (values) => summary(values).median;

/** The median of `values` in words, with the middle half around it. */
export function spread(values, unit = '') {
  const { median, low, high } = summary(values);
  return `${median.toFixed(1)}${unit} (${low.toFixed(1)} – ${high.toFixed(1)})`;
}

/**
 * Runs every contender once a round, in turn, so that what disturbs the machine disturbs all of them; each round begins
 * with another one, since to be the first, or to come after a certain other, may be a disadvantage. The first round
 * warms up and does not count. Returns each one's values.
 */
export async function interleave(contenders, rounds, progress = () => {}) {
  const values = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  const all = Object.entries(contenders);
  for (let round = 0; round <= rounds; round++) {
    const first = round % all.length;
    for (const [name, run] of [...all.slice(first), ...all.slice(0, first)]) {
      const value = await run();
      if (round > 0) values[name].push(value);
    }
    progress(round, rounds);
  }
  return values;
}

/**
 * Microseconds of this process' CPU time that an operation takes, with `callers` at once, each doing `each` in turn. What
 * others do on the machine disturbs it less than it does the time that passes.
 */
export async function cpuMicroseconds(callers, each, operation) {
  const start = process.cpuUsage();
  await closedLoop(operation, { callers, times: each });
  const { user, system } = process.cpuUsage(start);
  return (user + system) / (callers * each);
}

/** On what a measurement was made, and when. */
export function circumstances() {
  const date = new Date().toISOString().slice(0, 10);
  return `Node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores, ${date}`;
}

/** A Markdown table row. */
export const row = (...cells) => `| ${cells.join(' | ')} |`;
