import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DEFAULTS, Pool } from '../dist/index.js';
import { Progress } from '../tools/progress.js';
import { drawSvg } from './chart.js';
import { connect } from './connect.js';
import { findDemoServer } from './server.js';
import { drawTable } from './table.js';
import { drawTerminal } from './terminal.js';
import { UnboundedPool } from './unbounded-pool.js';
import { planBursts, replay, sessionKeys } from './workload.js';

/** Each leaves a port in TIME_WAIT for a minute, and a machine has about 28 000 of those (16 000 on macOS). */
const MOST_CONNECTIONS = 8000;
/** Of those, ours that measure and tidy up. */
const OWN_CONNECTIONS = 2;
/** Below this the unbounded pool did not show the outage. */
const OUTAGE_PER_REQUEST = 0.8;
/** Written only when asked: the picture is part of the README, and a run is not to change it. */
const CHART = new URL('../docs/outage.svg', import.meta.url);

/**
 * What became of one pool.
 *
 * @typedef {object} Arm
 * @property {string} name
 * @property {import('./workload.js').Measured} measured
 * @property {number} connections new ones at the server
 * @property {number} peak most open at once
 * @property {{ at: number, open: number }[]} timeline milliseconds since its start, connections open
 */

/** @typedef {import('./workload.js').AnyPool & { close(): Promise<void> }} DemoPool */

process.once('SIGINT', () => process.exit(130));
try {
  await main();
} catch (error) {
  // Node gives the error for a host with several addresses a code, but no message.
  const { message, code } = /** @type {NodeJS.ErrnoException} */ (error);
  console.error(`The demo failed: ${message || code}`);
  process.exit(1);
}

async function main() {
  const { values } = parseArgs({ options: { picture: { type: 'boolean' } } });
  const server = await findDemoServer();
  console.log(server.introduction);
  const keys = sessionKeys(`demo:${randomBytes(6).toString('hex')}:`);
  const redis = await connect(server.url);
  try {
    const arms = await runBoth(server, keys);
    report(server, arms, values.picture);
  } finally {
    await redis.del(keys);
    redis.disconnect();
    await server.stop();
  }
}

/**
 * @param {import('./server.js').DemoServer} server
 * @param {string[]} keys
 */
async function runBoth({ url, observer }, keys) {
  const bursts = planBursts((MOST_CONNECTIONS - OWN_CONNECTIONS) / 2);
  const progress = new Progress(2 * bursts.length);
  /** @type {[string, () => DemoPool][]} */
  const contenders = [
    ['(a) no bound, maxIdle 3', () => new UnboundedPool(url)],
    ['(b) new Pool(), defaults', () => new Pool({ redis: url })],
  ];
  const arms = [];
  for (const [name, create] of contenders) {
    const before = await observer.start();
    const pool = create();
    const measured = await replay(pool, bursts, keys, (size) => progress.step(`${name}, burst of ${size}`));
    await pool.close();
    arms.push(summarize(name, measured, before, await observer.end(before.open)));
  }
  progress.end();
  return arms;
}

/**
 * @param {string} name
 * @param {import('./workload.js').Measured} measured
 * @param {import('./observer.js').Sample} before
 * @param {import('./observer.js').Sample[]} samples
 * @returns {Arm}
 */
function summarize(name, measured, before, samples) {
  const timeline = samples.map(({ at, open }) => ({
    at: at - before.at,
    open: Math.max(0, open - before.open),
  }));
  const connections = Math.max(...samples.map(({ total }) => total)) - before.total;
  return { name, measured, connections, peak: Math.max(...timeline.map(({ open }) => open)), timeline };
}

/**
 * @param {import('./server.js').DemoServer} server
 * @param {Arm[]} arms
 * @param {boolean} [picture] whether to draw docs/outage.svg too
 */
function report(server, arms, picture) {
  console.log(`\n${drawTable(arms)}\n\n${drawTerminal(arms)}\n`);
  const faults = findFaults(arms);
  if (faults.length === 0) {
    console.log('As expected: without a bound nearly every request opened a connection; new Pool() opened');
    console.log(`${arms[1].connections} in all.`);
    if (picture) draw(server, arms);
    return;
  }
  process.exitCode = 1;
  console.error(`NOT as expected:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);
  if (server.shared) console.error('Others may have used this server meanwhile; their connections count in.');
}

/**
 * @param {import('./server.js').DemoServer} server
 * @param {Arm[]} arms
 */
function draw(server, arms) {
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(CHART, drawSvg(arms, `Node ${process.version}, ${server.name}, ${date}: npm run demo`));
  console.log('Drawn in docs/outage.svg.');
}

/** What the run should have shown and did not. @param {Arm[]} arms */
function findFaults([unbounded, bounded]) {
  const perRequest = unbounded.connections / unbounded.measured.requests;
  const all = unbounded.connections + bounded.connections + OWN_CONNECTIONS;
  /** @type {[boolean, string][]} */
  const expectations = [
    [perRequest >= OUTAGE_PER_REQUEST, `(a) made only ${perRequest.toFixed(2)} new connections per request.`],
    [
      bounded.connections <= DEFAULTS.maxActive,
      `(b) made ${bounded.connections} new connections; maxActive is ${DEFAULTS.maxActive}.`,
    ],
    [all <= MOST_CONNECTIONS, `${all} connections were made; no more than ${MOST_CONNECTIONS} were allowed.`],
    ...[unbounded, bounded].map(
      ({ name, measured: { errors } }) =>
        /** @type {[boolean, string]} */ ([
          errors.length === 0,
          `${name}: requests failed, first with: ${errors[0]}`,
        ]),
    ),
  ];
  return expectations.filter(([met]) => !met).map(([, fault]) => fault);
}
