/** Three masters of a Redis Cluster, on loopback, and a replica of each where one is wanted. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from '../../tools/redis-server.js';
import { startBenchServer } from './server.js';

const SLOTS = 16_384;
const MASTERS = 3;
/** How long a master may be silent until the others take it for dead. */
const NODE_TIMEOUT_MS = '1000';

/** Starts them, and resolves when all slots are served. The replica of `servers[i]` is `servers[i + 3]`. */
export async function startBenchCluster({ replicas = false } = {}) {
  const servers = [];
  const count = replicas ? 2 * MASTERS : MASTERS;
  while (servers.length < count) {
    const port = await freePort();
    if (port > 55_000) continue; // the bus speaks on a port that is 10 000 higher
    const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', NODE_TIMEOUT_MS];
    servers.push(await startBenchServer({ port, args: [...args, '--repl-diskless-sync-delay', '0'] }));
  }
  const admins = servers.map(({ port }) => new Redis(port));
  const share = Math.ceil(SLOTS / MASTERS);
  for (const [i, admin] of admins.entries()) {
    await admin.cluster('SET-CONFIG-EPOCH', i + 1);
    const length = Math.min(share, SLOTS - i * share);
    if (i < MASTERS)
      await admin.cluster('ADDSLOTS', ...Array.from({ length }, (_, slot) => i * share + slot));
    if (i > 0) await admin.cluster('MEET', '127.0.0.1', servers[0].port);
  }
  const serves = async (admin) => {
    const info = await admin.cluster('INFO');
    return /state:ok/.test(info) && info.includes(`known_nodes:${count}`);
  };
  const all = async (holds) => {
    while (!(await Promise.all(admins.map(holds))).every(Boolean)) await sleep(50);
  };
  await all(serves);
  for (const [i, admin] of admins.slice(MASTERS).entries()) {
    await admin.cluster('REPLICATE', await admins[i].cluster('MYID'));
  }
  await all(async (admin) => /role:master|master_link_status:up/.test(await admin.info('replication')));
  for (const admin of admins) admin.disconnect();
  return {
    servers,
    nodes: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
    stop: () => Promise.all(servers.map((server) => server.stop())),
  };
}
