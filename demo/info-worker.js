import { parentPort, workerData } from 'node:worker_threads';
import { connect } from './connect.js';

/** How often INFO is asked. */
const INTERVAL_MS = 4;

// Asks a real server what it counted itself. This connection is there before the first sample and stays
// until after the last, so it is in no difference of two samples.
const redis = await connect(workerData.url);
parentPort?.postMessage(await serverName());
parentPort?.on('message', look);
setInterval(look, INTERVAL_MS);

async function look() {
  const [stats, clients] = await Promise.all([redis.info('stats'), redis.info('clients')]);
  const at = performance.timeOrigin + performance.now();
  const total = Number(field(stats, 'total_connections_received'));
  parentPort?.postMessage({ at, total, open: Number(field(clients, 'connected_clients')) });
}

/** As in "redis-server 7.0.15". */
async function serverName() {
  const info = await redis.info('server');
  const valkey = field(info, 'valkey_version');
  return valkey ? `valkey-server ${valkey}` : `redis-server ${field(info, 'redis_version')}`;
}

/**
 * @param {string} info
 * @param {string} name
 */
function field(info, name) {
  return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
}
