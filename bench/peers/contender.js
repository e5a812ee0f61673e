/** A process of one contender's own: opens it, and runs on request what `process.js` asks for. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { bursts, closedLoop, openLoop, startCallers } from '../lib/loops.js';
import { quantile, settled } from '../lib/statistics.js';
import { CONTENDERS, LIMITS } from './contenders.js';
import { OPERATIONS, VALUES } from './operations.js';

/** Beyond this share of what was asked for, a contender keeps up. */
const KEEPS_UP = 0.95;
/** How often is looked whether a window is over. */
const LOOK_MS = 10;
let contender;
let openCold;
let load;

/** What may be asked for. */
const TASKS = {
  async open({ name, target }) {
    const make = () => CONTENDERS[name](target);
    if (target.cold) openCold = make;
    else contender = await make();
    if (LIMITS.includes(name)) await contender.with((client) => client.expect(VALUES.small));
  },

  /** From nothing: one operation, and then a hundred at once. */
  async cold() {
    const cpu = process.cpuUsage();
    const began = performance.now();
    contender = await openCold();
    const operate = operationOf('get');
    await operate();
    const first = performance.now() - began;
    await Promise.all(Array.from({ length: 100 }, operate));
    const { user, system } = process.cpuUsage(cpu);
    return { cpuMs: (user + system) / 1000, firstMs: first, hundredMs: performance.now() - began };
  },

  /** Makes load, window after window, until its CPU time for an operation has settled, or for `mostMs`. */
  async warm({ mostMs, ...wanted }) {
    load = startLoad(wanted);
    const start = performance.now();
    const micros = [];
    while (!settled(micros) && performance.now() - start < mostMs) micros.push((await measured()).cpuMicros);
    return { unsettled: settled(micros) ? 0 : 1 };
  },

  /** Goes on with that load, and measures. */
  async run({ windows }) {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const all = [];
    while (all.length < windows) all.push(await measured());
    delay.disable();
    const latencies = all.flatMap((window) => window.latencies).sort((a, b) => a - b);
    return {
      cpuMicros: all.map((window) => window.cpuMicros),
      perSecond: all.map((window) => window.perSecond),
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      loopDelay: delay.percentile(99) / 1e6,
      memory: process.resourceUsage().maxRSS / 1024,
      done: all.reduce((sum, window) => sum + window.done, 0),
    };
  },

  /** Asks at one rate after the other, until it does not keep up. */
  async climb({ operation, rates, rateMs: ms }) {
    await load.stop();
    const operate = operationOf(operation);
    const result = {};
    let reached = Number.POSITIVE_INFINITY;
    for (const [i, rate] of rates.entries()) {
      // Who has not kept up with less answers no more than that, and is spared the rest.
      const keptUp = i === 0 || reached >= KEEPS_UP * rates[i - 1];
      if (keptUp) {
        const { done, seconds, latencies } = await openLoop(operate, { rate, ms });
        reached = done / seconds;
        latencies.sort((a, b) => a - b);
        if (reached >= KEEPS_UP * rate) result[`p99@${rate}`] = quantile(latencies, 0.99);
      }
      result[`perSecond@${rate}`] = reached;
    }
    return result;
  },

  /** Bytes that an operation allocates. The heap's young part is too large to be collected meanwhile. */
  async allocations({ operation, callers, each }) {
    const operate = operationOf(operation);
    // Not closedLoop, whose samples are bytes, too.
    const caller = async () => {
      for (let i = 0; i < each; i++) await operate();
    };
    const burst = () => Promise.all(Array.from({ length: callers }, caller));
    await burst();
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    await burst();
    return { bytes: (process.memoryUsage().heapUsed - before) / (callers * each) };
  },

  async close() {
    await load?.stop();
    await contender.close();
    setImmediate(() => process.disconnect());
  },
};

function operationOf(name) {
  const work = OPERATIONS[name][contender.dialect];
  return () => contender.with(work);
}

/** What was done in a window, with which CPU and in which time; rejects when the load does. */
async function measured() {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { done, latencies } = await load.window();
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - start) / 1000;
  return { done, latencies, cpuMicros: (user + system) / done, perSecond: done / seconds };
}

/**
 * Load whose `window()` resolves with what was done in it. Closed loops go on from one window to the next: each ends when
 * the process has used `cpuMs` in it, so that a window in which others had the machine says no less; after `ms` it ends
 * anyway.
 */
function startLoad({ loop, operation, beside, cpuMs, ms, ...wanted }) {
  const operate = operationOf(operation);
  const others = beside && startCallers(operationOf(beside.operation), beside);
  if (loop === 'bursts') return { window: () => bursts(operate, wanted), stop: () => {} };
  if (wanted.times) return { window: () => closedLoop(operate, wanted), stop: () => {} };
  const callers = startCallers(operate, wanted);
  const finished = Promise.all([callers.finished, others?.finished]);
  return {
    async window() {
      const before = callers.done;
      const cpu = process.cpuUsage();
      const start = performance.now();
      callers.latencies.length = 0;
      for (let used = 0; used < cpuMs && performance.now() - start < ms; ) {
        await Promise.race([sleep(LOOK_MS), finished]);
        const { user, system } = process.cpuUsage(cpu);
        used = (user + system) / 1000;
      }
      return { done: callers.done - before, latencies: [...callers.latencies] };
    },
    stop() {
      callers.stop();
      others?.stop();
      return finished;
    },
  };
}

process.on('disconnect', () => process.exit()); // the coordinator is gone
process.on('message', async ({ task, ...wanted }) => {
  try {
    process.send({ result: await TASKS[task](wanted) });
  } catch (error) {
    process.send({ error: String(error?.stack ?? error) });
  }
});
