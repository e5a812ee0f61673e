/**
 * The four stores side by side: 500 users in waves on the express example, one store after the other, three times. What was
 * measured is kept in load/results/stores.json; the table and the picture of docs/load-testing.md are drawn from it, medians
 * (--report: only that).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from '../bench/lib/statistics.js';
import { drawBars } from '../bench/peers/charts.js';
import { count, ms, short } from './lib/format.js';
import { STORES } from './lib/options.js';

const root = join(import.meta.dirname, '..');
const RESULTS = join(import.meta.dirname, 'results/stores.json');
const PICTURE = join(root, 'docs/load-stores.svg');
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const LOAD = ['--users', '500', '--spawn-rate', '100', '--duration', '40', '--wave', '2'];
/** As the table and the picture have them. */
const NAMES = {
  unbounded: 'unbounded, 3 idle',
  'connect-redis': 'connect-redis, one client',
  'generic-pool': 'generic-pool, max 10',
  pool: 'PoolSessionStore',
};

if (!process.argv.includes('--report')) writeFileSync(RESULTS, `${JSON.stringify(runAll(), undefined, 1)}\n`);
const stores = JSON.parse(readFileSync(RESULTS, 'utf8'));
writeFileSync(PICTURE, draw(stores));
fill('docs/load-testing.md', 'load:stores', `\n${table(stores)}\n`);
fill('README.md', 'load:summary', summary(stores));
console.log(table(stores));

/** Puts `text` between the marks. @param {string} file @param {string} mark @param {string} text */
function fill(file, mark, text) {
  const path = join(root, file);
  const between = new RegExp(`<!-- ${mark} -->.*?<!-- /load -->`, 's');
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(between, () => `<!-- ${mark} -->\n${text}\n<!-- /load -->`),
  );
}

/** @param {Record<string, any[]>} all */
function summary(all) {
  const [theirs, ours] = ['unbounded', 'pool'].map((store) => columnsOf(all[store]));
  const [a, b] = [theirs, ours].map(
    (columns) =>
      `${count(columns['new connections at Redis'][0])} connections for ${count(columns.requests[0])} requests`,
  );
  return `500 users of an express app opened ${a} over an unbounded pool,\nand ${b} over this one; p99 was ${ms(theirs.p99[0])} and ${ms(ours.p99[0])}.`;
}

/** @returns {Record<string, any[]>} by store: what each run wrote, without its seconds */
function runAll() {
  const folder = mkdtempSync(join(tmpdir(), 'load-stores-'));
  const all = Object.fromEntries(STORES.map((store) => [store, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const first = round % STORES.length; // to be the first may be a disadvantage
    for (const store of [...STORES.slice(first), ...STORES.slice(0, first)])
      all[store].push(runOne(store, folder));
  }
  rmSync(folder, { recursive: true });
  return all;
}

/** @param {string} store @param {string} folder */
function runOne(store, folder) {
  const [json, html] = [join(folder, 'run.json'), join(folder, 'run.html')];
  const args = [
    join(import.meta.dirname, 'load.js'),
    '--store',
    store,
    ...LOAD,
    '--json',
    json,
    '--report',
    html,
  ];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`the run with ${store} has ended with ${status}`);
  const { facts, environment, verdicts } = JSON.parse(readFileSync(json, 'utf8'));
  return { environment, facts, verdicts };
}

/** By column, the median of all rounds, and how it is shown. @param {any[]} runs */
function columnsOf(runs) {
  const of = (read) => median(runs.map(({ facts }) => read(facts)));
  const cpu = (part) => of((facts) => (facts[part].cpuShare * facts.seconds * 1000) / facts.requests);
  return {
    requests: [of(({ requests }) => requests), count],
    'new connections at Redis': [of(({ redis }) => redis.newConnections), count],
    'per request': [of(({ redis, requests }) => redis.newConnections / requests), short],
    'most at once': [of(({ redis }) => redis.peak), count],
    p50: [of(({ latency }) => latency.p50), ms],
    p99: [of(({ latency }) => latency.p99), ms],
    errors: [of(({ errors }) => errors), count],
    'CPU of the app a request': [cpu('app'), ms],
    'CPU of Redis a request': [cpu('redis'), ms],
  };
}

function table(all) {
  const rows = Object.entries(NAMES).map(([store, name]) => [name, columnsOf(all[store])]);
  const heads = Object.keys(rows[0][1]);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(['', ...heads]),
    line(['---', ...heads.map(() => '---')]),
    ...rows.map(([name, columns]) =>
      line([name, ...heads.map((head) => columns[head][1](columns[head][0]))]),
    ),
    '',
    `${caption(all)}.`,
  ].join('\n');
}

/** @param {Record<string, any[]>} all @param {boolean} [short] without the processor's name, for the picture */
function caption(all, short = false) {
  const [[{ environment, facts }, ...others]] = Object.values(all);
  const { node, cpu, cores, date } = environment;
  return `500 users, 40 s, a wave each 2 s, medians of ${1 + others.length} runs; Node ${node.slice(1)}, ${facts.redis.name}, ${short ? '' : `${cpu}, `}${cores} cores, ${date}`;
}

function draw(all) {
  const shown = {
    'new ones a request': 'per request',
    'most at once': 'most at once',
    'p99, ms': 'p99',
    "the app's CPU, ms": 'CPU of the app a request',
  };
  const panels = Object.entries(shown).map(([title, column]) => ({
    title,
    values: Object.fromEntries(
      Object.entries(NAMES).map(([store, name]) => [name, columnsOf(all[store])[column][0]]),
    ),
  }));
  const title = 'Connections at Redis, and times, by session store';
  return drawBars({ title, caption: caption(all, true), unit: '', names: Object.values(NAMES), panels });
}
