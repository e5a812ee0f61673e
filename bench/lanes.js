/** `pool.redis` beside what Node services use today: GET of 100 bytes by callers who send one after the other. */
import { cpus } from 'node:os';
import { Redis } from 'ioredis';
import { createClient, createClientPool } from 'redis';
import { Pool } from '../dist/index.js';
import { findServer, installServer, startServer } from '../tools/redis-server.js';
import { interleave, row, summary, throughput } from './measure.js';

const ROUNDS = Number(process.env.ROUNDS ?? 9);
/** Callers, and how many commands a contender sends in a round. */
const LOADS = [
  [1, 4000],
  [50, 40_000],
  [500, 100_000],
  [5000, 100_000],
];
const VALUE = 'x'.repeat(100);

const server = await startServer({ binary: findServer() ?? (await installServer()) });
const bare = new Redis(server.url);
const autoPipelining = new Redis(server.url, { enableAutoPipelining: true });
const nodeRedis = await createClient({ url: server.url }).connect();
const nodeRedisPool = await createClientPool({ url: server.url }, { minimum: 10, maximum: 10 }).connect();
const pool = new Pool(server.url);
await bare.set('k', VALUE);

const CONTENDERS = {
  'one ioredis': bare,
  'ioredis, auto-pipelining': autoPipelining,
  'node-redis': nodeRedis,
  'node-redis, pool of 10': nodeRedisPool,
  'pool.redis': pool.redis,
};

console.log(
  `Node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores, ${new Date().toISOString().slice(0, 10)}; ` +
    `thousand GETs a second, medians of ${ROUNDS} interleaved rounds (middle half)\n`,
);
const names = Object.keys(CONTENDERS);
console.log(row('callers', ...names));
console.log(row(...['', ...names].map(() => '---')));
const ratios = [];
for (const [callers, commands] of LOADS) {
  const runs = Object.fromEntries(
    Object.entries(CONTENDERS).map(([name, client]) => [
      name,
      () => throughput(callers, Math.ceil(commands / callers), () => get(client)),
    ]),
  );
  const values = await interleave(runs, ROUNDS);
  const cells = names.map((name) => {
    const { median, low, high } = summary(values[name]);
    return `${median.toFixed(0)} (${low.toFixed(0)} – ${high.toFixed(0)})`;
  });
  console.log(row(callers, ...cells));
  const median = (name) => summary(values[name]).median;
  ratios.push([
    callers,
    ...names.slice(0, -1).map((name) => (median('pool.redis') / median(name)).toFixed(2)),
  ]);
}
console.log(`\n${row('pool.redis is so many times as fast, callers', ...names.slice(0, -1))}`);
console.log(row(...names.map(() => '---')));
for (const cells of ratios) console.log(row(...cells));

const { connected } = pool.stats();
console.log(`\npool.redis used ${connected} connections.`);
for (const client of [bare, autoPipelining]) client.disconnect();
nodeRedis.destroy();
nodeRedisPool.destroy();
await pool.close();
await server.stop();

/** Every reply is looked at. */
async function get(client) {
  if ((await client.get('k')) !== VALUE) throw new Error('a wrong reply');
}
