/** A contender's process, from outside. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { numbersOf } from '../lib/server.js';

/**
 * How thoroughly is measured: `processes` for each contender, since what V8 makes of the code differs from one to the
 * next; in each so many `windows`, after a warm-up of at most `mostMs`.
 */
export const FULL = { processes: 3, mostMs: 1500, windows: 3 };
export const QUICK = { processes: 1, mostMs: 600, windows: 3 };

/** No contender, but a client in C. */
export const CEILING = 'redis-benchmark';

/** For counting allocations: a young heap so large that it is not collected meanwhile. */
const UNCOLLECTED = ['--expose-gc', '--min-semi-space-size=512', '--max-semi-space-size=512'];

/** Opens a contender in a process of its own; resolves with what asks it to do something. */
async function open(name, target, execArgv = []) {
  const child = fork(join(import.meta.dirname, 'contender.js'), { execArgv });
  const ask = (message) =>
    new Promise((resolve, reject) => {
      const gone = (code) => reject(new Error(`${name} ended with code ${code}`));
      child.once('exit', gone);
      child.once('message', ({ result, error }) => {
        child.off('exit', gone);
        if (error) reject(new Error(`${name}: ${error}`));
        else resolve(result);
      });
      child.send(message);
    });
  await ask({ task: 'open', name, target });
  return ask;
}

/**
 * What one process of a contender measures; what it cost the server, too, where `admin` is connected to that.
 *
 * @param {string} name
 * @param {import('./contenders.js').Target} target
 * @param {{ task?: 'run' | 'climb' | 'cold' | 'allocations', load: object }} workload
 * @param {{ mostMs: number, windows: number, admin?: import('ioredis').Redis }} how
 */
export async function measureOnce(name, target, { task = 'run', load }, { mostMs, windows, admin }) {
  if (task === 'allocations') return allocated(name, target, load);
  if (task === 'cold') return coldStart(name, target, admin);
  const ask = await open(name, { ...target, callers: load.callers });
  const warm = await ask({ task: 'warm', mostMs, ...load });
  const { used } = await serverSide(admin);
  const { done, ...result } = await ask({ task, windows, ...load });
  const serverMicros = ((await serverSide(admin)).used - used) / done;
  await ask({ task: 'close' });
  return { ...result, ...warm, ...(done && admin && { serverMicros }) };
}

/** The bytes that an operation allocates. */
export async function allocated(name, target, load) {
  const ask = await open(name, target, UNCOLLECTED);
  const { bytes } = await ask({ task: 'allocations', ...load });
  await ask({ task: 'close' });
  return { bytes };
}

/** In a process that has done nothing yet. */
async function coldStart(name, target, admin) {
  const before = await serverSide(admin);
  const ask = await open(name, { ...target, cold: true });
  const result = await ask({ task: 'cold' });
  const { connections } = await serverSide(admin);
  await ask({ task: 'close' });
  return { ...result, connections: connections - before.connections };
}

/** The CPU time that the server has used, in µs, and the connections it has taken. */
async function serverSide(admin) {
  if (!admin) return {};
  const number = numbersOf(await admin.info());
  return {
    used: (number('used_cpu_user') + number('used_cpu_sys')) * 1e6,
    connections: number('total_connections_received'),
  };
}
