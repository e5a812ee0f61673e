import { intoColumns, longest } from './columns.js';

const WIDTH = 72;
const HEIGHT = 8;
const EIGHTHS = ' ▁▂▃▄▅▆▇█';

/** @typedef {import('./outage.js').Arm} Arm */

/** Connections open over time, one chart per pool, all on the same scale. @param {Arm[]} arms */
export function drawTerminal(arms) {
  const endMs = longest(arms);
  const top = Math.max(...arms.map(({ peak }) => peak));
  const charts = arms.map(({ name, timeline, peak }) => {
    const columns = intoColumns(timeline, WIDTH, endMs);
    return [`connections open, ${name}`, ...drawRows(columns, peak, top)].join('\n');
  });
  const seconds = `${(endMs / 1000).toFixed(1)} s`;
  return [...charts, `      0 s${seconds.padStart(WIDTH - 2)}`].join('\n');
}

/**
 * Only as many rows as the peak needs, so that a small one takes little room.
 *
 * @param {number[]} columns
 * @param {number} peak
 * @param {number} top the value of a full column
 */
function drawRows(columns, peak, top) {
  const perRow = top / HEIGHT;
  const rows = Math.max(1, Math.ceil(peak / perRow));
  const drawn = Array.from({ length: rows }, (_, i) => {
    const floor = (rows - 1 - i) * perRow;
    const label = i === 0 ? String(peak) : '';
    return `${label.padStart(5)} ┤${columns.map((open) => block((open - floor) / perRow)).join('')}`;
  });
  return [...drawn, `    0 ┼${'─'.repeat(WIDTH)}`];
}

/** What is open at all is at least a line. @param {number} share of the cell */
function block(share) {
  if (share <= 0) return ' ';
  return EIGHTHS[Math.min(8, Math.max(1, Math.round(share * 8)))];
}
