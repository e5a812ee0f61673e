/** Results as Markdown. A cell is bold where nobody else's middle half comes near it. */
import { row } from '../lib/measure.js';
import { winners } from '../lib/statistics.js';
import { short } from './charts.js';
import { familyOf, LIMITS } from './contenders.js';
import { CEILING } from './process.js';

const NOT_SETTLED = '†';

/** What is shown of a workload: where it is found, in which unit, and whether more of it is better. */
export const CLIENT = { key: 'cpuMicros' };
export const SERVER = { key: 'serverMicros' };
export const RATE = { key: 'perSecond', scale: 1e-3, more: true };

export const table = (head, rows) =>
  [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n');

/** The median with its middle half, or that alone; one number where all are the same. */
export const wide = ({ median, low, high }) =>
  same(low, high) ? short(median) : `${short(median)} (${short(low)} – ${short(high)})`;
export const narrow = ({ low, high }) => (same(low, high) ? short(low) : `${short(low)}–${short(high)}`);
const same = (low, high) => short(low) === short(high);

/** A cell for each of `names`; `second` is added to those of a table in which two things are shown. */
export function cells(results, { id, what: { key, scale, more }, second }, names, format = wide) {
  const spreadOf = (name) => results.spread(id, name, key, scale);
  const rivals = names.filter((name) => !LIMITS.includes(name) && name !== CEILING);
  // The windows of one process say nothing about the next one.
  const alone = rivals.some((name) => results.processes(id, name) === 1);
  const spreads = alone ? {} : Object.fromEntries(rivals.map((name) => [name, spreadOf(name)]));
  const best = winners(spreads, { more, familyOf });
  return names.map((name) => {
    const spread = spreadOf(name);
    if (spread === undefined) return '–';
    const text = `${format(spread)}${results.unsettled(id, name) ? NOT_SETTLED : ''}`;
    const other = second && results.middle(id, name, second.key);
    const both = other === undefined ? '' : ` + ${short(other)}`;
    return `${best.includes(name) ? `**${text}**` : text}${both}`;
  });
}

/**
 * A row for each contender that was measured for any of the columns.
 *
 * @param {import('./results.js').Results} results
 * @param {{ id: string, title: string, what: object, second?: object }[]} columns
 * @param {string[]} names
 */
export function byContender(results, columns, names, format, corner = '') {
  const found = columns.map((column) => cells(results, column, names, format));
  const rows = names.map((name, i) => [name, ...found.map((column) => column[i])]);
  return table(
    [corner, ...columns.map(({ title }) => title)],
    rows.filter(([, ...all]) => all.some((cell) => cell !== '–')),
  );
}

/** Everything about one workload. */
export function details(results, id) {
  const middles = { p50: 'p50 ms', p99: 'p99 ms', loopDelay: 'loop p99 ms', memory: 'MiB' };
  const columns = [
    { id, title: 'client + server, µs', what: CLIENT, second: SERVER },
    { id, title: 'k/s', what: RATE },
  ];
  const names = results.names(id);
  const found = columns.map((column) => cells(results, column, names));
  return table(
    ['', ...columns.map(({ title }) => title), ...Object.values(middles)],
    names.map((name, i) => [
      name,
      ...found.map((column) => column[i]),
      ...Object.keys(middles).map((key) => short(results.middle(id, name, key))),
    ]),
  );
}

/** All that a workload gave, whatever it is: medians. */
export function everything(results, id) {
  const names = results.names(id);
  const keys = [...new Set(names.flatMap((name) => results.keys(id, name)))];
  return table(
    ['', ...keys],
    names.map((name) => [name, ...keys.map((key) => short(results.middle(id, name, key)))]),
  );
}
