import { expect, test } from 'vitest';
import { Outage } from '../../src/core/outage.ts';

const refused = new Error('connect ECONNREFUSED');

/** An outage of a pool that was connected, whose first dial begun at 1000 fails. */
function begun(waitMs = 5000): Outage {
  const outage = new Outage(waitMs);
  outage.connected();
  outage.failed(refused, 1000);
  return outage;
}

test('it is waited out until it is so old', () => {
  const outage = begun();
  expect(outage.since).toBe(1000);
  expect(outage.patience(1000)).toBe(5000);
  expect(outage.patience(5999)).toBe(1);
  expect(outage.patience(6000)).toBe(0);
  expect(outage.patience(7000)).toBeLessThan(0);
});

test('with 0 it is not waited out, with Infinity always', () => {
  expect(begun(0).patience(1000)).toBe(0);
  expect(begun(Number.POSITIVE_INFINITY).patience(1e12)).toBe(Number.POSITIVE_INFINITY);
});

test('later dials that fail make it no younger', () => {
  const outage = begun();
  outage.failed(refused, 4000);
  expect(outage.since).toBe(1000);
});

test('it began when the last connection was lost, if a dial was under way then', () => {
  const outage = new Outage(5000);
  outage.connected();
  outage.lost(2000);
  outage.failed(refused, 1500);
  expect(outage.since).toBe(2000);
});

test('a loss of long ago, that nobody noticed, makes it no older', () => {
  const outage = new Outage(5000);
  outage.connected();
  outage.lost(2000);
  outage.failed(refused, 90_000);
  expect(outage.since).toBe(90_000);
});

test('where nobody was ever connected, nobody waits', () => {
  const outage = new Outage(5000);
  outage.failed(refused, 1000);
  expect(outage.patience(1000)).toBe(0);
});

test('a connection ends it, and the next is another', () => {
  const outage = begun();
  outage.connected();
  expect(outage.since).toBeUndefined();
  expect(outage.patience(1500)).toBe(0);
  outage.failed(refused, 20_000);
  expect(outage.patience(20_000)).toBe(5000);
});

test('nobody waits for what does not pass by itself; what follows it may', () => {
  const outage = begun();
  outage.failed(new Error('WRONGPASS invalid username-password pair'), 1500);
  expect(outage.patience(1500)).toBe(0);
  outage.failed(refused, 2000);
  expect(outage.patience(2000)).toBe(4000);
});
