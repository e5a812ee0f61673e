/** @typedef {import('./outage.js').Arm} Arm */

/** One column per pool. @param {Arm[]} arms */
export function drawTable(arms) {
  const rows = [
    ['', ...arms.map(({ name }) => name)],
    ['requests', ...arms.map(({ measured }) => count(measured.requests))],
    ['new connections at the server', ...arms.map(({ connections }) => count(connections))],
    ['new connections per request', ...arms.map(perRequest)],
    ['peak open', ...arms.map(({ peak }) => count(peak))],
    ['latency p50', ...arms.map((arm) => latency(arm, 0.5))],
    ['latency p99', ...arms.map((arm) => latency(arm, 0.99))],
    ['errors', ...arms.map(({ measured }) => count(measured.errors.length))],
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map(([head, ...cells]) =>
    [head.padEnd(widths[0]), ...cells.map((cell, i) => cell.padStart(widths[i + 1]))].join('   '),
  );
  return [lines[0], '─'.repeat(lines[0].length), ...lines.slice(1)].join('\n');
}

/** With a comma between thousands, whatever the locale. @param {number} n */
export function count(n) {
  return n.toLocaleString('en-US');
}

/** @param {Arm} arm */
function perRequest({ connections, measured }) {
  const ratio = connections / measured.requests;
  return ratio < 0.01 ? ratio.toFixed(4) : ratio.toFixed(2);
}

/**
 * @param {Arm} arm
 * @param {number} quantile
 */
function latency({ measured: { latencies } }, quantile) {
  const rank = Math.ceil(latencies.length * quantile);
  return `${latencies[rank - 1].toFixed(1)} ms`;
}
