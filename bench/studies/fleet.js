/**
 * How does a fleet come back? Twenty processes, each with a pool of default options and about twenty calls a second on
 * each door, while Redis is killed and started again. Prints how often they dial in all.
 */
import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from '../../dist/index.js';
import { row } from '../lib/measure.js';
import { startBenchServer } from '../lib/server.js';

const PROCESSES = 20;
const AWAY_MS = 3000;
const CALL_EVERY_MS = 50;

/** One of the fleet: tells when it dials, and at the end how its calls went. */
async function member(url) {
  const tally = { calls: 0, failed: 0 };
  const pool = new Pool(url);
  pool.on('connecting', () => process.send({ dial: Date.now() }));
  const call = (work) => {
    tally.calls++;
    work().catch(() => tally.failed++);
  };
  await pool.redis.ping();
  process.send({ ready: true });
  await sleep(Math.random() * CALL_EVERY_MS); // out of step
  const timer = setInterval(() => {
    call(() => pool.use((redis) => redis.get('k')));
    call(() => pool.redis.get('k'));
  }, CALL_EVERY_MS);
  process.once('message', async () => {
    clearInterval(timer);
    await pool.close();
    process.send({ tally }, () => process.disconnect());
  });
}

/** Dials of all in a restart. `steady` is what a second has while Redis is away, `peak` the worst second after the first one. */
export async function fleet() {
  const server = await startBenchServer();
  const dials = [];
  let ready = 0;
  const tallies = [];
  const children = Array.from({ length: PROCESSES }, () =>
    fork(import.meta.filename, ['member', server.url]),
  );
  for (const child of children) {
    child.on('message', ({ dial, tally, ready: isReady }) => {
      if (isReady) ready++;
      if (dial) dials.push(dial);
      if (tally) tallies.push(tally);
    });
  }
  while (ready < PROCESSES) await sleep(50);
  await sleep(2000);
  const killedAt = Date.now();
  await server.stop();
  await sleep(AWAY_MS);
  const again = await startBenchServer({ port: server.port });
  const backAt = Date.now();
  await sleep(2000);
  for (const child of children) child.send('stop');
  while (tallies.length < PROCESSES) await sleep(50);
  await again.stop();
  dials.sort((a, b) => a - b);
  const within = (from, to) => dials.filter((at) => at >= from && at < to).length;
  const sum = (name) => tallies.reduce((all, one) => all + one[name], 0);
  return {
    processes: PROCESSES,
    seconds: (backAt - killedAt) / 1000,
    first: within(killedAt, killedAt + 1000),
    steady: (within(killedAt + 1000, backAt) * 1000) / (backAt - killedAt - 1000),
    peak: Math.max(...dials.filter((at) => at >= killedAt + 1000).map((at) => within(at, at + 1000))),
    calls: sum('calls'),
    failed: sum('failed'),
  };
}

if (process.argv[2] === 'member') await member(process.argv[3]);
else if (process.argv[1] === import.meta.filename) {
  const seen = await fleet();
  console.log(row(...Object.keys(seen)));
  console.log(row(...Object.values(seen).map((value) => Math.round(value))));
}
