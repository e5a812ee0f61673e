import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EVENT_NAMES } from '../../src/api/events.ts';
import { resolveOptions } from '../../src/api/resolve-options.ts';
import type { PoolStats } from '../../src/api/stats.ts';
import { Events } from '../../src/core/events.ts';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { refusal } from '../helpers/refusal.ts';

const STATS = Object.freeze({ waiting: 3 }) as PoolStats;
const stats = vi.fn(() => STATS);
const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});

beforeEach(() => {
  stats.mockClear();
  warn.mockClear();
});

const make = (hooks = {}): Events => new Events(resolveOptions({ name: 'sessions', hooks }), stats);

/** What warned, as text. */
const warnings = (): string[] => warn.mock.calls.map(([text]) => String(text));

test('there are the events that the documentation names, and no others', () => {
  expect([...EVENT_NAMES].sort()).toEqual(
    [
      ...['acquire', 'release', 'wait', 'timeout', 'abort', 'exhausted', 'connecting', 'connect'],
      ...['connectError', 'close', 'leak', 'clear', 'drain'],
    ].sort(),
  );
});

test('every event is counted from zero, whether or not someone listens', () => {
  const events = make();
  for (const event of EVENT_NAMES) expect(events.counts[event]).toBe(0);
  events.count('clear');
  events.add('drain', () => {});
  events.count('drain');
  events.count('drain');
  expect((['clear', 'drain', 'acquire'] as const).map((event) => events.counts[event])).toEqual([1, 2, 0]);
});

test('count says whether anyone listens, so that no payload is built for nobody', () => {
  const events = make({ drain: () => {} });
  const listener = (): void => {};
  expect(events.count('drain')).toBe(true);
  expect(events.count('clear')).toBe(false);
  events.add('clear', listener);
  expect(events.count('clear')).toBe(true);
  events.remove('clear', listener);
  expect(events.count('clear')).toBe(false);
  expect(stats).not.toHaveBeenCalled();
});

test("an event has the pool's name, its numbers, and the detail", () => {
  const events = make();
  const heard = vi.fn();
  events.add('release', heard);
  events.emit('release', { connectionId: 4, heldMs: 12 });
  expect(heard.mock.calls).toEqual([[{ pool: 'sessions', stats: STATS, connectionId: 4, heldMs: 12 }]]);
});

test('listeners are called in the order they were added, hooks first', () => {
  const order: string[] = [];
  const events = make({ clear: () => order.push('hook') });
  events.add('clear', () => order.push('a'));
  events.addOnce('clear', () => order.push('b'));
  events.emit('clear', {});
  expect(order).toEqual(['hook', 'a', 'b']);
});

test('a listener for one event is called for no other', () => {
  const events = make();
  const heard = vi.fn();
  events.add('clear', heard);
  events.emit('drain', {});
  expect(heard).not.toHaveBeenCalled();
});

test('a listener added twice is called twice, and each remove takes one, the last', () => {
  const events = make();
  const order: string[] = [];
  const a = (): void => void order.push('a');
  events.add('clear', a);
  events.add('clear', () => order.push('b'));
  events.add('clear', a);
  events.emit('clear', {});
  events.remove('clear', a);
  events.emit('clear', {});
  expect(order.join('')).toBe('abaab');
  events.remove('clear', a);
  events.remove('clear', a);
  events.emit('clear', {});
  expect(order.join('')).toBe('abaabb');
});

test('addOnce calls once, even when the event happens again meanwhile', () => {
  const events = make();
  let calls = 0;
  events.addOnce('clear', () => {
    calls++;
    events.emit('clear', {});
  });
  events.emit('clear', {});
  events.emit('clear', {});
  expect(calls).toBe(1);
});

test('one added once can be removed before it is called, and through its hook', () => {
  const hook = vi.fn();
  const events = make({ clear: hook });
  const heard = vi.fn();
  events.addOnce('clear', heard);
  events.remove('clear', heard);
  events.remove('clear', hook);
  events.emit('clear', {});
  expect([heard, hook].some((one) => one.mock.calls.length > 0)).toBe(false);
});

test('a listener may add and remove listeners: it concerns the next event', () => {
  const events = make();
  const late = vi.fn();
  const removed = vi.fn();
  events.addOnce('clear', () => {
    events.add('clear', late);
    events.remove('clear', removed);
  });
  events.add('clear', removed);
  events.emit('clear', {});
  expect(late).not.toHaveBeenCalled();
  expect(removed).toHaveBeenCalledTimes(1);
  events.emit('clear', {});
  expect(late).toHaveBeenCalledTimes(1);
  expect(removed).toHaveBeenCalledTimes(1);
});

test('removeAll leaves no listener', () => {
  const heard = vi.fn();
  const events = make({ clear: heard });
  events.add('drain', heard);
  events.removeAll();
  expect([events.count('clear'), events.count('drain')]).toEqual([false, false]);
  events.emit('drain', {});
  expect(heard).not.toHaveBeenCalled();
});

describe('a listener that throws', () => {
  test('is reported, and does not affect the others and the pool', () => {
    const events = make();
    const after = vi.fn();
    events.add('clear', () => {
      throw new Error('oops');
    });
    events.add('clear', after);
    events.emit('clear', {});
    expect(after).toHaveBeenCalledTimes(1);
    expect(warnings()).toEqual(["a listener for 'clear' of pool sessions threw: Error: oops"]);
    expect(warn.mock.calls[0]?.[1]).toBe('PoolWarning');
  });

  test('is reported too when it is async, instead of ending the process', async () => {
    const events = make();
    events.add('clear', async () => {
      throw new Error('later');
    });
    events.emit('clear', {});
    await settled();
    expect(warnings()).toEqual(["a listener for 'clear' of pool sessions threw: Error: later"]);
  });

  test('may throw anything, even what cannot be turned into text', async () => {
    const events = make();
    const after = vi.fn();
    for (const thrown of [undefined, null, 'text', Symbol('x'), Object.create(null)]) {
      events.add('clear', () => {
        throw thrown;
      });
    }
    events.add('clear', after);
    expect(() => events.emit('clear', {})).not.toThrow();
    expect(after).toHaveBeenCalledTimes(1);
    expect(warnings().length).toBe(5);
  });
});

describe('the diagnostics channel of an event', () => {
  const heard = vi.fn();
  afterEach(() => {
    unsubscribe('bounded-redis-pool:clear', heard);
  });

  test('carries the same, and counts as someone who listens', () => {
    const events = make();
    subscribe('bounded-redis-pool:clear', heard);
    expect(events.count('clear')).toBe(true);
    expect(events.count('drain')).toBe(false);
    const listener = vi.fn();
    events.add('clear', listener);
    events.emit('clear', {});
    const name = 'bounded-redis-pool:clear';
    expect(heard.mock.calls).toEqual([[{ pool: 'sessions', stats: STATS }, name]]);
    expect(heard.mock.calls[0]?.[0]).toBe(listener.mock.calls[0]?.[0]);
  });
});

describe('on, once and off of a pool', () => {
  test('return the pool, and add, add once and remove', () => {
    const pool = new FakeRedis().pool();
    const heard = vi.fn();
    expect(pool.on('clear', heard).once('clear', heard).off('drain', heard)).toBe(pool);
    pool.clear();
    pool.clear();
    expect(heard).toHaveBeenCalledTimes(3);
    pool.off('clear', heard).clear();
    expect(heard).toHaveBeenCalledTimes(3);
  });

  for (const method of ['on', 'once', 'off'] as const) {
    test(`${method} refuses an event that there is not, with the nearest`, () => {
      const pool = new FakeRedis().pool();
      expect(refusal(() => pool[method]('aquire' as never, () => {}))).toBe(
        'unknown event `aquire`, did you mean `acquire`?',
      );
      expect(refusal(() => pool[method]('toString' as never, () => {}))).toContain('unknown event');
    });

    test(`${method} refuses a listener that is no function`, () => {
      const pool = new FakeRedis().pool();
      for (const listener of [undefined, null, 'f', {}]) {
        expect(refusal(() => pool[method]('acquire', listener as never))).toBe(
          "a listener for 'acquire' must be a function",
        );
      }
    });
  }
});
