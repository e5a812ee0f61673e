import { describe, expect, test } from 'vitest';
import { faultIn } from '../../load/lib/scenario.js';
import { nextTurn, pick } from '../../load/lib/turns.js';

const nothing = () => {};

test('tasks are picked as often as their weights say', () => {
  const tasks = { index: [6, nothing], about: [3, nothing], cart: [1, nothing] } as const;
  const picked = Array.from({ length: 1000 }, (_, i) => pick(tasks, i / 1000));
  const often = (name: string): number => picked.filter((one) => one === name).length;
  expect(['index', 'about', 'cart'].map(often)).toEqual([600, 300, 100]);
});

describe('the next turn', () => {
  const when = { now: 1000, origin: 500, wait: [5, 15], scale: 1, waveMs: 0, chance: 0.5 } as const;

  test('comes after a wait between the least and the most', () => {
    expect(nextTurn({ ...when, chance: 0 })).toBe(6000);
    expect(nextTurn(when)).toBe(11_000);
    expect(nextTurn({ ...when, chance: 1 })).toBe(16_000);
  });

  test('comes sooner where waits are scaled', () => {
    expect(nextTurn({ ...when, scale: 0.1 })).toBe(2000);
  });

  test('comes with the next wave, for all who are due since the last one', () => {
    const waveMs = 2000; // at 500, 2500, 4500, 6500 …
    expect(nextTurn({ ...when, waveMs, chance: 0 })).toBe(6500);
    expect(nextTurn({ ...when, waveMs, chance: 0.05 })).toBe(6500);
    expect(nextTurn({ ...when, waveMs, chance: 0.051 })).toBe(8500);
  });
});

const good = { wait: [5, 15], tasks: { index: [1, nothing] } };

test('a scenario needs no more than waits and one task', () => {
  expect(faultIn(good)).toBeUndefined();
  expect(faultIn({ ...good, start: nothing })).toBeUndefined();
});

test.each([
  [undefined, 'has to export its parts: export default { wait, tasks }.'],
  [{ ...good, onStart: nothing }, "has 'onStart', but only wait, start and tasks mean something."],
  [{ ...good, wait: 5 }, 'needs wait: [least, most] seconds between two tasks.'],
  [{ ...good, wait: [15, 5] }, 'needs wait: [least, most] seconds between two tasks.'],
  [{ ...good, start: '/login' }, 'has a start that is no function.'],
  [{ ...good, tasks: {} }, 'needs tasks: { name: [weight, function] }.'],
  [{ ...good, tasks: { index: nothing } }, "has a task 'index' that is not [weight, function]"],
  [{ ...good, tasks: { index: [0, nothing] } }, "has a task 'index' that is not [weight, function]"],
])('%o is no scenario', (scenario, fault) => {
  expect(faultIn(scenario)).toContain(fault);
});
