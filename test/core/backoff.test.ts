import { expect, test } from 'vitest';
import { Backoff } from '../../src/core/backoff.ts';

const refused = new Error('connect ECONNREFUSED');

/** Lets one dial after another fail, each as soon as it may start; returns the delay after each. */
function delays(backoff: Backoff, times: number, random = 0): number[] {
  let now = 0;
  return Array.from({ length: times }, () => {
    backoff.failed(refused, now, now + 1, random);
    now += 1;
    const delay = backoff.remaining(now);
    now += delay;
    return delay;
  });
}

test('before anything has failed, a dial may start at any time, and as many as the pool allows', () => {
  const backoff = new Backoff();
  expect(backoff.remaining(0)).toBeLessThanOrEqual(0);
  expect(backoff.remaining(-1e9)).toBeLessThanOrEqual(0);
  expect(backoff.limit(4, 1000)).toBe(4);
  expect(backoff.lastError).toBeUndefined();
});

test('the delay doubles from 50 ms and ends at 2 s', () => {
  expect(delays(new Backoff(), 8)).toEqual([50, 100, 200, 400, 800, 1600, 2000, 2000]);
});

test('the delay stays at 2 s, however often dials fail', () => {
  const all = delays(new Backoff(), 3000);
  expect(new Set(all.slice(6))).toEqual(new Set([2000]));
});

test('chance takes up to half of the delay away, and adds nothing', () => {
  expect(delays(new Backoff(), 3, 1)).toEqual([25, 50, 100]);
  expect(delays(new Backoff(), 3, 0.5)).toEqual([37.5, 75, 150]);
});

test('the delay counts from the failure, and runs down', () => {
  const backoff = new Backoff();
  backoff.failed(refused, 100, 1000, 0);
  expect(backoff.remaining(1000)).toBe(50);
  expect(backoff.remaining(1030)).toBe(20);
  expect(backoff.remaining(1050)).toBe(0);
  expect(backoff.remaining(1051)).toBeLessThan(0);
});

test('dials that were under way together and fail together are one failure', () => {
  const backoff = new Backoff();
  backoff.failed(refused, 0, 10, 0);
  backoff.failed(refused, 0, 11, 0);
  backoff.failed(refused, 9, 12, 0);
  expect(backoff.remaining(12)).toBe(48);
});

test('a dial that began after the failure is another failure', () => {
  const backoff = new Backoff();
  backoff.failed(refused, 0, 10, 0);
  backoff.failed(refused, 60, 60, 0);
  expect(backoff.remaining(60)).toBe(100);
});

test('the last error is the newest, even of dials that failed together', () => {
  const backoff = new Backoff();
  const wrongPassword = new Error('WRONGPASS');
  backoff.failed(refused, 0, 10, 0);
  expect(backoff.lastError).toBe(refused);
  backoff.failed(wrongPassword, 0, 11, 0);
  expect(backoff.lastError).toBe(wrongPassword);
});

test('after a failure one dial at a time finds out whether Redis is back, also when the delay is over', () => {
  const backoff = new Backoff();
  backoff.failed(refused, 0, 0, 0);
  expect(backoff.limit(4, 1000)).toBe(1);
  expect(backoff.remaining(1e9)).toBeLessThan(0);
  expect(backoff.limit(4, 1000)).toBe(1);
});

test('a success forgets everything: error, delay, limit, and how often dials had failed', () => {
  const backoff = new Backoff();
  delays(backoff, 3);
  backoff.succeeded(0);
  expect(backoff.lastError).toBeUndefined();
  expect(backoff.remaining(0)).toBeLessThanOrEqual(0);
  expect(backoff.limit(4, 1000)).toBe(4);
  backoff.failed(refused, 0, 0, 0);
  expect(backoff.remaining(0)).toBe(50);
});

test('for a second after an outage, dials are paced: one at a time, 100 ms apart', () => {
  const backoff = new Backoff();
  delays(backoff, 4);
  backoff.started(1000);
  backoff.succeeded(1010);
  expect(backoff.remaining(1010)).toBe(90);
  backoff.started(1100);
  expect(backoff.remaining(1101, 'awaited')).toBe(99);
  expect(backoff.remaining(1900, 'awaited', 1)).toBe(110); // a dial that hangs holds the next one up no longer
  backoff.started(2009);
  expect(backoff.remaining(2009)).toBe(1);
  expect(backoff.remaining(2010, 'awaited', 3)).toBeLessThanOrEqual(0);
  expect(backoff.limit(4, 2010)).toBe(4);
});

test('paced dials refuse nobody', () => {
  const backoff = new Backoff();
  delays(backoff, 4);
  backoff.started(1000);
  backoff.succeeded(1010);
  expect(backoff.refuses(1010)).toBe(false);
});

test('dials are paced while what replaces lost connections is lost within a second itself', () => {
  const backoff = new Backoff();
  backoff.started(0);
  backoff.lost(0, 500); // nothing was lost before
  expect(backoff.remaining(500, 'awaited', 1)).toBeLessThanOrEqual(0);
  backoff.started(510);
  backoff.lost(0, 600); // open since before the loss
  backoff.lost(520, 1700); // for longer than a second
  expect(backoff.remaining(1700, 'awaited', 1)).toBeLessThanOrEqual(0);
  backoff.started(1710);
  backoff.lost(1720, 1720 + 999);
  backoff.started(2719);
  expect(backoff.remaining(2719)).toBe(100);
  expect(backoff.remaining(2719, 'awaited', 1)).toBe(1000);
  expect(backoff.remaining(3719, 'awaited', 1)).toBeLessThanOrEqual(0);
});

const died = new Error('died');

test('one connection that dies unused delays nothing, but has the next dials go one at a time', () => {
  const backoff = new Backoff();
  backoff.died(died, 1, 3, 1000, 0);
  backoff.died(died, 2, 3, 1001, 0); // it stood beside the first
  expect(backoff.remaining(1001)).toBeLessThanOrEqual(0);
  expect(backoff.isDoubtful(1001)).toBe(true);
  expect(backoff.lastError).toBeUndefined();
  expect(backoff.limit(4, 1000)).toBe(1);
});

test('the next that dies unused is a failed dial, and the delay doubles from there; nobody is refused for it', () => {
  const backoff = new Backoff();
  backoff.died(died, 1, 1, 0, 0);
  let now = 0;
  const all = [2, 3, 4, 5, 6, 7, 8].map((dial) => {
    backoff.connected(dial, now, 0);
    expect(backoff.lastError).toBeUndefined();
    backoff.died(died, dial, dial, now, 0);
    expect(backoff.lastError).toBe(died);
    expect(backoff.refuses(now)).toBe(false);
    const delay = backoff.remaining(now);
    now += delay;
    return delay;
  });
  expect(all).toEqual([50, 100, 200, 400, 800, 1600, 2000]);
});

test('in doubt a new connection has to stay open for the delay before the next dial, but not one whose dial started before', () => {
  const backoff = new Backoff();
  backoff.died(died, 1, 2, 0, 0);
  backoff.connected(2, 1, 0);
  expect(backoff.remaining(1)).toBeLessThanOrEqual(0);
  backoff.connected(3, 2, 0);
  expect(backoff.remaining(2)).toBe(50);
});

test('a new connection that was of use ends the doubt', () => {
  const backoff = new Backoff();
  backoff.died(died, 1, 1, 0, 0);
  backoff.died(died, 2, 2, 1, 0);
  backoff.proved(2);
  expect(backoff.isDoubtful(2)).toBe(false);
  expect(backoff.lastError).toBeUndefined();
  expect(backoff.remaining(2)).toBeLessThanOrEqual(0);
  expect(backoff.limit(4, 1000)).toBe(4);
});

test('doubt ends by itself, when nothing has died for longer than two delays can take', () => {
  const backoff = new Backoff();
  backoff.died(died, 1, 1, 1000, 0);
  expect(backoff.limit(4, 4999)).toBe(1);
  expect(backoff.limit(4, 5000)).toBe(4);
  backoff.died(died, 2, 2, 5000, 0);
  expect(backoff.remaining(5000)).toBeLessThanOrEqual(0); // the first of its kind again
});

test('with the doubt ends the delay that is due to it, and an outage before it was over by then', () => {
  const backoff = new Backoff();
  backoff.died(died, 1, 1, 1000, 0);
  for (const at of [1000, 1100, 1300, 1700, 2500, 4100]) backoff.failed(refused, at, at + 1, 0);
  expect(backoff.remaining(4101)).toBe(1600);
  backoff.connected(8, 4200, 0);
  expect(backoff.remaining(4200)).toBe(800);
  expect(backoff.remaining(5000)).toBe(0);
  expect(backoff.limit(4, 5999)).toBe(4);
  backoff.started(5999);
  expect(backoff.remaining(5999, undefined, 1)).toBe(1); // paced for a second since the doubt ended
});

test('a new connection that is of use does not forgive a dial that failed meanwhile', () => {
  const backoff = new Backoff();
  backoff.died(died, 1, 1, 0, 0);
  backoff.failed(refused, 1, 2, 0);
  backoff.proved(2);
  expect(backoff.remaining(2)).toBe(50);
  expect(backoff.lastError).toBe(refused);
  expect(backoff.isDoubtful(2)).toBe(false);
});

test('a dial that fails refuses everybody until the next, in doubt too', () => {
  const backoff = new Backoff();
  backoff.died(died, 1, 1, 0, 0);
  backoff.failed(refused, 1, 2, 0);
  expect(backoff.refuses(51)).toBe(true);
  expect(backoff.refuses(52)).toBe(false);
});
