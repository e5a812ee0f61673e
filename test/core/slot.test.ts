import { describe, expect, test } from 'vitest';
import { Slot, type SlotState, Slots, STEPS, whyClose, whyExpired } from '../../src/core/slot.ts';

const STATES: readonly SlotState[] = ['connecting', 'inUse', 'idle', 'closing', 'gone'];

/** What is legal, said a second time: a change of the table must be meant. */
const LEGAL = new Set([
  'connecting -> idle',
  'connecting -> closing',
  'inUse -> idle',
  'inUse -> closing',
  'idle -> inUse',
  'idle -> closing',
  'closing -> gone',
]);

/** How to bring a new slot into a state. */
const WAY: Readonly<Record<SlotState, readonly SlotState[]>> = {
  connecting: [],
  idle: ['idle'],
  inUse: ['idle', 'inUse'],
  closing: ['closing'],
  gone: ['closing', 'gone'],
};

function slotIn(slots: Slots<object>, state: SlotState): Slot<object> {
  const slot = slots.open(0);
  for (const step of WAY[state]) slots.move(slot, step, 1);
  return slot;
}

describe('every step between two states', () => {
  for (const from of STATES) {
    for (const to of STATES) {
      const step = `${from} -> ${to}`;
      if (LEGAL.has(step)) {
        test(`${step} is legal, and moves one count`, () => {
          const slots = new Slots<object>(3);
          const slot = slotIn(slots, from);
          const before: Record<string, number> = { ...slots.count };
          slots.move(slot, to, 7);
          expect(slot).toMatchObject({ state: to, since: 7 });
          const moved = { ...before, [from]: (before[from] ?? 0) - 1 };
          if (to !== 'gone') moved[to] = (before[to] ?? 0) + 1;
          expect(slots.count).toEqual(moved);
        });
      } else {
        test(`${step} is a bug: it throws, and changes nothing`, () => {
          const slots = new Slots<object>(3);
          const slot = slotIn(slots, from);
          const { since } = slot;
          const before = { ...slots.count };
          expect(() => slots.move(slot, to, 7)).toThrow(`slot 1 may not go ${step}`);
          expect(slot).toMatchObject({ state: from, since });
          expect(slots.count).toEqual(before);
          expect(slots.total).toBe(from === 'gone' ? 0 : 1);
        });
      }
    }
  }

  test('is in the table', () => {
    const table = STATES.flatMap((from) => STEPS[from].map((to) => `${from} -> ${to}`));
    expect(new Set(table)).toEqual(LEGAL);
    expect(table.length).toBe(LEGAL.size);
  });
});

test('a new slot is connecting since now, with nothing used or known of it', () => {
  const slot = new Slots<object>(1).open(42);
  expect(slot).toMatchObject({
    id: 1,
    state: 'connecting',
    since: 42,
    uses: 0,
    stale: undefined,
    leased: false,
    connectedAt: undefined,
    expiresAt: Number.POSITIVE_INFINITY,
  });
});

test('slots are numbered from 1, and a number never comes back', () => {
  const slots = new Slots<object>(2);
  const a = slots.open(0);
  slots.move(a, 'closing', 0);
  slots.move(a, 'gone', 0);
  expect([a.id, slots.open(0).id, slots.open(0).id]).toEqual([1, 2, 3]);
});

test('no slot opens beyond maxActive, whatever state the others are in', () => {
  for (const state of ['connecting', 'inUse', 'idle', 'closing'] as const) {
    const slots = new Slots<object>(2);
    slotIn(slots, state);
    slotIn(slots, state);
    expect(() => slots.open(0)).toThrow('no place');
    expect(slots.total).toBe(2);
  }
});

test('a slot that is gone makes place for one more, and for one only', () => {
  const slots = new Slots<object>(1);
  const slot = slotIn(slots, 'closing');
  expect(() => slots.open(0)).toThrow('no place');
  slots.move(slot, 'gone', 0);
  expect(slots.total).toBe(0);
  slots.open(0);
  expect(() => slots.open(0)).toThrow('no place');
});

test('total is the sum of the counts, openCount those that are open, freeCapacity what callers can count on', () => {
  const slots = new Slots<object>(7);
  for (const state of ['connecting', 'idle', 'idle', 'inUse', 'closing', 'gone'] as const) {
    slotIn(slots, state);
  }
  expect(slots.count).toEqual({ connecting: 1, idle: 2, inUse: 1, closing: 1 });
  expect(slots.total).toBe(5);
  expect(slots.openCount).toBe(3);
  // Two places are free, one is being dialled, and one is being closed.
  expect(slots.freeCapacity).toBe(4);
  expect([...slots.all].map(({ state }) => state)).not.toContain('gone');
});

test('closed has one count per reason, and starts from zero', () => {
  expect(new Slots<object>(1).closed).toEqual({
    idle: 0,
    lifetime: 0,
    broken: 0,
    dirty: 0,
    excess: 0,
    cleared: 0,
    stale: 0,
    destroyed: 0,
    poolClosed: 0,
  });
});

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
  expect(whyExpired(resting({ stale: 'cleared' }), 1000)).toBe('cleared');
  expect(whyClose(resting({ stale: 'stale' }), 1, 1000, limits)).toBe('stale');
});

test('of several reasons the strongest is reported: cleared, then lifetime, then idle', () => {
  expect(whyClose(resting({ stale: 'cleared' }), 3, 6000, limits)).toBe('cleared');
  expect(whyClose(resting(), 3, 6000, limits)).toBe('lifetime');
});

test('checking a connection does not refresh it', () => {
  const slot = resting();
  whyClose(slot, 3, 1050, limits);
  whyExpired(slot, 1050);
  expect(slot).toEqual(resting());
});
