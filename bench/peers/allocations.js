/**
 * The bytes that an operation allocates, which do not depend on what else the machine does: more than 5 % above those
 * recorded in allocations.json for this major version of Node is a failure. By itself, with `record`, it records them anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import { row } from '../lib/measure.js';
import { startBenchServer } from '../lib/server.js';
import { median } from '../lib/statistics.js';
import { seed } from './operations.js';
import { allocated as allocatedBy } from './process.js';

const FILE = join(import.meta.dirname, 'allocations.json');
const MOST = 1.05;
const ATTEMPTS = 3;
const MEASURED = [
  ['get', 'pool.redis'],
  ['get', 'pool.use'],
  ['get', 'a held lease'],
  ['get', 'pool.redis, CommonJS'],
  ['get', 'pool.use, CommonJS'],
  ['multi', 'pool.redis'],
];
const [NODE] = process.versions.node.split('.');
const recordedOf = () => JSON.parse(readFileSync(FILE, 'utf8'));
const idOf = (operation, name) => `${operation}: ${name}`;

const allocated = async (target, operation, name) => {
  const { bytes } = await allocatedBy(name, target, { operation, callers: 50, each: 200 });
  return Math.round(bytes);
};

/** Prints a row for each; returns whether all are within their budget. */
export async function checkAllocations(target) {
  const recorded = recordedOf()[NODE];
  if (recorded === undefined) {
    console.log(`\nbytes for each: nothing is recorded for Node ${NODE}`);
    return true;
  }
  console.log(row('bytes for each', 'ours', 'recorded', 'now', ''));
  let within = true;
  for (const [operation, name] of MEASURED) {
    const most = recorded[idOf(operation, name)] * MOST;
    let now = Number.POSITIVE_INFINITY;
    for (let i = 0; i < ATTEMPTS && now > most; i++) now = await allocated(target, operation, name);
    within &&= now <= most;
    const verdict = now <= most ? 'ok' : 'FAILED: more than 5 % above what was recorded';
    console.log(row(operation, name, recorded[idOf(operation, name)], now, verdict));
  }
  return within;
}

async function record(target) {
  const all = {};
  for (const [operation, name] of MEASURED) {
    const values = [];
    for (let i = 0; i < ATTEMPTS; i++) values.push(await allocated(target, operation, name));
    all[idOf(operation, name)] = median(values);
  }
  writeFileSync(FILE, `${JSON.stringify({ ...recordedOf(), [NODE]: all }, undefined, 2)}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const server = await startBenchServer();
  const target = { host: '127.0.0.1', port: server.port };
  const redis = new Redis(server.port);
  await seed(redis);
  redis.disconnect();
  if (process.argv[2] === 'record') await record(target);
  else if (!(await checkAllocations(target))) process.exitCode = 1;
  await server.stop();
}
