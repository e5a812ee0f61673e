/** Results as Markdown. A cell is bold where nobody else's middle half comes near it. */
import { row } from '../lib/measure.js';
import { winners } from '../lib/statistics.js';
import { short } from './charts.js';
import { familyOf, LIMIT } from './contenders.js';
import { CEILING } from './process.js';

const NOT_SETTLED = '†';

/** What is shown of a workload: where it is found, in which unit, and whether more of it is better. */
export const CPU = { key: 'cpuMicros', second: 'serverMicros' };
export const RATE = { key: 'perSecond', scale: 1e-3, more: true };

export const table = (head, rows) =>
  [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n');

/** The contenders of a workload who are better than all others. */
export function winnersOf(results, id, names, { key, scale, more }) {
  const rivals = names.filter((name) => name !== LIMIT && name !== CEILING);
  const spreads = Object.fromEntries(rivals.map((name) => [name, results.spread(id, name, key, scale)]));
  return winners(spreads, { more, familyOf });
}

/** The median with its middle half. */
export const wide = ({ median, low, high }) => `${short(median)} (${short(low)} – ${short(high)})`;
/** The middle half alone. */
export const narrow = ({ low, high }) => `${short(low)}–${short(high)}`;

/** A cell for each of `names`. */
export function cells(results, id, names, what, format = wide) {
  const { key, scale, second } = what;
  const best = winnersOf(results, id, names, what);
  return names.map((name) => {
    const spread = results.spread(id, name, key, scale);
    if (spread === undefined) return '–';
    const text = `${format(spread)}${results.unsettled(id, name) ? NOT_SETTLED : ''}`;
    const first = best.includes(name) ? `**${text}**` : text;
    const other = second && results.middle(id, name, second);
    return other === undefined ? first : `${first} + ${short(other)}`;
  });
}

/** A row for each contender that was measured in any of the workloads, a column for each workload. */
export function byContender(results, workloads, names, what) {
  const columns = workloads.map(({ id }) => cells(results, id, names, what));
  const rows = names.map((name, i) => [name, ...columns.map((column) => column[i])]);
  return table(
    ['', ...workloads.map(({ short: title }) => title)],
    rows.filter((all) => all.some((cell, i) => i > 0 && cell !== '–')),
  );
}

/** Everything about one workload. */
export function details(results, id) {
  const names = results.names(id);
  const rest = ['p50', 'p99', 'loopDelay', 'memory'].map((key) =>
    names.map((name) => short(results.middle(id, name, key))),
  );
  const columns = [cells(results, id, names, CPU), cells(results, id, names, RATE), ...rest];
  return table(
    ['', 'client + server, µs', 'k/s', 'p50 ms', 'p99 ms', 'loop p99 ms', 'MiB'],
    names.map((name, i) => [name, ...columns.map((column) => column[i])]),
  );
}

/** All that a workload gave, whatever it is, for the terminal: medians. */
export function everything(results, id) {
  const names = results.names(id);
  const keys = [...new Set(names.flatMap((name) => results.keys(id, name)))];
  return table(
    ['', ...keys],
    names.map((name) => [name, ...keys.map((key) => short(results.middle(id, name, key)))]),
  );
}
