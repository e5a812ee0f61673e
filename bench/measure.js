/** Shared by the benches: medians with spread, and Markdown. */

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

/** A Markdown table row. */
export const row = (...cells) => `| ${cells.join(' | ')} |`;
