import { describe, expect, test } from 'vitest';
import { chooseLane as choose, type LaneLoad, type Load, STALL_MS } from '../../src/multiplex/lane-choice.ts';
import { LARGE, LaneMeter, LargeReplies } from '../../src/multiplex/lane-meter.ts';

const LOAD: Load = { large: false, wary: false, maxLanes: 4 };
const chooseLane = (lanes: LaneLoad[], now: number, load: Partial<Load> = {}) =>
  choose(lanes, now, { ...LOAD, ...load });

type Given = Partial<LaneLoad & LaneLoad['meter']>;
const lane = (load: Given = {}): LaneLoad => ({
  inFlight: load.inFlight ?? 1,
  bytesDue: load.bytesDue ?? 0,
  meter: { progressAt: load.progressAt ?? 0, paceMs: load.paceMs ?? 0, large: load.large ?? false },
});

test('without lanes there is no choice', () => {
  expect(chooseLane([], 0)).toBeUndefined();
});

test('the first lane that is free takes all, so that few callers use one', () => {
  const lanes = [lane({ inFlight: 900 }), lane({ inFlight: 0 })];
  expect(chooseLane(lanes, 1)).toEqual({ lane: lanes[0], free: true });
});

test('a lane with much to come is passed by', () => {
  const lanes = [lane({ bytesDue: LARGE }), lane({ bytesDue: LARGE - 1 })];
  expect(chooseLane(lanes, 1)).toEqual({ lane: lanes[1], free: true });
});

test('a lane that has had nothing to show is passed by; an empty one is not', () => {
  const stalled = lane({ progressAt: 0 });
  expect(chooseLane([stalled], STALL_MS - 0.1)?.free).toBe(true);
  expect(chooseLane([stalled], STALL_MS)?.free).toBe(false);
  expect(chooseLane([lane({ inFlight: 0 })], 1000)?.free).toBe(true);
});

test('where replies take their time, so may a lane', () => {
  const far = lane({ paceMs: 20 });
  expect(chooseLane([far], 79)?.free).toBe(true);
  expect(chooseLane([far], 80)?.free).toBe(false);
});

test('when none is free, the one with the least to come takes it, and another is worth its connection', () => {
  const lanes = [lane({ bytesDue: 3 * LARGE }), lane({ bytesDue: LARGE }), lane({ bytesDue: 2 * LARGE })];
  expect(chooseLane(lanes, 1)).toEqual({ lane: lanes[1], free: false });
});

test('where large replies may come at any time, only an empty lane is free', () => {
  const lanes = [lane(), lane({ inFlight: 0 })];
  expect(chooseLane(lanes, 1, { wary: true })?.lane).toBe(lanes[1]);
});

test('large replies never use the last lane; they wait for each other instead', () => {
  const heavy = (bytesDue: number) => lane({ large: true, bytesDue });
  const lanes = [heavy(3 * LARGE), heavy(2 * LARGE), heavy(4 * LARGE), lane({ inFlight: 0 })];
  expect(chooseLane(lanes, 1, { large: true })).toEqual({ lane: lanes[1], free: true });
  expect(chooseLane(lanes, 1)?.lane).toBe(lanes[3]);
  expect(chooseLane(lanes.slice(1), 1, { large: true })?.lane).toBe(lanes[3]);
  expect(chooseLane([heavy(LARGE)], 1, { large: true, maxLanes: 1 })?.lane).toBeDefined();
});

describe('what is known of large replies', () => {
  test('is by name and first argument, and is forgotten when there were none for a while', () => {
    const large = new LargeReplies();
    expect(large.wary(0)).toBe(false);
    large.note('get', ['big'], 1000);
    expect([large.wary(10_999), large.wary(11_000)]).toEqual([true, false]);
    expect([large.expects('get', ['big']), large.expects('get', ['small'])]).toEqual([true, false]);
    large.note('get', ['other'], 20_000);
    expect(large.expects('get', ['big'])).toBe(false);
  });

  test('is bounded', () => {
    const large = new LargeReplies();
    for (let i = 0; i < 1500; i++) large.note('get', [`k${i}`], 1000);
    expect([large.expects('get', ['k499']), large.expects('get', ['k500'])]).toEqual([false, true]);
    large.note('get', ['k'.repeat(1000)], 1000);
    expect(large.expects('get', ['k'.repeat(1000)])).toBe(false);
  });
});

describe('the meter of a lane', () => {
  test('expects of what is in flight what replies weighed of late, less what has come', () => {
    const meter = new LaneMeter();
    meter.begin(0);
    expect(meter.bytesDue(100, 0)).toBe(0);
    meter.received(16_000);
    meter.answered(16, 1);
    expect(meter.bytesDue(10, 0)).toBe(10_000);
    meter.received(4000);
    expect(meter.bytesDue(10, 0)).toBe(6000);
    expect(meter.bytesDue(10, 50_000)).toBe(50_000);
    meter.answered(1, 2);
    expect(meter.bytesDue(16, 0)).toBe(16 * (1000 + 3000 / 16));
  });

  test('counts small replies, however many, as just less than a large one', () => {
    const small = new LaneMeter();
    small.received(16 * 1000);
    small.answered(16, 1);
    expect(small.bytesDue(100, 0)).toBe(100_000);
    expect(small.bytesDue(10_000, 0)).toBe(LARGE - 1);
    expect(small.bytesDue(10_000, 2 * LARGE)).toBe(2 * LARGE);
    small.large = true;
    expect(small.bytesDue(10_000, 0)).toBe(LARGE);
    const middling = new LaneMeter();
    middling.received(16 * 2000);
    middling.answered(16, 1);
    expect(middling.bytesDue(100, 0)).toBe(200_000);
  });

  test('takes as its pace the fastest of late, of replies that had nothing before them', () => {
    const meter = new LaneMeter();
    const roundTrip = (from: number, to: number): void => {
      meter.begin(from);
      meter.answered(1, to);
      meter.answered(1, to + 500); // not the first: no measure
    };
    roundTrip(0, 20);
    expect(meter.paceMs).toBe(20);
    roundTrip(1000, 1005);
    expect(meter.paceMs).toBe(5);
    roundTrip(2000, 2900);
    expect(meter.paceMs).toBe(10);
    expect(meter.progressAt).toBe(3400);
  });
});
