/**
 * CPU time of GET and SET over a cluster: ClusterPool beside the cluster clients of ioredis, node-redis and valkey-glide.
 * (Of valkey-glide it includes the threads of its core, which do what the others do in JavaScript.)
 */
import { fork } from 'node:child_process';
import { GlideClusterClient } from '@valkey/valkey-glide';
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { ClusterPool } from '../../dist/cluster.js';
import { startBenchCluster } from '../lib/cluster.js';
import { closedLoop } from '../lib/loops.js';
import { circumstances, interleave, row } from '../lib/measure.js';
import { median, spread } from '../lib/statistics.js';

const ROUNDS = Number(process.env.ROUNDS ?? 9);
const MS = Number(process.env.MS ?? 1000);
/** Each load warms a process up with so many operations, or for so long: on a busy machine one round is too short. */
const WARM_UP = 50_000;
const WARM_UP_MS = 2000;
const KEYS = Array.from({ length: 3000 }, (_, i) => `key:${i}`);
const VALUE = 'x'.repeat(100);
const LOADS = [
  ['get', 50],
  ['get', 500],
  ['set', 50],
  ['set', 500],
];

/** Each returns what gets and sets. */
const CONTENDERS = {
  'ioredis Cluster': (nodes) => viaIoredis(new Cluster(nodes)),
  'ioredis Cluster, auto-pipelining': (nodes) =>
    viaIoredis(new Cluster(nodes, { enableAutoPipelining: true })),
  'node-redis cluster': async (nodes) => {
    const rootNodes = nodes.map(({ host, port }) => ({ url: `redis://${host}:${port}` }));
    return createCluster({ rootNodes }).connect();
  },
  // A machine that has much else to do would take longer than its 250 ms.
  'valkey-glide cluster': (nodes) =>
    GlideClusterClient.createClient({ addresses: nodes, requestTimeout: 10_000 }),
  ClusterPool: (nodes) => viaIoredis(new ClusterPool({ nodes }).redis),
  'ClusterPool, CommonJS': async (nodes) => {
    const built = await import('../../dist/cluster.cjs');
    return viaIoredis(new built.ClusterPool({ nodes }).redis);
  },
};

function viaIoredis(redis) {
  return { get: (key) => redis.get(key), set: (key, value) => redis.set(key, value) };
}

if (process.send) contend();
else await measure();

/** A process of one contender's own. */
function contend() {
  const ready = CONTENDERS[process.argv[2]](JSON.parse(process.argv[3]));
  process.on('message', async ({ operation, callers, ...until }) => {
    const client = await ready;
    let turn = 0;
    const key = () => KEYS[turn++ % KEYS.length];
    const get = async () => {
      if ((await client.get(key())) !== VALUE) throw new Error('a wrong reply');
    };
    const operate = operation === 'get' ? get : () => client.set(key(), VALUE);
    const before = process.cpuUsage();
    const { done, seconds } = await closedLoop(operate, { callers, ...until });
    const { user, system } = process.cpuUsage(before);
    process.send({ perSecond: done / seconds, micros: (user + system) / done });
  });
  process.on('disconnect', () => process.exit());
}

async function measure() {
  const cluster = await startBenchCluster();
  const seeding = new Cluster(cluster.nodes);
  await Promise.all(KEYS.map((key) => seeding.set(key, VALUE)));
  seeding.disconnect();
  const children = Object.keys(CONTENDERS).map((name) => ({
    name,
    child: fork(import.meta.filename, [name, JSON.stringify(cluster.nodes)]),
  }));
  const run = (child, load) =>
    new Promise((resolve) => {
      child.once('message', resolve);
      child.send(load);
    });
  for (const [operation, callers] of LOADS) {
    const load = { operation, callers, times: WARM_UP / callers, ms: WARM_UP_MS };
    for (const { child } of children) await run(child, load);
  }
  console.log(
    `${circumstances()}; three masters, medians of ${ROUNDS} interleaved rounds (middle half), a process each\n`,
  );
  for (const [operation, callers] of LOADS) {
    const load = { operation, callers, ms: MS };
    const runs = Object.fromEntries(children.map(({ name, child }) => [name, () => run(child, load)]));
    const values = await interleave(runs, ROUNDS);
    const micros = (name) => values[name].map((one) => one.micros);
    const base = median(micros('ioredis Cluster'));
    console.log(
      row(`${operation.toUpperCase()}, ${callers} callers`, 'CPU, µs', 'times less', 'thousand a second'),
    );
    console.log(row('---', '---', '---', '---'));
    for (const name of Object.keys(values)) {
      const rate = values[name].map(({ perSecond }) => perSecond / 1000);
      console.log(row(name, spread(micros(name)), (base / median(micros(name))).toFixed(1), spread(rate)));
    }
    console.log();
  }
  for (const { child } of children) child.disconnect();
  await cluster.stop();
}
