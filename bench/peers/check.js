/**
 * Has something become grossly slower? Ratios between contenders in one process, held against those that the full
 * runs have recorded: less than half of what was is a failure. Compared is the CPU time that so many operations take,
 * which other work on the machine leaves alone. Then the bytes that operations allocate. Under a minute.
 */
import { closedLoop } from '../lib/loops.js';
import { interleave, median, row } from '../lib/measure.js';
import { startBenchServer } from '../lib/server.js';
import { checkAllocations } from './allocations.js';
import { CONTENDERS } from './contenders.js';
import { OPERATIONS, seed } from './operations.js';
import { ratios } from './results.js';
import { WORKLOADS } from './workloads.js';

const ROUNDS = 5;
const OPERATIONS_A_ROUND = 5000;
const ATTEMPTS = 3;
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

const server = await startBenchServer();
const target = { host: '127.0.0.1', port: server.port };
const names = [...new Set(COMPARED.flatMap(([, ...both]) => both))];
const open = Object.fromEntries(
  await Promise.all(names.map(async (name) => [name, await CONTENDERS[name](target)])),
);
await open['one ioredis'].with(seed);
console.log(row('workload', 'ours', 'beside', 'recorded', 'now', ''));
for (const compared of COMPARED) {
  const [id, ours, theirs] = compared;
  const recorded = Math.min(...ratios(id, ours, theirs)); // of the worst run
  // A busy machine may spoil one attempt; what has become slower spoils all of them.
  let now = 0;
  for (let i = 0; i < ATTEMPTS && now < recorded / 2; i++) now = await ratio(...compared);
  const slower = now < recorded / 2;
  if (slower) process.exitCode = 1;
  const verdict = slower ? 'FAILED: less than half of what was recorded' : 'ok';
  console.log(row(id, ours, theirs, recorded.toFixed(2), now.toFixed(2), verdict));
}
await Promise.all(Object.values(open).map((contender) => contender.close()));
if (!(await checkAllocations(target))) process.exitCode = 1;
await server.stop();

/** How many times as much ours does with its CPU time: interleaved rounds, the first of which warms up. */
async function ratio(id, ours, theirs) {
  const { operation, callers } = WORKLOADS.find((one) => one.id === id).load;
  const rate = (name) => async () => {
    const { dialect, with: give } = open[name];
    const work = OPERATIONS[operation][dialect];
    const start = process.cpuUsage();
    const { done } = await closedLoop(() => give(work), { callers, times: OPERATIONS_A_ROUND / callers });
    const { user, system } = process.cpuUsage(start);
    return done / (user + system);
  };
  const rates = await interleave({ [theirs]: rate(theirs), [ours]: rate(ours) }, ROUNDS);
  return median(rates[ours]) / median(rates[theirs]);
}
