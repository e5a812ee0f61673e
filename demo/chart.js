import { frame, round, rule } from '../tools/svg.js';
import { intoColumns, longest } from './columns.js';
import { count } from './table.js';

const WIDTH = 860;
const HEIGHT = 428;
/** The area of the curves. */
const PLOT = { left: 64, right: 836, top: 126, bottom: 370 };
const COLUMNS = 386;
const Y_STEP = 50;
const TITLE = 'Bursts of 50 and 200 session requests, through two pools';

const STYLE = `.a-line { fill: none; stroke-width: 1.2; stroke-linejoin: round }
.a-area { fill-opacity: 0.26 }
.b-line { fill: none; stroke-width: 2.6; stroke-linejoin: round }
`;

/** @typedef {import('./outage.js').Arm} Arm */

/**
 * Both pools' open connections over time.
 *
 * @param {Arm[]} arms the unbounded one first
 * @param {string} caption
 */
export function drawSvg(arms, caption) {
  const endMs = longest(arms);
  const top = Math.max(...arms.map(({ peak }) => peak)) * 1.06;
  const y = (/** @type {number} */ open) => PLOT.bottom - (open / top) * (PLOT.bottom - PLOT.top);
  const [a, b] = arms.map(({ timeline }) => steps(intoColumns(timeline, COLUMNS, endMs), y));
  const body = `${legend(arms)}
${axes(endMs, top, y)}
<path class="a-area" d="${a}L${PLOT.right} ${PLOT.bottom}L${PLOT.left} ${PLOT.bottom}Z"/>
<path class="a-line" d="${a}"/>
<path class="b-line" d="${b}"/>
<text x="24" y="${HEIGHT - 16}">${caption}</text>`;
  return frame({
    width: WIDTH,
    height: HEIGHT,
    title: TITLE,
    desc: `Connections open at the server over time. ${arms.map(inWords).join('; ')}.`,
    light: STYLE + colours('#c4432b', '#0a5fd0'),
    dark: colours('#ff7b5c', '#5cabff'),
    body,
  });
}

/** @type {(a: string, b: string) => string} */
function colours(a, b) {
  return `.a-ink, .a-area { fill: ${a} }
.a-line { stroke: ${a} }
.b-ink { fill: ${b} }
.b-line { stroke: ${b} }`;
}

/** @param {Arm} arm */
function inWords({ name, measured, connections, peak }) {
  return `${name}: ${count(connections)} new connections for ${count(measured.requests)} requests, peak ${peak}`;
}

/** @param {Arm[]} arms */
function legend(arms) {
  const entries = arms.map(({ name, connections, measured, peak }, i) => {
    const y = 65 + 23 * i;
    const ink = i === 0 ? 'a-ink' : 'b-ink';
    const numbers = `<tspan class="number ${ink}">${count(connections)} new connections</tspan>`;
    const rest = `for ${count(measured.requests)} requests, at most ${peak} open`;
    return `<rect class="${ink}" x="24" y="${y - 10}" width="16" height="10" rx="2"/>
<text class="legend" x="50" y="${y}">${name}: ${numbers} ${rest}</text>`;
  });
  return entries.join('\n');
}

/**
 * @param {number} endMs
 * @param {number} top
 * @param {(open: number) => number} y
 */
function axes(endMs, top, y) {
  const yTicks = Array.from({ length: Math.floor(top / Y_STEP) + 1 }, (_, i) => i * Y_STEP);
  const xTicks = Array.from({ length: Math.floor(endMs / 1000) + 1 }, (_, second) => second);
  const x = (/** @type {number} */ second) =>
    PLOT.left + ((second * 1000) / endMs) * (PLOT.right - PLOT.left);
  return [
    `<text x="24" y="${PLOT.top - 9}">connections open at the server</text>`,
    ...yTicks.map((n) => rule('rule', PLOT.left, y(n), PLOT.right, y(n))),
    ...yTicks.map(
      (n) => `<text x="${PLOT.left - 10}" y="${round(y(n) + 4.5)}" text-anchor="end">${n}</text>`,
    ),
    rule('axis', PLOT.left, PLOT.bottom, PLOT.right, PLOT.bottom),
    ...xTicks.map((s) => rule('axis', x(s), PLOT.bottom, x(s), PLOT.bottom + 5)),
    ...xTicks.map(
      (s) => `<text x="${round(x(s))}" y="${PLOT.bottom + 21}" text-anchor="middle">${s} s</text>`,
    ),
    `<text x="${PLOT.right}" y="${HEIGHT - 16}" text-anchor="end">time since the first burst</text>`,
  ].join('\n');
}

/**
 * A path that changes its height only where the number changes.
 *
 * @param {number[]} columns
 * @param {(open: number) => number} y
 */
function steps(columns, y) {
  const width = (PLOT.right - PLOT.left) / columns.length;
  const turns = columns.map((open, i) =>
    open === columns[i - 1] ? '' : `H${round(PLOT.left + i * width)}V${round(y(open))}`,
  );
  return `M${PLOT.left} ${PLOT.bottom}${turns.join('')}H${PLOT.right}`;
}
