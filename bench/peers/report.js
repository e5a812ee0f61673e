/**
 * Makes of bench/results/*.json the pictures and tables: between the marks `<!-- bench:NAME -->` and `<!-- /bench -->`
 * of docs/performance.md. Run it again after the words around them were changed, as often as you like.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row, summary } from '../lib/measure.js';
import { drawBars, drawLines, short } from './charts.js';
import { POOLS, SHARED } from './contenders.js';
import { middle, ratios, runs, values } from './results.js';
import { WORKLOADS } from './workloads.js';

const root = join(import.meta.dirname, '../..');
const CALLERS = [1, 50, 500, 5000];
const EVERYBODY = [...SHARED.slice(0, 3), ...POOLS.slice(0, -1), 'pool.use', 'a held lease', 'pool.redis'];
const FEW = [...SHARED.slice(0, 3), 'node-redis pool', 'generic-pool + ioredis', 'pool.use', 'pool.redis'];
const LIMITS = ['hand-written loop'];
const { about } = runs.at(-1);
const dates = [...new Set(runs.map((run) => run.about.date.slice(0, 10)))].join(', ');
const caption = `medians of ${runs.length} runs, ${dates}; Node ${about.node.slice(1)}, redis-server ${about.server}, ${about.machine}`;

const medians = (id, names, key, scale) =>
  Object.fromEntries(names.map((name) => [name, middle(id, name, key, scale)]));

const table = (head, rows) =>
  [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n');

/** A row for each workload, a column for each contender; the best one bold. */
function grid(ids, names, key, scale) {
  const rows = ids.map((id) => {
    const found = names.map((name) => middle(id, name, key, scale));
    const best = (key === 'perSecond' ? Math.max : Math.min)(...found.filter((value) => value !== undefined));
    const cells = found.map((value) => (value === best ? `**${short(value)}**` : short(value)));
    return [titleOf(id), ...cells];
  });
  return table(['', ...names], rows);
}

const titleOf = (id) => WORKLOADS.find((one) => one.id === id).title;
const idsOf = (...prefixes) =>
  WORKLOADS.map(({ id }) => id).filter((id) => prefixes.some((prefix) => id.startsWith(prefix)));

/** Everything about one workload. */
function details(id) {
  const names = Object.keys(runs.at(-1).workloads.find((one) => one.id === id).values);
  const spread = (name) => {
    const { median: mid, low, high } = summary(values(id, name, 'perSecond').map((value) => value / 1000));
    return `${short(mid)} (${short(low)} – ${short(high)})`;
  };
  const head = [
    '',
    'k/s (middle half)',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'loop p99 ms',
    'client µs',
    'server µs',
    'MiB',
  ];
  const keys = ['p50', 'p99', 'p999', 'loopDelay', 'cpuMicros', 'serverMicros', 'memory'];
  return `#### ${titleOf(id)}\n\n${table(
    head,
    names.map((name) => [name, spread(name), ...keys.map((key) => short(middle(id, name, key)))]),
  )}`;
}

const CHARTS = {
  'bench-callers.svg': () =>
    drawBars({
      title: 'GET of 100 B, thousand a second, by how many callers there are',
      caption,
      unit: '',
      names: [...FEW, ...LIMITS],
      limits: LIMITS,
      panels: CALLERS.map((callers) => ({
        title: callers === 1 ? '1 caller' : `${callers} callers`,
        values: medians(`get-${callers}`, [...FEW, ...LIMITS], 'perSecond', 1e-3),
      })),
    }),
  'bench-commands.svg': () =>
    drawBars({
      title: 'Other work of 50 callers, thousand a second',
      caption,
      unit: '',
      names: FEW,
      panels: [
        ['set', 'SET of 1 KiB'],
        ['mget', 'MGET of 100'],
        ['hgetall', 'HGETALL of 20'],
        ['multi', 'MULTI of 5'],
        ['watch', 'WATCH, EXEC'],
        ['tls', 'GET over TLS'],
        ['latency-50', 'GET, 1 ms away'],
        ['bursts', 'bursts of 200 GETs'],
      ].map(([id, title]) => ({ title, values: medians(id, FEW, 'perSecond', 1e-3) })),
    }),
  'bench-open.svg': () =>
    drawLines({
      title: 'Latency p99 of GETs that come whether or not the last is answered',
      caption,
      what: 'ms, over requests a second; a line ends where less than 95 % was answered in time',
      names: FEW,
      ticks: [0.1, 1, 10, 100, 1000],
      points: idsOf('open').map((id) => ({ x: id.slice(5), values: keepingUp(id) })),
    }),
  'bench-sizes.svg': () =>
    drawLines({
      title: 'GETs of 100 callers, each with a connection of its own for its time',
      caption,
      what: 'thousand a second, over connections in the pool',
      names: ['node-redis pool', 'generic-pool + ioredis', 'tarn + ioredis', 'pool.use'],
      ticks: [2, 4, 8, 16, 32],
      points: idsOf('size').map((id) => ({
        x: id.slice(5),
        values: medians(
          id,
          ['node-redis pool', 'generic-pool + ioredis', 'tarn + ioredis', 'pool.use'],
          'perSecond',
          1e-3,
        ),
      })),
    }),
};

/** Latencies of those who answer what they are asked. */
function keepingUp(id) {
  const { rate } = WORKLOADS.find((one) => one.id === id).load;
  const able = FEW.filter((name) => (middle(id, name) ?? 0) >= 0.95 * rate);
  return medians(id, able, 'p99');
}

const COMMANDS = ['set', 'mget', 'hgetall', 'multi', 'watch', 'tls', 'latency-50', 'latency-500', 'bursts'];
const PARTS = {
  cpu: () =>
    grid([...idsOf('get'), 'set', 'mget', 'hgetall', 'multi', 'watch', 'tls'], EVERYBODY, 'cpuMicros'),
  ceiling: () =>
    table(
      ['callers', 'redis-benchmark', 'hand-written loop', 'pool.redis'],
      CALLERS.map((callers) => [
        callers,
        ...['redis-benchmark', 'hand-written loop', 'pool.redis'].map((name) =>
          short(middle(`get-${callers}`, name, 'perSecond', 1e-3)),
        ),
      ]),
    ),
  summary: () =>
    `${grid([...idsOf('get'), ...COMMANDS, 'blpop', 'large', 'large-local'], FEW, 'perSecond', 1e-3)}\n\nThousand operations a second, ${caption}.`,
  ratios: () =>
    table(
      ['`pool.redis` is so many times as fast as', ...runs.map((_, i) => `run ${i + 1}`)],
      CALLERS.flatMap((callers) =>
        ['one ioredis', 'ioredis, auto-pipelining', 'node-redis pool', 'hand-written loop'].map((other) => [
          `${other}, callers: ${callers}`,
          ...ratios(`get-${callers}`, 'pool.redis', other).map((ratio) => ratio.toFixed(2)),
        ]),
      ),
    ),
  everybody: () =>
    grid([...idsOf('get'), 'set', 'mget', 'hgetall', 'multi', 'blpop'], EVERYBODY, 'perSecond', 1e-3),
  open: () =>
    `p99, ms:\n\n${grid(idsOf('open'), FEW, 'p99')}\n\nAnswered a second, thousands:\n\n${grid(idsOf('open'), FEW, 'perSecond', 1e-3)}`,
  sizes: () =>
    grid(
      idsOf('size'),
      ['node-redis pool', 'generic-pool + ioredis', 'tarn + ioredis', 'pool.use'],
      'perSecond',
      1e-3,
    ),
  borrow: () => {
    const names = POOLS.filter((name) => name !== 'node-redis pool');
    const of = (name) => summary(values('borrow', name, 'perSecond').map((value) => 1e6 / value));
    return table(
      ['', 'µs, median', 'middle half'],
      names.map((name) => [name, short(of(name).median), `${short(of(name).low)} – ${short(of(name).high)}`]),
    );
  },
  cold: () =>
    table(
      ['', 'first reply, ms', 'first 100 more, ms', 'connections'],
      FEW.map((name) => [
        name,
        ...['firstMs', 'hundredMs', 'connections'].map((key) => short(middle('cold', name, key))),
      ]),
    ),
  allocations: () =>
    table(
      ['', 'bytes'],
      [...EVERYBODY, 'hand-written loop'].map((name) => [name, short(middle('allocations', name, 'bytes'))]),
    ),
  defaults: () =>
    idsOf('lanes', 'in-flight')
      .map((id) =>
        grid([id], Object.keys(runs.at(-1).workloads.find((one) => one.id === id).values), 'perSecond', 1e-3),
      )
      .join('\n\n'),
  details: () => [...idsOf('get'), ...COMMANDS, 'blpop', 'large', 'large-local'].map(details).join('\n\n'),
};

for (const [name, draw] of Object.entries(CHARTS)) writeFileSync(join(root, 'docs', name), draw());
const page = join(root, 'docs/performance.md');
const filled = readFileSync(page, 'utf8').replace(
  /(<!-- bench:(\w+) -->).*?(<!-- \/bench -->)/gs,
  (_, begin, part, end) => `${begin}\n\n${PARTS[part]()}\n\n${end}`,
);
writeFileSync(page, filled);
