/** What values say: their middle, how far they are spread, when they have settled, and whose are better. */

/** Windows in a row that have to be alike, and how far apart they may be. */
const WINDOWS = 3;
const APART = 0.05;

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

/** Whether the last three windows are less than 5 % apart: then what runs is compiled, and nothing disturbs it. */
export function settled(windows) {
  const last = windows.slice(-WINDOWS);
  return last.length === WINDOWS && Math.max(...last) < (1 + APART) * Math.min(...last);
}

export const overlap = (a, b) => a.low <= b.high && b.low <= a.high;

/**
 * The names whose spread is better than that of every rival; nobody where the best one's overlaps with another's. Those
 * of one family are no rivals of each other, so that two builds of the same code can win together.
 */
export function winners(spreads, { more = false, familyOf = (name) => name } = {}) {
  const all = Object.entries(spreads).filter(([, own]) => own !== undefined);
  const [best] = all.toSorted(([, a], [, b]) => (more ? b.median - a.median : a.median - b.median));
  if (best === undefined) return [];
  const isOfBest = ([name]) => familyOf(name) === familyOf(best[0]);
  const rivals = all.filter((one) => !isOfBest(one));
  const isApart = ([, own]) => rivals.every(([, other]) => !overlap(own, other));
  if (rivals.length === 0 || !isApart(best)) return [];
  return all.filter((one) => isOfBest(one) && isApart(one)).map(([name]) => name);
}
