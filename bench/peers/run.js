/**
 * The full run: every workload, its contenders one after the other in each round, each in a process of its own.
 * Writes bench/results/<when>.json, and the report of all results. Arguments pick workloads, or families of them, by
 * id; then the medians are only printed. ROUNDS overrides how many rounds there are.
 */
import { execFile, fork } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { Progress } from '../../tools/progress.js';
import { median, row } from '../lib/measure.js';
import { numbersOf } from '../lib/server.js';
import { startEnvironment, startLink } from './environment.js';
import { seed } from './operations.js';
import { WORKLOADS } from './workloads.js';

const ROUNDS = 5;
/** The first round is longer: a process has to compile what it runs often. */
const WARM_UP = { ms: 1200 };
const CEILING = 'redis-benchmark';
const wanted = process.argv.slice(2);
const workloads = WORKLOADS.filter(
  ({ id }) => wanted.length === 0 || wanted.some((one) => id === one || id.startsWith(`${one}-`)),
);
if (workloads.length === 0) {
  throw new Error(`no workload is called ${wanted}; there are ${WORKLOADS.map(({ id }) => id).join(', ')}`);
}

const environment = await startEnvironment();
const { server } = environment;
const admin = new Redis(server.url);
await seed(admin);
const progress = new Progress(workloads.length);
const results = [];
for (const workload of workloads) {
  results.push(await measure(workload));
  progress.step(workload.title);
}
progress.end();
const date = new Date().toISOString();
const about = {
  date,
  node: process.version,
  server: /redis_version:(\S+)/.exec(await admin.info('server'))[1],
  machine: `${cpus().length} cores, ${cpus()[0].model}`,
};
admin.disconnect();
await environment.stop();
if (wanted.length > 0) {
  for (const { title, values } of results) console.log(`\n${title}\n\n${inBrief(values)}`);
} else {
  const file = join(import.meta.dirname, '../results', `${date.slice(0, 19).replaceAll(':', '.')}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ about, workloads: results })}\n`);
  await import('./report.js');
  console.log(`Written: ${file}, docs/performance.md, and docs/bench-*.svg.`);
}

/** The medians of one workload, for the terminal. */
function inBrief(values) {
  const keys = Object.keys(Object.values(values)[0]);
  const cells = (own) => keys.map((key) => (own[key] ? Number(median(own[key]).toPrecision(3)) : ''));
  return [row('', ...keys), ...Object.entries(values).map(([name, own]) => row(name, ...cells(own)))].join(
    '\n',
  );
}

/** All rounds of one workload. The first round warms up and does not count. */
async function measure(workload) {
  const { id, title, rounds = ROUNDS, task = 'run' } = workload;
  const link = await linkOf(workload);
  const contenders = workload.contenders.map((one) => (typeof one === 'string' ? { name: one } : one));
  const values = {};
  const note = (label, result) => {
    values[label] ??= {};
    for (const [key, value] of Object.entries(result)) {
      values[label][key] ??= [];
      values[label][key].push(Number(Number(value).toPrecision(4)));
    }
  };
  const fresh = task === 'cold';
  const processes = fresh ? [] : await Promise.all(contenders.map((one) => open(one, link.target, task)));
  const count = Number(process.env.ROUNDS ?? rounds);
  for (let round = 0; round <= count; round++) {
    for (const [i, contender] of contenders.entries()) {
      const { label = contender.name } = contender;
      const result = fresh
        ? await coldStart(contender, link.target)
        : await watched(() => processes[i].ask({ task, ...workload.load, ...(round === 0 && WARM_UP) }));
      if (round > 0) note(label, result);
    }
    if (workload.ceiling) {
      const result = await ceiling(workload.ceiling);
      if (round > 0 && result) note(CEILING, result);
    }
  }
  await Promise.all(processes.map((one) => one.ask({ task: 'close' })));
  link.stop();
  return { id, title, values };
}

async function linkOf({ link }) {
  if (link === 'tls') return { target: environment.tls, stop() {} };
  if (link) return startLink(server.port, link);
  return { target: { host: '127.0.0.1', port: server.port }, stop() {} };
}

/** A process in which the contender is open. */
async function open({ name, target: more }, target, task) {
  // For allocations: a young heap so large that it is not collected while they are counted.
  const execArgv =
    task === 'allocations' ? ['--expose-gc', '--min-semi-space-size=512', '--max-semi-space-size=512'] : [];
  const child = fork(join(import.meta.dirname, 'contender.js'), { execArgv });
  const ask = (message) =>
    new Promise((resolve, reject) => {
      const gone = (code) => reject(new Error(`${name} ended with code ${code}`));
      child.once('exit', gone);
      child.once('message', ({ result, error }) => {
        child.off('exit', gone);
        if (error) reject(new Error(`${name}: ${error}`));
        else resolve(result);
      });
      child.send(message);
    });
  await ask({ task: 'open', name, target: { ...target, ...more } });
  return { ask };
}

/** What a contender measures, and what it cost the server. */
async function watched(run) {
  const before = await serverSide();
  const result = await run();
  const after = await serverSide();
  const { done } = result;
  if (done === undefined) return result;
  return {
    ...result,
    serverMicros: ((after.seconds - before.seconds) * 1e6) / done,
    connections: after.connections - before.connections,
  };
}

async function serverSide() {
  const number = numbersOf(await admin.info());
  return {
    seconds: number('used_cpu_user') + number('used_cpu_sys'),
    connections: number('total_connections_received'),
  };
}

/** In a process that has done nothing yet. */
async function coldStart(contender, target) {
  const before = await serverSide();
  const { ask } = await open({ name: contender.name, target: { cold: true } }, target, 'cold');
  const result = await ask({ task: 'cold' });
  const { connections } = await serverSide();
  await ask({ task: 'close' });
  return { ...result, connections: connections - before.connections };
}

/** What the server can do, asked by a client in C over one connection. */
async function ceiling(pipeline) {
  const binary = join(dirname(environment.binary), CEILING);
  if (!existsSync(binary)) return undefined;
  const requests = pipeline === 1 ? 10_000 : 200_000;
  const { stdout } = await promisify(execFile)(binary, [
    ...['-p', String(server.port), '-c', '1', '-P', String(pipeline), '-n', String(requests), '--csv'],
    ...['get', 'small'],
  ]);
  return { perSecond: Number(stdout.trim().split('\n').at(-1).split(',')[1].replaceAll('"', '')) };
}
