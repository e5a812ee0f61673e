/**
 * Has something become grossly slower? The CPU time of an operation beside that of another contender, held against what
 * is recorded: more than twice as much is a failure. Then the bytes that operations allocate. Under a minute.
 */
import { Redis } from 'ioredis';
import { row } from '../lib/measure.js';
import { startBenchServer } from '../lib/server.js';
import { median } from '../lib/statistics.js';
import { checkAllocations } from './allocations.js';
import { seed } from './operations.js';
import { measureOnce } from './process.js';
import { Results } from './results.js';
import { WORKLOADS } from './workloads.js';

const MOST = 2;
const ATTEMPTS = 3;
/** A busy machine warms up slowly. */
const HOW = { mostMs: 3000, windows: 3 };
/** A workload, ours, and whom we compare it with. */
const COMPARED = [
  ['get-1', 'pool.redis', 'one ioredis'],
  ['get-50', 'pool.redis', 'ioredis, auto-pipelining'],
  ['get-500', 'pool.redis', 'ioredis, auto-pipelining'],
  ['get-500', 'pool.redis', 'node-redis pool'],
  ['get-50', 'pool.use', 'generic-pool + ioredis'],
  ['get-50', 'a held lease', 'one ioredis'],
  ['multi', 'pool.redis', 'one ioredis'],
];

const recorded = Results.read();
const server = await startBenchServer();
const target = { host: '127.0.0.1', port: server.port };
const admin = new Redis(target);
await seed(admin);
admin.disconnect();
/** What was measured in the present attempt, by workload and contender. */
let measured = {};
console.log(row('workload', 'ours', 'beside', 'CPU ratio recorded', 'now', ''));
for (const [id, ours, theirs] of COMPARED) {
  const before = recorded.middle(id, ours, 'cpuMicros') / recorded.middle(id, theirs, 'cpuMicros');
  const most = MOST * before;
  // A busy machine may spoil one attempt; what has become slower spoils all of them.
  let now = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ATTEMPTS && !(now <= most); i++) {
    if (i > 0) measured = {};
    now = (await micros(id, ours)) / (await micros(id, theirs));
  }
  const within = now <= most;
  if (!within) process.exitCode = 1;
  const verdict = within ? 'ok' : 'FAILED: more than twice what was recorded';
  console.log(row(id, ours, theirs, before.toFixed(2), now.toFixed(2), verdict));
}
if (!(await checkAllocations(target))) process.exitCode = 1;
await server.stop();

/** The CPU time of an operation, in a process of its own; once, whomever it is compared with. */
async function micros(id, name) {
  const key = `${id} ${name}`;
  const workload = WORKLOADS.find((one) => one.id === id);
  measured[key] ??= median((await measureOnce(name, target, workload, HOW)).cpuMicros);
  return measured[key];
}
