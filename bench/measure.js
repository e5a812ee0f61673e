/** Shared by the benches: interleaved rounds, medians with spread. */

/** The median of `values`, and the middle half around it. */
export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/**
 * Runs every contender once a round, in turn, so that what disturbs the machine disturbs all of them. The first
 * round warms up and does not count. Returns each one's values.
 */
export async function interleave(contenders, rounds, progress = () => {}) {
  const values = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const value = await run();
      if (round > 0) values[name].push(value);
    }
    progress(round, rounds);
  }
  return values;
}

/** Microseconds an operation takes when `count` of them run one after the other. */
export async function microseconds(count, operation) {
  const start = performance.now();
  for (let i = 0; i < count; i++) await operation();
  return ((performance.now() - start) * 1000) / count;
}

/** Thousand operations a second with `callers` at once, each doing `each` in turn. */
export async function throughput(callers, each, operation) {
  const start = performance.now();
  const caller = async () => {
    for (let i = 0; i < each; i++) await operation();
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (callers * each) / (performance.now() - start);
}

/** A Markdown table row. */
export const row = (...cells) => `| ${cells.join(' | ')} |`;

/** One contender's line: median, middle half, and its ratio to `base`. */
export function line(name, values, base, unit) {
  const { median, low, high } = summary(values);
  const ratio = median / summary(base).median;
  return row(
    name,
    `${median.toFixed(2)} ${unit}`,
    `${low.toFixed(2)} – ${high.toFixed(2)}`,
    `${ratio.toFixed(2)}×`,
  );
}
