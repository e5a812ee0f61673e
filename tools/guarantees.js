/**
 * What does the pool promise while Redis misbehaves, and does it hold? `npm run guarantees` brings all faults of
 * test/faults upon it, with 500 callers a second at each door, and writes docs/guarantees.md. Ends with 1 if a bar was
 * missed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { circumstances, row } from '../bench/lib/measure.js';
import { fleet } from '../bench/studies/fleet.js';
import { findServer } from './redis-server.js';

const SUITES = ['test/faults/faults.test.ts', 'test/others/express-restarts.test.ts'];
const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'guarantees-'));
const report = join(folder, 'rows');
writeFileSync(report, '');

const { status } = spawnSync(
  'npx',
  ['vitest', 'run', '--project', 'ioredis 6', '--maxWorkers=1', ...SUITES],
  {
    cwd: root,
    env: { ...process.env, GUARANTEES: report },
    stdio: 'inherit',
    shell: process.platform === 'win32',
  },
);
const rows = readFileSync(report, 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line));
rmSync(folder, { recursive: true });
const faults = rows.filter(({ fault }) => fault !== undefined);
const apps = rows.filter(({ store }) => store !== undefined);
console.log('a fleet goes through a restart …');
const seen = await fleet();
writeFileSync(join(root, 'docs/guarantees.md'), page());
process.exitCode = status || (seen.peak > 2 * seen.steady ? 1 : 0);

function page() {
  return `# Guarantees

[Contents of the documentation](README.md)

What the pool promises while Redis misbehaves, which test holds it to that, and what one run of it has shown. Written by
\`npm run guarantees\` on ${circumstances()}, ${serverVersion()}.

Each fault lasts for four seconds, or for as long as its name says, with 500 callers a second at each door, who come whether or not the last one was answered; half read (GET), half write (INCR).
The same faults come with every \`npm test\`, shorter and with fewer callers.

## Promises

${table(['promise', 'test', 'in this run'], promises())}

## A restart, seen by an app

An express app with sessions, one request each 5 ms, every other one changes its session. Redis is killed, and started
again. Clients and stores as they come, with nothing configured.

${table(
  ['store', 'away', 'requests', 'failed', 'longest'],
  apps.map((one) => [one.store, `${one.seconds} s`, one.requests, one.failed, ms(one.longestMs)]),
)}

## A restart, seen by a fleet

${seen.processes} processes, default options, about twenty calls a second at each door of each; Redis is away for
${seen.seconds.toFixed(1)} s. Connects of all together:

${table(
  ['in the first second', 'a second, while away', 'worst second after the first', 'calls', 'failed'],
  [[seen.first, seen.steady.toFixed(0), seen.peak, seen.calls, seen.failed]],
)}

## Every fault

\`use\` is \`pool.use()\`, \`redis\` is \`pool.redis\`. Connects: in the first second of the fault, and in the worst second after
that while it lasted. Connections: most at the server at once. Recovery: from the end of the fault until a read and a write
have succeeded. Left: sockets, timers and places after \`close()\`.

${table(
  ['fault', 'door', 'calls', 'errors', 'longest wait', 'connects', 'connections', 'recovery', 'left'],
  faults.map((one) => [
    `${one.fault}${optionsOf(one)}`,
    one.door,
    one.calls,
    errorsOf(one),
    ms(one.longestMs),
    `${one.dialsFirst} / ${one.dialsAfter}`,
    one.peak,
    ms(one.recoveryMs),
    one.left,
  ]),
)}
`;
}

function promises() {
  const worst = (key) =>
    faults.reduce((most, one) => ((one[key] ?? -Infinity) > (most[key] ?? -Infinity) ? one : most));
  const named = (one, what) => `${what} (${one.fault}, \`${one.door}\`)`;
  const dials = worst('dialsAfter');
  const late = worst('beyondMs');
  const next = faults
    .filter(({ toldAtOnce }) => !toldAtOnce)
    .reduce((a, b) => ((a.nextDialMs ?? 0) > (b.nextDialMs ?? 0) ? a : b));
  const ours = apps.filter(({ store }) => store === 'PoolSessionStore');
  const suite = '`test/faults/faults.test.ts`';
  return [
    [
      'After the first second of a fault, at most 10 connects a second, whatever the fault.',
      suite,
      named(dials, dials.dialsAfter),
    ],
    [
      'While somebody waits for Redis, the next connect comes within 500 ms.',
      suite,
      named(next, ms(next.nextDialMs)),
    ],
    [
      'No caller waits for longer than its deadline, and 100 ms for a late timer.',
      suite,
      late.beyondMs > 0 ? named(late, ms(late.beyondMs)) : 'none beyond',
    ],
    ['Never more than `maxActive` connections at the server.', suite, `${worst('peak').peak} of 10`],
    ['After a fault the pool serves again, on both doors.', suite, 'all'],
    ['Nothing is left after `close()`.', suite, worst('left').left],
    [
      'A restart of 0.3 s or 1.5 s fails no request of an express app that uses Redis for its sessions alone.',
      '`test/faults/express.test.ts`',
      ours.map(({ failed, requests }) => `${failed} of ${requests}`).join(', '),
    ],
    [
      'A fleet of 20 comes back without a peak above twice its steady rate of connects.',
      '`test/faults/fleet.test.ts`',
      `${seen.peak}, steady ${seen.steady.toFixed(0)}`,
    ],
  ];
}

/** Both kinds of call together would say less: what a write may get a read must not. */
function errorsOf({ errors }) {
  return (
    Object.entries(errors)
      .map(([what, times]) => `${times} × ${what}`)
      .join(', ') || 0
  );
}

/** What the pools were given besides the defaults; how they log in is part of the fault. */
function optionsOf({ options: { redis, ...options } }) {
  const given = Object.entries(options).map(([name, value]) => `\`${name}: ${value}\``);
  return given.length > 0 ? ` (${given.join(', ')})` : '';
}

function table(columns, cells) {
  return [row(...columns), row(...columns.map(() => '---')), ...cells.map((line) => row(...line))].join('\n');
}

function ms(value) {
  return `${Math.round(value)} ms`;
}

function serverVersion() {
  const { stdout } = spawnSync(findServer(), ['--version'], { encoding: 'utf8' });
  return stdout.split(' sha=')[0];
}
