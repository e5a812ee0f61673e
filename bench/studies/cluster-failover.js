// What a failover of a cluster costs, and loses: three masters with a replica each on loopback; ClusterPool, ioredis and
// node-redis write to one master at the same time; and a Pool to one server that is away for as long, with its data gone
// when it comes back from a crash. Prints a table for docs/fleet.md.
// Usage: npx tsup --silent && node bench/studies/cluster-failover.js [word of the events that are wanted]
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import { ClusterPool } from '../../dist/cluster.js';
import { Pool } from '../../dist/index.js';
import { startBenchCluster } from '../lib/cluster.js';
import { pacedCallers } from '../lib/loops.js';
import { row } from '../lib/measure.js';
import { startBenchServer } from '../lib/server.js';

const RUNS = Number(process.env.RUNS ?? 3);
const LOAD = { callers: 10, pauseMs: 5 };
const AFTERWARDS_MS = 10_000;
const FROZEN_MS = 6000;
const BEHIND_MS = 500;

/** What happens to the master and its replica, and to the one server beside. */
const EVENTS = {
  '`CLUSTER FAILOVER`': (_, replica) => command(replica, 'cluster', 'FAILOVER'),
  'SIGKILL of the master': crash,
  'SIGKILL, the replica 0.5 s behind': async (master, replica, alone) => {
    process.kill(replica.pid, 'SIGSTOP');
    await command(master, 'client', 'KILL', 'TYPE', 'replica'); // what is sent to it would reach it later
    await sleep(BEHIND_MS);
    const crashed = crash(master, replica, alone);
    process.kill(replica.pid, 'SIGCONT');
    await crashed;
  },
  'SIGSTOP, SIGCONT 6 s later': async (master, _, alone) => {
    for (const { pid } of [master, alone]) process.kill(pid, 'SIGSTOP');
    await sleep(FROZEN_MS);
    for (const { pid } of [master, alone]) process.kill(pid, 'SIGCONT');
  },
};

/** The one server is back when the replica has taken over. */
async function crash(master, replica, alone) {
  process.kill(master.pid, 'SIGKILL');
  await alone.stop();
  while ((await command(replica, 'role'))[0] !== 'master') await sleep(10);
  await alone.start();
}

async function command({ port }, ...words) {
  const client = new Redis(port, '127.0.0.1');
  try {
    return await client.call(...words);
  } finally {
    client.disconnect();
  }
}

/** A server that is no cluster's. */
async function startAlone() {
  let server = await startBenchServer();
  const { port, url } = server;
  return {
    url,
    get pid() {
      return server.pid;
    },
    stop: () => server.stop(),
    start: async () => {
      server = await startBenchServer({ port });
    },
  };
}

async function run(fault) {
  const cluster = await startBenchCluster({ replicas: true });
  const [master, , , replica] = cluster.servers;
  const tag = await tagAt(master);
  const list = (name) => `{${tag}}:${name}`;
  const append = (name, push) => pacedCallers((number) => push(list(name), String(number)), LOAD);
  const pool = new ClusterPool({ nodes: cluster.nodes });
  const alone = await startAlone();
  const one = new Pool(alone.url);
  const bare = new Cluster(cluster.nodes).on('error', () => {});
  const rootNodes = cluster.nodes.map(({ host, port }) => ({ url: `redis://${host}:${port}` }));
  const node = createCluster({ rootNodes }).on('error', () => {});
  node.on('node-error', () => {});
  await node.connect();
  const clients = {
    'cluster.redis': append('cluster.redis', (key, n) => pool.redis.rpush(key, n)),
    'cluster.use()': append('cluster.use()', (key, n) => pool.use((lease) => lease.rpush(key, n), { key })),
    'one server, `pool.redis`': append('pool.redis', (key, n) => one.redis.rpush(key, n)),
    'one server, `pool.use()`': append('pool.use()', (key, n) => one.use((lease) => lease.rpush(key, n))),
    'ioredis Cluster': append('ioredis Cluster', (key, n) => bare.rpush(key, n)),
    'node-redis cluster': append('node-redis cluster', (key, n) => node.rPush(key, n)),
  };
  const start = performance.now();
  await sleep(1000);
  await Promise.all([fault(master, replica, alone), sleep(AFTERWARDS_MS)]);
  await Promise.all(Object.values(clients).map((client) => client.stop()));
  const results = {};
  for (const [name, { answers, errors }] of Object.entries(clients)) {
    const gaps = answers.map(({ at }, i) => at - (answers[i - 1]?.at ?? start));
    const longestGapMs = gaps.reduce((most, gap) => Math.max(most, gap), 0);
    results[name] = { acknowledged: answers.length, errors, longestGapMs };
    if (name.startsWith('one server')) continue;
    const found = (await command(replica, 'lrange', list(name), 0, -1)).map(Number);
    const distinct = new Set(found);
    const lost = answers.filter(({ number }) => !distinct.has(number)).length;
    Object.assign(results[name], { lost, twice: found.length - distinct.size });
  }
  await Promise.all([pool.close({ graceMs: 0 }), one.close({ graceMs: 0 })]);
  await alone.stop();
  bare.disconnect();
  node.destroy();
  await cluster.stop();
  return results;
}

/** A hash tag whose slot `master` has. */
async function tagAt(master) {
  for (let i = 0; ; i++) {
    if ((await command(master, 'cluster', 'KEYSLOT', `{${i}}`)) < 5000) return String(i);
  }
}

console.log(row('event', 'client', 'acknowledged', 'of these lost', 'run twice', 'errors', 'longest gap'));
console.log(row('---', '---', '---', '---', '---', '---', '---'));
for (const [event, fault] of Object.entries(EVENTS).filter(([event]) =>
  event.includes(process.argv[2] ?? ''),
)) {
  const runs = [];
  while (runs.length < RUNS) runs.push(await run(fault));
  for (const client of Object.keys(runs[0])) {
    const each = (field) => runs.map((one) => one[client][field]);
    const sum = (field) => (runs[0][client][field] === undefined ? '–' : each(field).reduce((a, b) => a + b));
    const gaps = each('longestGapMs')
      .sort((a, b) => a - b)
      .map((ms) => (ms / 1000).toFixed(1));
    console.log(
      row(
        event,
        client,
        sum('acknowledged'),
        sum('lost'),
        sum('twice'),
        sum('errors'),
        `${gaps.join(', ')} s`,
      ),
    );
  }
}
process.exit(); // what hangs in others' clients does not matter any more
