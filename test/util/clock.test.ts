import { expect, onTestFinished, test, vi } from 'vitest';
import { inSteps, systemClock } from '../../src/util/clock.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

/** A deadline of 400 ms, with no more than a fake clock under it. */
function deadline(ms = 400) {
  const clock = new FakeClock();
  const begun = clock.now();
  const state: { after?: number } = {};
  const run = (): void => {
    state.after = clock.now() - begun;
  };
  const now = (): number => clock.now();
  const after = clock.after.bind(clock);
  const cancel = inSteps(ms, run, undefined, after, { now, after, soon: setImmediate });
  return { clock, state, cancel };
}

test('a deadline that nothing disturbs is exact', async () => {
  for (const ms of [0, 1, 3, 10, 401, 5000]) {
    const { clock, state } = deadline(ms);
    await clock.advance(10_000);
    expect(state.after).toBe(ms);
    expect(clock.timers()).toBe(0);
  }
});

test('a block costs it a quarter at most, wherever it falls', async () => {
  for (const before of [0, 50, 150, 250, 350, 399]) {
    for (const length of [150, 1000, 3_600_000]) {
      const { clock, state } = deadline();
      await clock.advance(before);
      clock.leap(length);
      const lived = state.after === undefined ? 400 - before : 0;
      await clock.advance(400);
      const undisturbed = (state.after ?? Infinity) - length;
      expect(undisturbed, `${length} ms at ${before}`).toBeGreaterThanOrEqual(lived > 0 ? 300 : before);
      expect(undisturbed).toBeLessThanOrEqual(before + 400);
    }
  }
});

test('one blocked again and again ends after five steps', () => {
  const { clock, state } = deadline();
  let blocks = 0;
  while (state.after === undefined && blocks < 100) {
    clock.leap(1000);
    blocks++;
  }
  expect(blocks).toBe(5);
});

test('a deadline that is cancelled leaves nothing, at every step; and Infinity never comes', async () => {
  for (const at of [0, 100, 250, 399]) {
    const { clock, state, cancel } = deadline();
    await clock.advance(at);
    cancel();
    expect(clock.timers()).toBe(0);
    await clock.advance(1000);
    expect(state).toEqual({});
  }
  expect(deadline(Infinity).clock.timers()).toBe(0);
});

test('a time that is too long for one timer of Node passes all the same, and not at once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const run = vi.fn();
  const pass = async (ms: number): Promise<void> => {
    vi.advanceTimersByTime(ms);
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  systemClock.after(2 ** 31 + 999, run);
  await pass(2 ** 31);
  expect(run).not.toHaveBeenCalled();
  await pass(1000);
  expect(run).toHaveBeenCalledTimes(1);
  const cancel = systemClock.after(2 ** 31 + 999, run, 'background');
  await pass(2 ** 31);
  cancel();
  await pass(2 ** 31);
  expect(run).toHaveBeenCalledTimes(1);
});
