/**
 * The four stores side by side: 500 users in waves on the express example, one store after the other. What was measured is
 * kept in load/results/stores.json; the table and the picture of docs/load-testing.md are drawn from it (--report: only that).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drawBars } from '../bench/peers/charts.js';
import { count, ms, short } from './lib/format.js';
import { STORES } from './lib/options.js';

const root = join(import.meta.dirname, '..');
const RESULTS = join(import.meta.dirname, 'results/stores.json');
const PICTURE = join(root, 'docs/load-stores.svg');
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

function summary({ unbounded: { facts: theirs }, pool: { facts: ours } }) {
  const [a, b] = [theirs, ours].map(
    ({ requests, redis }) => `${count(redis.newConnections)} connections for ${count(requests)} requests`,
  );
  return `500 users of an express app opened ${a} over an unbounded pool, and ${b} over this one;\np99 was ${ms(theirs.latency.p99)} and ${ms(ours.latency.p99)}.`;
}

/** @returns {Record<string, any>} what each run wrote, without its seconds */
function runAll() {
  const folder = mkdtempSync(join(tmpdir(), 'load-stores-'));
  const json = join(folder, 'run.json');
  const all = {};
  for (const store of STORES) {
    const files = ['--json', json, '--report', join(folder, 'run.html')];
    const args = [join(import.meta.dirname, 'load.js'), '--store', store, ...LOAD, ...files];
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    if (status !== 0) throw new Error(`the run with ${store} has ended with ${status}`);
    const { facts, environment, verdicts, options } = JSON.parse(readFileSync(json, 'utf8'));
    all[store] = { options, environment, facts, verdicts };
  }
  rmSync(folder, { recursive: true });
  return all;
}

/** The columns, and how each is read and shown. */
function columnsOf({ facts: { seconds, requests, errors, latency, redis, app } }) {
  const cpu = (share) => (share * seconds * 1000) / requests;
  return {
    requests: [requests, count],
    'new connections at Redis': [redis.newConnections, count],
    'per request': [redis.newConnections / requests, short],
    'most at once': [redis.peak, count],
    p50: [latency.p50, ms],
    p99: [latency.p99, ms],
    errors: [errors, count],
    'CPU of the app a request': [cpu(app.cpuShare), ms],
    'CPU of Redis a request': [cpu(redis.cpuShare), ms],
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

function caption(all) {
  const [{ environment, facts }] = Object.values(all);
  const { node, cpu, cores, date } = environment;
  return `500 users, 40 s, a wave each 2 s; Node ${node.slice(1)}, ${facts.redis.name}, ${cpu}, ${cores} cores, ${date}`;
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
  return drawBars({ title, caption: caption(all), unit: '', names: Object.values(NAMES), panels });
}
