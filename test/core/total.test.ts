import { expect, test } from 'vitest';
import { RESTED_MS, restFor, type Sharer, Total } from '../../src/core/total.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

/** A pool that keeps only its numbers. */
class Numbers implements Sharer {
  readonly count = { connecting: 0, inUse: 0, idle: 0, closing: 0 };
  idleSince = 0;
  drained = 0;
  /** Those who wait. */
  wanted = 0;
  readonly share;

  constructor(
    readonly total: Total,
    readonly clock: FakeClock,
  ) {
    this.share = total.join(this);
  }

  get slots() {
    const { connecting, inUse, idle, closing } = this.count;
    return { count: this.count, openCount: inUse + idle, total: connecting + inUse + idle + closing };
  }

  readonly idle = {
    closeOldest: (moment: number): boolean => {
      if (this.count.idle === 0 || this.idleSince > moment) return false;
      this.count.idle--;
      this.count.closing++;
      return true;
    },
  };

  readonly owner = { waiting: (): void => void this.drained++ };

  dialMore(): void {
    while (this.wanted > 0) {
      if (this.share.isFull(true)) return;
      this.wanted--;
      this.count.inUse++;
      this.share.opened();
    }
    this.share.drop();
  }

  /** So many wait. */
  want(callers: number): void {
    this.wanted += callers;
    this.dialMore();
  }

  /** The sockets that are closing are closed. */
  closed(): void {
    this.count.closing = 0;
    this.share.freed();
  }

  /** One in use comes back. */
  back(): void {
    this.count.inUse--;
    this.count.idle++;
    this.idleSince = this.clock.now();
    if (!this.share.whyGive) return;
    this.count.idle--;
    this.count.closing++;
  }
}

function world(max: number) {
  const clock = new FakeClock();
  const total = new Total(max, clock);
  return { clock, one: new Numbers(total, clock), other: new Numbers(total, clock) };
}

test('what is idle must rest before it is taken by one that has about as many', () => {
  expect(restFor(1, 0)).toBe(0);
  expect(restFor(3, 1)).toBe(0);
  expect(restFor(2, 1)).toBe(RESTED_MS);
  expect(restFor(1, 4)).toBe(RESTED_MS);
});

test('there are never more than the bound, and all that is free is given', () => {
  const { one, other } = world(3);
  one.want(2);
  other.want(2);
  expect([one.slots.total, other.slots.total]).toEqual([2, 1]);
  expect([one.share.room, one.share.capacity, other.share.capacity]).toEqual([-1, 0, 0]);
});

test('what is idle at one is closed for who waits at the other, and dialled only when it is closed', async () => {
  const { one, other, clock } = world(3);
  one.want(3);
  for (let i = 0; i < 3; i++) one.back();
  expect(other.share.capacity).toBe(3);
  other.want(3);
  expect([one.count.closing, other.slots.total]).toEqual([1, 0]);
  one.closed();
  expect(other.slots.total).toBe(1);
  for (let i = 0; i < 2; i++) {
    await clock.advance(RESTED_MS);
    one.closed();
  }
  expect([one.slots.total, other.slots.total]).toEqual([0, 3]);
});

test('one that has all it wants in use gives the next that comes back to one that has none', () => {
  const { one, other } = world(2);
  one.want(2);
  other.want(1);
  expect(one.drained).toBe(1); // lanes are released as soon as they can be
  one.back();
  one.closed();
  expect([one.slots.total, other.slots.total]).toEqual([1, 1]);
});

test('those who have about as many do not take from each other what is in use', async () => {
  const { one, other, clock } = world(3);
  one.want(2);
  other.want(2);
  await clock.advance(RESTED_MS);
  expect(one.drained).toBe(0);
  one.back();
  expect(one.count).toMatchObject({ idle: 1, closing: 0 });
});

test('room that one waits for is not taken by another that comes later', () => {
  const { one, other } = world(2);
  one.want(2);
  other.want(1);
  one.want(1);
  one.back();
  one.count.closing = 0; // nobody is told yet
  expect([one.share.room, other.share.room]).toEqual([0, 1]);
  one.share.freed();
  expect([one.slots.total, other.slots.total]).toEqual([1, 1]);
});

test('who waits no longer, or has left, keeps nothing back', async () => {
  const { one, other, clock } = world(1);
  one.want(1);
  other.want(1);
  other.wanted = 0;
  other.dialMore();
  one.back();
  expect(one.count).toMatchObject({ idle: 1, closing: 0 });
  other.want(1);
  other.share.leave();
  await clock.advance(RESTED_MS);
  expect(clock.timers()).toBe(0);
});
