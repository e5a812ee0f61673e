/**
 * A pool through a day's troubles, in twelve seconds, as Prometheus sees it: what is scraped ten times a second is drawn
 * into docs/observed.svg.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { Pool } from '../../dist/index.js';
import { collectPool } from '../../dist/prometheus.js';
import { frame, round, rule, text } from '../../tools/svg.js';
import { startBenchServer } from '../lib/server.js';

let server = await startBenchServer();
const pool = new Pool({ redis: server.url, acquireTimeoutMs: 1000 });
const registry = new Registry();
collectPool(pool, { register: registry });

let callers = 0;
let wanted = 20;
const caller = async (id) => {
  while (id < wanted) {
    const work = async (redis) => {
      await redis.get('k');
      await sleep(2); // what a handler does with it
    };
    await pool.use(work).catch(() => sleep(20));
  }
  callers--;
};

/** What happens when, in seconds. */
const STORY = [
  [0, '20 callers', () => (wanted = 20)],
  [3, '200 callers', () => (wanted = 200)],
  [5, '20 again', () => (wanted = 20)],
  [6.5, '8 leases are kept', keepLeases],
  [9, 'Redis dies', () => server.stop()],
  [10.5, 'and is back', restart],
];
const END = 12;

async function keepLeases() {
  const kept = await Promise.all(Array.from({ length: 8 }, () => pool.acquire()));
  await sleep(1500);
  for (const lease of kept) lease.release();
}

async function restart() {
  server = await startBenchServer({ port: server.port });
}

const samples = [];
const began = performance.now();
const left = [...STORY];
for (let tick = 0; tick <= END * 10; tick++) {
  const now = (performance.now() - began) / 1000;
  if (left.length > 0 && now >= left[0][0]) void left.shift()[2]();
  while (callers < wanted) void caller(callers++);
  samples.push({ at: now, ...read(await registry.getMetricsAsJSON()) });
  await sleep(Math.max(0, (tick + 1) * 100 - (performance.now() - began)));
}
wanted = 0;
await pool.close();
await server.stop();
writeFileSync(join(import.meta.dirname, '../../docs/observed.svg'), draw());

function read(metrics) {
  const of = (name) => metrics.find((one) => one.name === `redis_pool_${name}`).values;
  const state = (wantedState) => of('connections').find(({ labels }) => labels.state === wantedState).value;
  const sum = (all) => all.reduce((total, { value }) => total + value, 0);
  return {
    inUse: state('in_use'),
    open: sum(of('connections')),
    waiting: sum(of('waiting')),
    errors: sum(of('errors_total')),
  };
}

function draw() {
  const [left0, right] = [64, 836];
  const x = (at) => left0 + (at / END) * (right - left0);
  const rates = samples.map(({ at, errors }, i) => {
    const before = samples[i - 1] ?? { at: at - 0.1, errors };
    return { at, value: (errors - before.errors) / (at - before.at) };
  });
  const panels = [
    {
      title: 'connections in use (bright) and open; at most 10',
      top: 92,
      lines: [
        ['open', 'soft-line'],
        ['inUse', 'line'],
      ],
      most: 10,
    },
    { title: 'callers waiting', top: 212, lines: [['waiting', 'line']] },
    {
      title: 'errors a second, each with its code and the real cause',
      top: 332,
      lines: [['rate', 'bad-line']],
    },
  ];
  const data = samples.map((sample, i) => ({ ...sample, rate: rates[i].value }));
  const height = 84;
  const drawn = panels.flatMap(({ title, top, lines, most }) => {
    const high = most ?? Math.max(1, ...data.map((one) => one[lines[0][0]]));
    const y = (value) => top + height - (value / high) * height;
    return [
      text(left0, top - 8, title),
      rule('rule', left0, top, right, top),
      text(left0 - 10, top + 5, Math.round(high), 'text-anchor="end"'),
      rule('axis', left0, top + height, right, top + height),
      text(left0 - 10, top + height + 5, 0, 'text-anchor="end"'),
      ...lines.map(([key, name]) => {
        const path = data
          .map((one, i) => `${i ? 'L' : 'M'}${round(x(one.at))} ${round(y(one[key]))}`)
          .join('');
        return `<path class="${name}" d="${path}"/>`;
      }),
    ];
  });
  const marks = STORY.flatMap(([at, what]) => [
    rule('rule', x(at), 60, x(at), 416),
    text(x(at) + 5, 68, what, 'class="ink"'),
  ]);
  const seconds = Array.from({ length: END + 1 }, (_, s) =>
    text(x(s), 434, `${s} s`, 'text-anchor="middle"'),
  );
  const line = 'fill: none; stroke-width: 2; stroke-linejoin: round';
  return frame({
    width: 860,
    height: 452,
    title: 'A pool of 10 through a bad day, as Prometheus sees it',
    desc: STORY.map(([at, what]) => `at ${at} s: ${what}`).join('; '),
    light: `.line { ${line}; stroke: #0a5fd0 } .soft-line { ${line}; stroke: #c3cad2 } .bad-line { ${line}; stroke: #c4432b }`,
    dark: '.line { stroke: #5cabff } .soft-line { stroke: #49525c } .bad-line { stroke: #ff7b5c }',
    body: [...marks, ...drawn, ...seconds].join('\n'),
  });
}
