/**
 * The full run: every workload; for each, its contenders one after the other in each round, each in a new process.
 * Records what each workload gave in bench/results as soon as it is there, and writes the report at the end.
 *
 *   --only get-50,multi   some workloads, or families of them; prints what they give, and records nothing
 *   --record              records that, too
 *   --quick               one process for each contender and a shorter warm-up; records nothing
 *   --resume              goes on: leaves out what was recorded here of the same commit
 *   --minutes 20          begins no workload after that
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { Redis } from 'ioredis';
import { Progress } from '../../tools/progress.js';
import { inTurn, surroundings } from '../lib/measure.js';
import { startEnvironment, startLink } from './environment.js';
import { seed } from './operations.js';
import { CEILING, FULL, measureOnce, QUICK } from './process.js';
import { collect, Results } from './results.js';
import { details, everything } from './tables.js';
import { WORKLOADS } from './workloads.js';

const MINUTES = 20;
const { values: wanted } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    record: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    resume: { type: 'boolean', default: false },
    minutes: { type: 'string', default: String(MINUTES) },
  },
});
const only = wanted.only.split(',').filter(Boolean);
const records = !wanted.quick && (only.length === 0 || wanted.record);
const workloads = WORKLOADS.filter(
  ({ id }) => only.length === 0 || only.some((one) => id === one || id.startsWith(`${one}-`)),
);
if (workloads.length === 0) {
  throw new Error(`no workload is called ${only}; there are ${WORKLOADS.map(({ id }) => id).join(', ')}`);
}
process.once('SIGINT', () => process.exit(130)); // so that the server ends, too

const environment = await startEnvironment();
const { server } = environment;
const admin = new Redis(server.url);
await seed(admin);
const about = { ...surroundings(), server: /redis_version:(\S+)/.exec(await admin.info('server'))[1] };
const results = records ? Results.read() : new Results();
const left = workloads.filter(({ id }) => !(wanted.resume && results.has(id, about)));
const how = { ...(wanted.quick ? QUICK : FULL), admin };
const until = performance.now() + Number(wanted.minutes) * 60_000;
const progress = new Progress(left.length);
while (left.length > 0 && performance.now() < until) {
  const workload = left.shift();
  const values = await measure(workload);
  results.add(workload.id, about, values);
  progress.step(workload.title);
  if (records) results.save();
  else console.log(`\n${workload.title}\n\n${inBrief(workload)}`);
}
progress.end();
admin.disconnect();
await environment.stop();
if (records) {
  const { writeReport } = await import('./report.js');
  console.log(`Written: bench/results, and of that ${writeReport().join(', ')}.`);
}
if (left.length > 0) {
  console.log(`Time is up. Not measured: ${left.map(({ id }) => id).join(', ')}. Go on with --resume.`);
  process.exitCode = 1;
}

/** A workload's rounds: in each, a process of each contender, and each round begins with another one. */
async function measure(workload) {
  const link = await linkOf(workload);
  const contenders = workload.contenders.map((one) =>
    typeof one === 'string' ? { name: one, label: one } : one,
  );
  // In their order, whoever is measured first.
  const values = Object.fromEntries(contenders.map(({ label }) => [label, {}]));
  for (let round = 0; round < how.processes; round++) {
    for (const { name, label, target } of inTurn(contenders, round)) {
      collect(values, label, await measureOnce(name, { ...link.target, ...target }, workload, how));
    }
    if (workload.ceiling) collect(values, CEILING, await ceiling(workload.ceiling));
  }
  link.stop();
  return values;
}

function inBrief({ id, task = 'run' }) {
  return task === 'run' ? details(results, id) : everything(results, id);
}

async function linkOf({ link }) {
  if (link === 'tls') return { target: environment.tls, stop() {} };
  if (link) return startLink(server.port, link);
  return { target: { host: '127.0.0.1', port: server.port }, stop() {} };
}

/** What the server can do, asked by a client in C over one connection. */
async function ceiling(pipeline) {
  const binary = join(dirname(environment.binary), CEILING);
  if (!existsSync(binary)) return {};
  const requests = pipeline === 1 ? 5000 : 100_000;
  const { stdout } = await promisify(execFile)(binary, [
    ...['-p', String(server.port), '-c', '1', '-P', String(pipeline), '-n', String(requests), '--csv'],
    ...['get', 'small'],
  ]);
  return { perSecond: Number(stdout.trim().split('\n').at(-1).split(',')[1].replaceAll('"', '')) };
}
