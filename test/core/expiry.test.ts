import { expect, test } from 'vitest';
import { whyClose, whyExpired } from '../../src/core/expiry.ts';
import { Slot } from '../../src/core/slot.ts';

const limits = { idleTimeoutMs: 100, minIdle: 2 };

/** A slot idle since 1000, which expires at 5000. */
function resting(changes: Partial<Slot<object>> = {}): Slot<object> {
  return Object.assign(new Slot<object>(1, 1000), { state: 'idle', expiresAt: 5000 }, changes);
}

test('a connection that is young and in order stays', () => {
  expect(whyExpired(resting(), 1050)).toBeUndefined();
  expect(whyClose(resting(), 3, 1050, limits)).toBeUndefined();
});

test('idle for exactly idleTimeoutMs it stays, for longer it goes', () => {
  expect(whyClose(resting(), 3, 1100, limits)).toBeUndefined();
  expect(whyClose(resting(), 3, 1100.5, limits)).toBe('idle');
});

test('of the last minIdle none goes for its idle time', () => {
  expect(whyClose(resting(), 3, 4000, limits)).toBe('idle');
  expect(whyClose(resting(), 2, 4000, limits)).toBeUndefined();
  expect(whyClose(resting(), 1, 4000, limits)).toBeUndefined();
});

test('without minIdle the last one goes too', () => {
  expect(whyClose(resting(), 1, 4000, { idleTimeoutMs: 100, minIdle: 0 })).toBe('idle');
});

test('an idle time of 0 lets a connection be lent in the moment it came, and no later', () => {
  const none = { idleTimeoutMs: 0, minIdle: 0 };
  expect(whyClose(resting(), 1, 1000, none)).toBeUndefined();
  expect(whyClose(resting(), 1, 1000.001, none)).toBe('idle');
});

test('Infinity turns the idle time off', () => {
  const off = { idleTimeoutMs: Number.POSITIVE_INFINITY, minIdle: 0 };
  expect(whyClose(resting({ expiresAt: Number.POSITIVE_INFINITY }), 9, 1e12, off)).toBeUndefined();
});

test('the lifetime ends on the dot, and minIdle does not save from it', () => {
  expect(whyExpired(resting(), 4999)).toBeUndefined();
  expect(whyExpired(resting(), 5000)).toBe('lifetime');
  expect(whyClose(resting({ since: 4999 }), 1, 5000, limits)).toBe('lifetime');
});

test('a stale one goes, and minIdle does not save from it', () => {
  expect(whyExpired(resting({ stale: true }), 1000)).toBe('cleared');
  expect(whyClose(resting({ stale: true }), 1, 1000, limits)).toBe('cleared');
});

test('of several reasons the weightiest is told: cleared, then lifetime, then idle', () => {
  expect(whyClose(resting({ stale: true }), 3, 6000, limits)).toBe('cleared');
  expect(whyClose(resting(), 3, 6000, limits)).toBe('lifetime');
});

test('looking at a connection does not refresh it', () => {
  const slot = resting();
  whyClose(slot, 3, 1050, limits);
  whyExpired(slot, 1050);
  expect(slot).toEqual(resting());
});
