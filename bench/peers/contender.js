/** A process of one contender's own: opens it, and runs on request what the coordinator asks for. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { bursts, closedLoop, openLoop } from '../lib/loops.js';
import { quantile } from '../lib/measure.js';
import { CONTENDERS } from './contenders.js';
import { OPERATIONS, VALUES } from './operations.js';

const LOOPS = { closed: closedLoop, open: openLoop, bursts };
let contender;
let openCold;

/** What may be asked for. */
const TASKS = {
  async open({ name, target }) {
    const make = () => CONTENDERS[name](target);
    if (target.cold) openCold = make;
    else contender = await make();
    if (name === 'hand-written loop') await contender.with((client) => client.expect(VALUES.small));
    return {};
  },

  /** From nothing: one operation, and then a hundred at once. */
  async cold() {
    const began = performance.now();
    contender = await openCold();
    const operate = operationOf('get');
    await operate();
    const first = performance.now() - began;
    await Promise.all(Array.from({ length: 100 }, operate));
    return { firstMs: first, hundredMs: performance.now() - began };
  },

  async run({ loop, operation, beside, ...load }) {
    const operate = operationOf(operation);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    const others = beside && startBeside(beside);
    const cpu = process.cpuUsage();
    delay.enable();
    const { done, seconds, latencies, refused = 0 } = await LOOPS[loop](operate, load);
    delay.disable();
    const { user, system } = process.cpuUsage(cpu);
    await others?.stop();
    latencies.sort((a, b) => a - b);
    return {
      perSecond: done / seconds,
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      p999: quantile(latencies, 0.999),
      loopDelay: delay.percentile(99) / 1e6,
      cpuMicros: (user + system) / done,
      memory: process.resourceUsage().maxRSS / 1024,
      done,
      refused,
    };
  },

  /** Bytes that an operation allocates. The heap's young part is too large to be collected meanwhile. */
  async allocations({ operation, callers, each }) {
    const operate = operationOf(operation);
    const burst = (times) => {
      const caller = async () => {
        for (let i = 0; i < times; i++) await operate();
      };
      return Promise.all(Array.from({ length: callers }, caller));
    };
    await burst(each);
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    await burst(each);
    return { bytes: (process.memoryUsage().heapUsed - before) / (callers * each) };
  },

  async close() {
    await contender.close();
    setImmediate(() => process.disconnect());
    return {};
  },
};

function operationOf(name) {
  const work = OPERATIONS[name][contender.dialect];
  return () => contender.with(work);
}

/** Callers of something else, for as long as the measured ones. */
function startBeside({ operation, callers }) {
  const operate = operationOf(operation);
  let over = false;
  const caller = async () => {
    while (!over) await operate();
  };
  const all = Promise.all(Array.from({ length: callers }, caller));
  return {
    stop() {
      over = true;
      return all;
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
