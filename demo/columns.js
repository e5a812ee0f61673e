/**
 * Spreads a timeline over columns of equal time. A column shows the most that was open in it; one without a
 * sample shows what the last one before it said.
 *
 * @param {{ at: number, open: number }[]} timeline
 * @param {number} columns
 * @param {number} endMs where the last column ends
 */
export function intoColumns(timeline, columns, endMs) {
  const most = new Map();
  const last = new Map();
  for (const { at, open } of timeline) {
    const column = Math.floor((at / endMs) * columns);
    most.set(column, Math.max(open, most.get(column) ?? 0));
    last.set(column, open);
  }
  let before = 0;
  return Array.from({ length: columns }, (_, column) => {
    const open = most.get(column) ?? before;
    before = last.get(column) ?? before;
    return open;
  });
}

/** When the longest arm ended. @param {import('./outage.js').Arm[]} arms */
export function longest(arms) {
  return Math.max(...arms.map(({ timeline }) => timeline.at(-1)?.at ?? 0));
}
