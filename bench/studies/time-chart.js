/** A chart of rates over time, one panel below the other, each with a span in which the server was away. */
import { frame, round, rule, text } from '../../tools/svg.js';

const WIDTH = 860;
const LEFT = 70;
const RIGHT = WIDTH - 24;
const PANEL = 132;
const TOP = 64;

const LOOKS = {
  light:
    '.line { fill: none; stroke: #0a5fd0; stroke-width: 1.6; stroke-linejoin: round } .away { fill: #f4dcd6 }',
  dark: '.line { fill: none; stroke: #5cabff; stroke-width: 1.6; stroke-linejoin: round } .away { fill: #4a2a24 }',
};

/**
 * @param {{ title: string, caption: string, unit: string, ticks: number[],
 *   panels: { title: string, awayFor: number, points: { at: number, rate: number }[] }[] }} chart `ticks`: on each axis,
 *   which is logarithmic, so that one sees the first rush and what comes after; `awayFor` is in seconds from 0
 */
export function drawTimes({ title, caption, unit, ticks, panels }) {
  const height = TOP + panels.length * (PANEL + 48) + 24;
  const drawn = panels.map((panel, i) => drawPanel(panel, TOP + i * (PANEL + 48), ticks, unit));
  const desc = panels.map(({ title: of, points }) => {
    const peak = points.reduce((a, b) => (b.rate > a.rate ? b : a));
    return `${of}: at most ${peak.rate} ${unit}, ${peak.at} s after the loss`;
  });
  const body = [...drawn, text(24, height - 14, caption)].join('\n');
  return frame({ width: WIDTH, height, title, desc: desc.join('. '), ...LOOKS, body });
}

function drawPanel({ title, awayFor, points }, top, ticks, unit) {
  const [from, to] = [points[0].at, points.at(-1).at];
  const x = (at) => LEFT + ((at - from) / (to - from)) * (RIGHT - LEFT);
  const bottom = top + 20 + PANEL - 20;
  const [low, high] = [Math.log(ticks[0]), Math.log(ticks.at(-1))];
  const y = (rate) => bottom - Math.max(0, (Math.log(rate) - low) / (high - low)) * (PANEL - 32);
  const path = points.map(({ at, rate }, i) => `${i ? 'L' : 'M'}${round(x(at))} ${round(y(rate))}`).join('');
  const seconds = Array.from({ length: Math.floor(to) + 1 }, (_, second) => second);
  const marks = seconds.filter((second) => to < 12 || second % 5 === 0);
  return [
    text(LEFT, top + 4, `${title}: ${unit}`, 'class="legend"'),
    `<rect class="away" x="${round(x(0))}" y="${top + 20}" width="${round(x(awayFor) - x(0))}" height="${PANEL - 20}"/>`,
    ...ticks.map((rate, i) => rule(i ? 'rule' : 'axis', LEFT, y(rate), RIGHT, y(rate))),
    ...ticks.map((rate) => text(LEFT - 8, y(rate) + 4.5, rate, 'text-anchor="end"')),
    ...marks.map((second) => text(x(second), bottom + 17, `${second} s`, 'text-anchor="middle"')),
    `<path class="line" d="${path}"/>`,
  ].join('\n');
}
