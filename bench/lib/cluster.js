/** Three masters of a Redis Cluster, on loopback. Replicas would share the machine, and do nothing that is measured. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from '../../tools/redis-server.js';
import { startBenchServer } from './server.js';

const SLOTS = 16_384;
const MASTERS = 3;

/** Starts them, and resolves when all slots are served. */
export async function startBenchCluster() {
  const servers = [];
  while (servers.length < MASTERS) {
    const port = await freePort();
    if (port > 55_000) continue; // the bus speaks on a port that is 10 000 higher
    servers.push(await startBenchServer({ port, args: ['--cluster-enabled', 'yes'] }));
  }
  const admins = servers.map(({ port }) => new Redis(port));
  const share = Math.ceil(SLOTS / MASTERS);
  for (const [i, admin] of admins.entries()) {
    const length = Math.min(share, SLOTS - i * share);
    await admin.cluster('ADDSLOTS', ...Array.from({ length }, (_, slot) => i * share + slot));
    if (i > 0) await admin.cluster('MEET', '127.0.0.1', servers[0].port);
  }
  const serves = async (admin) => {
    const info = await admin.cluster('INFO');
    return /state:ok/.test(info) && /known_nodes:3/.test(info);
  };
  while (!(await Promise.all(admins.map(serves))).every(Boolean)) await sleep(50);
  for (const admin of admins) admin.disconnect();
  return {
    nodes: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
    stop: () => Promise.all(servers.map((server) => server.stop())),
  };
}
