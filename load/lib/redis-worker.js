/** Asks a Redis what it counts: the connections often, so that no burst is missed, all else now and then. */
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Redis } from 'ioredis';

const LOOK_MS = 10;
const SAMPLE_MS = 200;
/** A Redis that does not answer for this long is gone. */
const PATIENCE_MS = 5000;

/** A connection which is never made again: what it has counted by then is what is known. */
const redis = new Redis(workerData.url, {
  lazyConnect: true,
  retryStrategy: () => null,
  connectTimeout: PATIENCE_MS,
  commandTimeout: PATIENCE_MS,
  enableReadyCheck: false,
  disableClientInfo: true,
  connectionName: 'load-test',
});
/** @type {Error | undefined} */
let reason;
redis.on('error', (error) => {
  reason ??= error;
});

/** Own commands, so that they can be left out. */
let asked = 0;
const replies = createHistogram();

try {
  await redis.connect();
  parentPort?.postMessage({ name: await serverName(), maxClients: await maxClients() });
  asked = number(await redis.info('stats'), 'total_commands_processed');
  const before = asked;
  asked = 0;
  for (;;) await sample(before);
} catch (error) {
  const { message, code } = /** @type {NodeJS.ErrnoException} */ (reason ?? error);
  parentPort?.postMessage({ lost: inWords(message || code || 'it closed the connection') });
  redis.disconnect();
}

async function sample(before) {
  let [peak, open] = [0, 0];
  const end = performance.now() + SAMPLE_MS;
  do {
    open = number(await info('clients'), 'connected_clients') - 1;
    peak = Math.max(peak, open);
    await sleep(LOOK_MS);
  } while (performance.now() < end);
  const [stats, cpu] = [await info('stats'), await info('cpu')];
  const commands = number(stats, 'total_commands_processed') - before - asked;
  const cpuSeconds = number(cpu, 'used_cpu_user') + number(cpu, 'used_cpu_sys');
  const total = number(stats, 'total_connections_received');
  const replyP99Ms = replies.percentile(99) / 1000;
  parentPort?.postMessage({ sample: { open, peak, total, commands, cpuSeconds, replyP99Ms } });
}

/** @param {string} section */
async function info(section) {
  asked++;
  const start = performance.now();
  const text = await redis.info(section);
  replies.record(Math.max(1, Math.round((performance.now() - start) * 1000)));
  return text;
}

/** As in "redis-server 7.0.15". */
async function serverName() {
  const text = await redis.info('server');
  const valkey = field(text, 'valkey_version');
  if (valkey) return `valkey-server ${valkey}`;
  const version = field(text, 'redis_version');
  if (!version) throw new Error('it does not answer INFO as a Redis does');
  return `redis-server ${version}`;
}

/** What INFO says since Redis 7; before, only those may know who may ask for the configuration. */
async function maxClients() {
  const said = field(await redis.info('clients'), 'maxclients');
  if (said) return Number(said);
  const [, value] = /** @type {string[]} */ (await redis.config('GET', 'maxclients').catch(() => []));
  return value === undefined ? undefined : Number(value);
}

/** @param {string} text @param {string} name */
function field(text, name) {
  return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(text)?.[1];
}

/** @param {string} text @param {string} name */
function number(text, name) {
  const value = Number(field(text, name));
  if (Number.isNaN(value)) throw new Error(`its INFO does not say ${name}`);
  return value;
}

/** @param {string} message */
function inWords(message) {
  const line = message.split('\n')[0].replace(/\.$/, '');
  if (/RESP type/.test(line)) return 'what it says is not what a Redis says';
  if (/^NOAUTH/.test(line)) return 'it wants a password (NOAUTH)';
  if (line === 'Connection is closed') return 'it closed the connection';
  return /^Command timed out/.test(line) ? `it did not answer for ${PATIENCE_MS / 1000} s` : line;
}
