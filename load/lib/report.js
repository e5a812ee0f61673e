/** The report: one HTML file with everything in it, so that it opens from disk without a network. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const uplot = dirname(createRequire(import.meta.url).resolve('uplot'));

/** @typedef {{ title: string, unit: string, step?: boolean, lines: { label: string, colour: string, values: (number | null)[] }[] }} Chart */

/** Text of others, in HTML. @param {unknown} text */
export const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/**
 * @param {object} run
 * @param {string} run.title
 * @param {string} run.introduction
 * @param {import('./table.js').Rows} run.requests
 * @param {import('./table.js').Rows} run.costs
 * @param {import('./run.js').Ending} run.end
 * @param {import('./view.js').Second[]} run.series
 * @param {ReturnType<import('./recorder.js').Recorder['summary']>} run.summary
 * @param {readonly import('./judge.js').Verdict[]} run.verdicts
 * @param {{ node: string, cpu: string, cores: number, date: string }} run.environment
 */
export function drawReport({
  title,
  introduction,
  requests,
  costs,
  end,
  series,
  summary,
  verdicts,
  environment,
}) {
  const data = { at: series.map(({ at }) => at), charts: chartsOf(series) };
  const { node, cpu, cores, date } = environment;
  const ended = end.fault ?? (end.interrupted ? 'It was ended by Ctrl-C.' : undefined);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${readFileSync(join(uplot, 'uPlot.min.css'), 'utf8')}${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p>${escaped(introduction).replaceAll('\n', '<br>')}</p>
${ended ? `<p class="act">${escaped(ended)}</p>` : ''}
<ul class="verdicts">
${verdicts.map(({ says, text }) => `<li class="${says}">${escaped(text)}</li>`).join('\n')}
</ul>
<div id="charts"></div>
${table(requests)}
${table(costs)}
${summary.faults.length > 0 ? table([['What failed', 'times'], ...summary.faults.map(({ what, count }) => [what, String(count)])]) : ''}
<p class="soft">${escaped(`Node ${node}, ${cpu}, ${cores} cores, ${date}`)}</p>
<script type="application/json" id="data">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>
<script>${readFileSync(join(uplot, 'uPlot.iife.min.js'), 'utf8')}</script>
<script>(${draw})()</script>
</body>
</html>
`;
}

/** @param {import('./view.js').Second[]} series @returns {Chart[]} */
function chartsOf(series) {
  const line = (label, colour, read) => ({
    label,
    colour,
    values: series.map((second) => read(second) ?? null),
  });
  const charts = [
    {
      title: 'Connections at Redis',
      unit: '',
      step: true,
      lines: [
        line('most at once', 'blue', (s) => s.redis?.peak),
        line('new ones', 'red', (s) => s.redis?.dialled),
      ],
    },
    {
      title: 'Users, and requests a second',
      unit: '',
      lines: [
        line('users', 'soft', (s) => s.users),
        line('requests', 'blue', (s) => s.requests),
        line('errors', 'red', (s) => s.errors),
      ],
    },
    {
      title: 'Time of requests',
      unit: 'ms',
      lines: [
        line('p50', 'blue', (s) => (s.requests ? s.p50 : null)),
        line('p99', 'red', (s) => (s.requests ? s.p99 : null)),
      ],
    },
    {
      title: 'Pool',
      unit: '',
      step: true,
      lines: [
        line('open', 'soft', (s) => s.pool?.open),
        line('in use', 'blue', (s) => s.pool?.inUse),
        line('waiting', 'red', (s) => s.pool?.waiting),
      ],
    },
    {
      title: 'CPU, percent of a core',
      unit: '%',
      lines: [
        line('app', 'blue', (s) => s.appCpu && s.appCpu * 100),
        line('Redis', 'red', (s) => s.redis && s.redis.cpu * 100),
      ],
    },
  ];
  const known = ({ values }) => values.some((value) => value !== null);
  return charts
    .map((chart) => ({ ...chart, lines: chart.lines.filter(known) }))
    .filter(({ lines }) => lines.length > 0);
}

/** @param {import('./table.js').Rows} rows */
function table([heads, ...rows]) {
  const head = heads.some(Boolean)
    ? `<tr>${heads.map((cell) => `<th>${escaped(cell)}</th>`).join('')}</tr>`
    : '';
  return `<table>${head}${rows.map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`).join('')}</table>`;
}

/** Runs in the browser, where uPlot is a global; it takes nothing from here but what is in the page. */
function draw() {
  const { uPlot } = /** @type {any} */ (window);
  const { at, charts } = JSON.parse(document.getElementById('data').textContent);
  const place = document.getElementById('charts');
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const width = () => Math.min(900, document.body.clientWidth);
  const redraw = () => {
    place.replaceChildren();
    for (const { title, unit, step, lines } of charts) {
      const value = (_, n) => (n === null || n === undefined ? '–' : `${Number(n.toPrecision(3))} ${unit}`);
      const axis = {
        stroke: colour('ink-soft'),
        grid: { stroke: colour('rule'), width: 1 },
        ticks: { stroke: colour('rule') },
      };
      const series = lines.map((line) => ({
        label: line.label,
        stroke: colour(line.colour),
        width: 2,
        spanGaps: true, // between waves nothing is asked for
        value,
        ...(step && { paths: uPlot.paths.stepped({ align: -1 }) }),
      }));
      const options = {
        title,
        width: width(),
        height: 210,
        scales: { x: { time: false }, y: { range: (_, _least, most) => [0, Math.max(1, most * 1.05)] } },
        series: [{ label: 'second', value: (_, n) => (n === null ? '–' : n.toFixed(0)) }, ...series],
        axes: [axis, { ...axis, size: 64 }],
        cursor: { sync: { key: 'all' } },
      };
      new uPlot(options, [at, ...lines.map(({ values }) => values)], place);
    }
  };
  redraw();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  addEventListener('resize', redraw);
}

const STYLE = `
:root { color-scheme: light dark; --page: #fff; --ink: #1f2328; --ink-soft: #59636e; --rule: #d8dee4; --blue: #0a5fd0; --red: #c4432b; --soft: #8a94a0; --green: #1a7f37 }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --ink: #f0f6fc; --ink-soft: #a2abb5; --rule: #2b323b; --blue: #5cabff; --red: #ff7b5c; --soft: #7d8894; --green: #4ac26b } }
body { background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; max-width: 900px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem }
table { border-collapse: collapse; margin: 1.5rem 0; font-variant-numeric: tabular-nums; display: block; overflow-x: auto }
td, th { padding: .2rem .9rem .2rem 0; text-align: right; border-bottom: 1px solid var(--rule) }
td:first-child, th:first-child { text-align: left }
.verdicts { list-style: none; padding: 0 }
.verdicts li { border-left: 4px solid var(--soft); padding: .2rem .8rem; margin: .5rem 0 }
.verdicts .good { border-color: var(--green) }
.verdicts .act, p.act { border-color: var(--red) }
p.act { border-left: 4px solid var(--red); padding: .2rem .8rem }
.soft { color: var(--ink-soft) }
.uplot { margin: 1.2rem 0 }
.u-title { font-weight: 600; text-align: left }
.u-legend { text-align: left }
`;
