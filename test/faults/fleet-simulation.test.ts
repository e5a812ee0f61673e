import { expect, test } from 'vitest';
import { EVENTS, simulate } from '../../bench/studies/fleet-simulation.js';
import { Pool } from '../../src/pool.ts';

const PROCESSES = 40;

test.each(EVENTS)('a simulated fleet neither storms a node nor fills it: $name', async (event) => {
  const { first, steady, peak, mostSockets, backMs } = await simulate(Pool, event, { processes: PROCESSES });
  expect(first).toBeLessThan(10 * PROCESSES);
  expect(steady).toBeLessThan(4 * PROCESSES);
  expect(peak).toBeLessThan(Math.min(first, 2 * steady));
  expect(mostSockets).toBeLessThan(4 * PROCESSES);
  // What hangs has to end, and then one delay of the longest there is.
  expect(backMs.last).toBeLessThan(5000);
});
