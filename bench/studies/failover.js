// What a failover by sentinels costs: three sentinels, a master and two replicas on loopback; a pool and ioredis write
// to them at the same time. Prints a table for docs/fleet.md. Usage: npx tsup --silent && node bench/studies/failover.js
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Pool } from '../../dist/index.js';
import { startServer } from '../../tools/redis-server.js';
import { pacedCallers } from '../lib/loops.js';
import { row } from '../lib/measure.js';

const GROUP = 'mymaster';
const LOAD = { callers: 10, pauseMs: 5 };
/** A failover is over, and a demoted master is known as that, so long after it. */
const AFTERWARDS_MS = 15_000;

/** Starts a master, two replicas and three sentinels, which know all of these. */
async function startTrio() {
  const master = await startServer();
  const args = ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0'];
  const nodes = [master, await startServer({ args }), await startServer({ args })];
  const sentinel = [
    `sentinel monitor ${GROUP} 127.0.0.1 ${master.port} 2`,
    `sentinel down-after-milliseconds ${GROUP} 1000`,
    `sentinel failover-timeout ${GROUP} 10000`,
  ];
  const sentinels = await Promise.all([1, 2, 3].map(() => startServer({ sentinel })));
  const askers = sentinels.map(({ port }) => new Redis(port, '127.0.0.1'));
  for (const asker of askers) {
    for (let ready = false; !ready; await sleep(100)) {
      const flat = await asker.call('sentinel', 'master', GROUP);
      const field = (name) => flat[flat.indexOf(name) + 1];
      ready = field('num-slaves') === '2' && field('num-other-sentinels') === '2';
    }
  }
  await sleep(11_000); // by then each sentinel has asked each replica how it is
  return { nodes, sentinels, askers };
}

async function run(name, fault) {
  const { nodes, sentinels, askers } = await startTrio();
  const options = { sentinels: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })), name: GROUP };
  const pool = new Pool({ redis: options });
  const bare = new Redis(options).on('error', () => {});
  const detecting = new Redis({ ...options, failoverDetector: true }).on('error', () => {});
  let switchedAt = 0;
  const listeners = sentinels.map(({ port }) => new Redis(port, '127.0.0.1'));
  for (const listener of listeners) {
    await listener.subscribe('+switch-master');
    listener.on('message', () => (switchedAt ||= performance.now()));
  }
  const clients = {
    'pool.redis': pacedCallers(() => pool.redis.incr('pool.redis'), LOAD),
    'pool.use()': pacedCallers(() => pool.use((lease) => lease.incr('pool.use()')), LOAD),
    ioredis: pacedCallers(() => bare.incr('ioredis'), LOAD),
    'ioredis, `failoverDetector`': pacedCallers(() => detecting.incr('ioredis, `failoverDetector`'), LOAD),
  };
  await sleep(1000);
  const since = performance.now();
  await fault(nodes[0], askers[0]);
  await sleep(AFTERWARDS_MS);
  await Promise.all(Object.values(clients).map((client) => client.stop()));
  const [, port] = await askers[0].call('sentinel', 'get-master-addr-by-name', GROUP);
  const master = new Redis(Number(port), '127.0.0.1');
  for (const [client, { answers, errors }] of Object.entries(clients)) {
    const lost = answers.length - Number(await master.get(client));
    const back = answers.find(({ at }) => at > switchedAt);
    const backMs = back === undefined ? 'not' : `${Math.round(back.at - switchedAt)} ms`;
    const switched = `${((switchedAt - since) / 1000).toFixed(1)} s`;
    console.log(row(name, switched, client, answers.length, lost, errors, backMs));
  }
  nodes[0].process.kill('SIGCONT'); // it may be gone
  await pool.close({ graceMs: 0 });
  for (const one of [bare, detecting, master, ...askers, ...listeners]) one.disconnect();
  await Promise.all([...nodes, ...sentinels].map((one) => one.stop()));
}

console.log(
  '| event | sentinels switch after | client | acknowledged | of these lost | errors | first answer after the switch |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- |');
await run('`SENTINEL failover`', (_, asker) => asker.call('sentinel', 'failover', GROUP));
await run('SIGKILL of the master', (master) => void process.kill(master.pid, 'SIGKILL'));
await run('SIGSTOP of the master', (master) => void process.kill(master.pid, 'SIGSTOP'));
