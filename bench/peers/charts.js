/** The bench's pictures. Ours are bright, everybody else is told apart by name, or by a quieter colour. */
import { frame, round, rule, text } from '../../tools/svg.js';
import { OURS as BUILT_HERE } from './contenders.js';

const WIDTH = 860;
const LABELS = 184;
const ROW = 22;
const GAP = 18;
const LINE = 20;
const OURS = new Set([...BUILT_HERE, 'PoolSessionStore']);

const BARS = {
  light:
    '.ours { fill: #0a5fd0 } .theirs { fill: #c3cad2 } .limit { fill: none; stroke: #59636e; stroke-dasharray: 3 3 } .more { opacity: 0.45 } .range { stroke: #1f2328; stroke-width: 1.5 }',
  dark: '.ours { fill: #5cabff } .theirs { fill: #49525c } .limit { fill: none; stroke: #a2abb5; stroke-dasharray: 3 3 } .more { opacity: 0.45 } .range { stroke: #f0f6fc; stroke-width: 1.5 }',
};

/**
 * Panels side by side, a bar for each contender, each panel on its own scale.
 *
 * @param {{ title: string, caption: string, unit: string, names: string[], limits?: string[],
 *   panels: { title: string, values: Record<string, number>, more?: Record<string, number>,
 *     ranges?: Record<string, { low: number, high: number }> }[] }} chart `limits` are no contenders; `more` is added
 *   behind each bar; `ranges` are drawn over their ends
 */
export function drawBars({ title, caption, unit, names, limits = [], panels }) {
  const perRow = 4;
  const band = 52 + names.length * ROW + 10;
  const rows = Math.ceil(panels.length / perRow);
  const height = 52 + rows * band + 30 + (unit ? LINE : 0);
  const width = (WIDTH - 24 - LABELS - 24 - (perRow - 1) * GAP) / perRow;
  const body = panels.map((panel, i) => {
    const left = 24 + LABELS + (i % perRow) * (width + GAP);
    const top = 52 + Math.floor(i / perRow) * band;
    const labels = i % perRow === 0 ? labelsOf(names, top) : '';
    return `${labels}\n${drawPanel(panel, names, limits, { left, top, width })}`;
  });
  if (unit) body.push(text(24, height - 14 - LINE, unit));
  body.push(text(24, height - 14, caption));
  const desc = panels.map(({ title: of, values }) => `${of}: ${inWords(names, values)}`).join('. ');
  return frame({ width: WIDTH, height, title, desc, ...BARS, body: body.join('\n') });
}

function labelsOf(names, top) {
  const label = (name, i) =>
    text(
      24 + LABELS - 10,
      top + 40 + i * ROW,
      name,
      `text-anchor="end"${OURS.has(name) ? ' class="ink number"' : ''}`,
    );
  return names.map(label).join('\n');
}

function drawPanel({ title, values, more = {}, ranges = {} }, names, limits, { left, top, width }) {
  const endOf = (name) => Math.max((values[name] ?? 0) + (more[name] ?? 0), ranges[name]?.high ?? 0);
  const room = width - (Object.keys(more).length > 0 ? 58 : 38); // for the numbers behind the longest bar
  const scale = room / Math.max(...names.map(endOf));
  const bars = names.flatMap((name, i) => {
    const y = top + 27 + i * ROW;
    const value = values[name];
    if (value === undefined) return [text(left + 4, y + 13, '–')];
    const kind = limits.includes(name) ? 'limit' : OURS.has(name) ? 'ours' : 'theirs';
    const bar = (from, length, looks) =>
      `<rect class="${looks}" x="${round(from)}" y="${y}" width="${round(Math.max(1, length))}" height="${ROW - 6}" rx="2"/>`;
    const own = bar(left, value * scale, kind);
    const added =
      more[name] === undefined ? [] : [bar(left + value * scale, more[name] * scale, `${kind} more`)];
    const number = more[name] === undefined ? short(value) : `${short(value)} + ${short(more[name])}`;
    const label = text(
      left + endOf(name) * scale + 5,
      y + 13,
      number,
      OURS.has(name) ? 'class="ink number"' : '',
    );
    return [own, ...added, ...drawRange(ranges[name], left, scale, y + (ROW - 6) / 2), label];
  });
  return [
    text(left, top + 16, title, 'class="legend"'),
    rule('axis', left, top + 24, left, top + 27 + names.length * ROW),
    ...bars,
  ].join('\n');
}

/** Where the middle half of the values lies. */
function drawRange(range, left, scale, y) {
  if (range === undefined) return [];
  const [from, to] = [left + range.low * scale, left + range.high * scale];
  return [rule('range', from, y, to, y), ...[from, to].map((x) => rule('range', x, y - 3, x, y + 3))];
}

/** Of lines: ours, and everybody else in turn. */
const LINES = {
  light: {
    ours: ['#0a5fd0', '#1b9aaa'],
    theirs: ['#c4432b', '#9a6700', '#8250df', '#bf3989', '#59636e', '#3d7a2a'],
  },
  dark: {
    ours: ['#5cabff', '#5fd3c4'],
    theirs: ['#ff7b5c', '#d4a72c', '#b992ff', '#ff80c8', '#a2abb5', '#7ccf63'],
  },
};
const PLOT = { left: 70, right: 640, top: 84, bottom: 368 };

/**
 * One line for each contender, over values that double from one to the next; both axes are logarithmic. Where a
 * contender has no value, its line ends.
 *
 * @param {{ title: string, caption: string, what: string, names: string[], ticks: number[],
 *   points: { x: string, values: Record<string, number> }[] }} chart `what`: is measured; `ticks`: on its axis
 */
export function drawLines({ title, caption, what, names, ticks, points }) {
  const height = 428;
  const [low, high] = [Math.log(ticks[0]), Math.log(ticks.at(-1))];
  const x = (i) => PLOT.left + 20 + (i / (points.length - 1)) * (PLOT.right - PLOT.left - 40);
  const y = (value) => PLOT.bottom - ((Math.log(value) - low) / (high - low)) * (PLOT.bottom - PLOT.top);
  const inside = (value) => Math.min(PLOT.bottom, Math.max(PLOT.top, y(value)));
  const lines = names.map((name, n) => {
    const known = points.flatMap(({ values }, i) => (values[name] > 0 ? [[x(i), inside(values[name])]] : []));
    const path = known.map(([at, to], i) => `${i ? 'L' : 'M'}${round(at)} ${round(to)}`).join('');
    const dots = known.map(
      ([at, to]) => `<circle class="s${n}-dot" cx="${round(at)}" cy="${round(to)}" r="3"/>`,
    );
    return {
      name,
      n,
      end: known.at(-1)?.[1] ?? PLOT.bottom,
      drawn: [`<path class="s${n}" d="${path}"/>`, ...dots],
    };
  });
  const axes = [
    ...ticks.map((tick) => rule('rule', PLOT.left, y(tick), PLOT.right, y(tick))),
    ...ticks.map((tick) => text(PLOT.left - 10, y(tick) + 4.5, short(tick), 'text-anchor="end"')),
    rule('axis', PLOT.left, PLOT.bottom, PLOT.right, PLOT.bottom),
    ...points.map(({ x: label }, i) => text(x(i), PLOT.bottom + 21, label, 'text-anchor="middle"')),
  ];
  const body = [
    text(24, 64, what),
    ...axes,
    ...lines.flatMap(({ drawn }) => drawn),
    ...besides(lines),
    text(24, height - 14, caption),
  ];
  const desc = points.map(({ x: at, values }) => `${at}: ${inWords(names, values)}`).join('. ');
  const looks = { light: strokes(names, LINES.light), dark: strokes(names, LINES.dark) };
  return frame({ width: WIDTH, height, title, desc, ...looks, body: body.join('\n') });
}

/** The names at the ends of their lines, moved apart where they would cover each other. */
function besides(lines) {
  const sorted = [...lines].sort((a, b) => a.end - b.end);
  let free = 0;
  const placed = sorted.map((line) => {
    const at = Math.max(line.end + 4, free);
    free = at + 17;
    return { ...line, at };
  });
  const excess = Math.max(0, free - 17 - PLOT.bottom);
  return placed.map(({ name, n, at }) =>
    text(PLOT.right + 12, at - excess, name, `class="s${n}-ink${OURS.has(name) ? ' number' : ''}"`),
  );
}

function strokes(names, { ours, theirs }) {
  const mine = names.filter((name) => OURS.has(name)).reverse();
  const others = names.filter((name) => !OURS.has(name));
  const rules = names.map((name, n) => {
    const own = OURS.has(name);
    const colour = own ? ours[mine.indexOf(name)] : theirs[others.indexOf(name)];
    return `.s${n} { fill: none; stroke: ${colour}; stroke-width: ${own ? 3 : 1.6}; stroke-linejoin: round }
.s${n}-dot, .s${n}-ink { fill: ${colour} }`;
  });
  return rules.join('\n');
}

function inWords(names, values) {
  const known = names.filter((name) => values[name] !== undefined);
  return known.map((name) => `${name} ${short(values[name])}`).join(', ');
}

/** With as many digits as tell something. */
export function short(value) {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (value >= 100) return Math.round(value).toString();
  return Number(value.toPrecision(2)).toString();
}
