/**
 * Does every reply belong to its request? Millions of commands with distinct values, single and pipelined, while
 * connections are killed, cleared and lent to others. And does anything stay behind of what comes and goes?
 * `npm run soak -- [commands] [rounds of churn]`. Ends with 1 if anything is wrong.
 */
import { Redis } from 'ioredis';
import { Pool } from '../../dist/index.js';
import { row } from '../lib/measure.js';
import { startBenchServer } from '../lib/server.js';
import { churn } from './churn.js';
import { isExcuse, OPERATIONS, seed } from './operations.js';

const [total = 10_000_000, rounds = 500] = process.argv.slice(2).map(Number);
const CALLERS = 100;
const SHAPES = [
  { maxActive: 1, maxLanes: 1 },
  { maxActive: 4, maxLanes: 4 },
  { maxActive: 10, maxLanes: 1 },
  { maxActive: 10, maxLanes: 4, maxInFlight: 200 },
];
const KILL_EVERY_MS = 40;

const server = await startBenchServer();
const admin = new Redis(server.url, { connectionName: 'admin' });
const results = [];
for (const shape of SHAPES) results.push(await run(shape, total / SHAPES.length));
report(results);
admin.disconnect();
const staying = await churn(server.url, rounds);
for (const what of staying) console.log(what);
await server.stop();
process.exitCode = staying.length > 0 || results.some(({ wrong }) => wrong.size > 0) ? 1 : 0;

/** Callers who do one operation after the other until `goal` commands are sent. */
async function run(shape, goal) {
  await admin.flushall();
  const tally = { shape, sent: 0, replies: 0, lost: 0, refused: 0, kills: 0, peak: 0, wrong: new Map() };
  const pool = new Pool({ redis: server.url, name: 'soak', acquireTimeoutMs: 60_000, ...shape });
  await seed(pool.redis);
  const started = performance.now();
  let over = false;
  const trouble = makeTrouble(pool, tally, () => over);
  const callers = Array.from({ length: CALLERS }, async (_, id) => {
    const caller = { id, redis: pool.redis, pool, tally, turn: 0, acked: 0, unsure: 0, last: 0 };
    while (tally.sent < goal) {
      const operation = OPERATIONS[caller.turn++ % OPERATIONS.length];
      await operation(caller, (what) => wrong(tally, what)).catch((error) => judge(error, tally));
    }
    const count = Number(await admin.get(`count:${id}`));
    if (count < caller.acked || count > caller.acked + caller.unsure)
      wrong(tally, 'a command ran twice, or not');
  });
  const progress = setInterval(
    () => process.stderr.write(`\r${name(shape)}: ${tally.sent} of ${goal}   `),
    500,
  );
  await Promise.all(callers);
  over = true;
  clearInterval(progress);
  await trouble;
  tally.seconds = (performance.now() - started) / 1000;
  const { inUse, lanes, waiting } = pool.stats();
  if (inUse + lanes + waiting > 0)
    wrong(tally, `at rest: ${inUse} in use, ${lanes} lanes, ${waiting} waiting`);
  if (tally.peak > shape.maxActive) wrong(tally, `${tally.peak} connections`);
  tally.connected = pool.stats().connected;
  await pool.close();
  if (pool.stats().total > 0) wrong(tally, 'connections are left');
  process.stderr.write('\r\x1b[K');
  return tally;
}

/** Kills a connection again and again, now and then all of them, and has the server forget its scripts. */
async function makeTrouble(pool, tally, over) {
  for (let turn = 1; !over(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
    const list = String(await admin.client('LIST'))
      .trim()
      .split('\n');
    const ids = list
      .filter((line) => line.includes(' name=soak '))
      .map((line) => /^id=(\d+)/.exec(line)?.[1]);
    tally.peak = Math.max(tally.peak, ids.length);
    const id = ids[turn % Math.max(1, ids.length)];
    if (id) tally.kills += Number(await admin.client('KILL', 'ID', id));
    if (turn % 11 === 0) pool.clear();
    if (turn % 5 === 0) await admin.script('FLUSH');
  }
}

/** Only a lost connection is an excuse, or one that was killed while it was dialled and no other stood. */
function judge(error, tally) {
  if (isExcuse(error)) tally.lost++;
  else wrong(tally, String(error));
}

function wrong(tally, what) {
  tally.wrong.set(what, (tally.wrong.get(what) ?? 0) + 1);
}

function name({ maxActive, maxLanes }) {
  return `${maxActive} connections, ${maxLanes} lanes`;
}

function report(tallies) {
  const columns = [
    '',
    'commands',
    'replies checked',
    'kills',
    'operations lost',
    'connections',
    'peak',
    'seconds',
  ];
  console.log(row(...columns, 'wrong'));
  console.log(row(...columns.map(() => '---'), '---'));
  for (const one of tallies) {
    const { shape, sent, replies, kills, lost, connected, peak, seconds, wrong } = one;
    const bad = [...wrong].map(([what, times]) => `${times}× ${what}`).join('; ') || 0;
    console.log(row(name(shape), sent, replies, kills, lost, connected, peak, seconds.toFixed(0), bad));
  }
}
