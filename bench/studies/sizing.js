/** What a larger pool gives: GET by 200 callers, one lease a command, over pools of different sizes. */
import { Pool } from '../../dist/index.js';
import { closedLoop } from '../lib/loops.js';
import { circumstances, interleave, row } from '../lib/measure.js';
import { startBenchServer } from '../lib/server.js';
import { quantile, spread, summary } from '../lib/statistics.js';

const ROUNDS = Number(process.env.ROUNDS ?? 15);
const SIZES = [1, 2, 5, 10, 20, 50, 100, 200];
const CALLERS = 200;
const VALUE = 'x'.repeat(100);

const server = await startBenchServer();
const pools = SIZES.map((maxActive) => new Pool(server.url, { maxActive }));
const times = Object.fromEntries(SIZES.map((size) => [size, []]));
await pools[0]?.redis.set('k', VALUE);

const runs = Object.fromEntries(pools.map((pool, i) => [SIZES[i], () => round(pool, times[SIZES[i]])]));
const values = await interleave(runs, ROUNDS);
console.log(
  `${circumstances()}; GET by ${CALLERS} callers, a lease each time, medians of ${ROUNDS} interleaved rounds (middle half)\n`,
);
console.log(row('maxActive', 'thousand a second', 'from acquire to reply, 99th percentile, ms'));
console.log(row('---', '---', '---'));
for (const size of SIZES) {
  const p99 = summary(times[size]).median;
  console.log(row(size, spread(values[size]), p99.toFixed(1)));
}
for (const pool of pools) await pool.close();
await server.stop();

async function round(pool, percentiles) {
  const get = async () => {
    if ((await pool.use((redis) => redis.get('k'))) !== VALUE) throw new Error('a wrong reply');
  };
  const { done, seconds, latencies } = await closedLoop(get, { callers: CALLERS, times: 40 });
  percentiles.push(
    quantile(
      latencies.sort((a, b) => a - b),
      0.99,
    ),
  );
  return done / seconds / 1000;
}
