import { createRequire } from 'node:module';
import { mock as nodeMock } from 'node:test';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { follow } from '../../helpers/outcomes.ts';

/** What sinon, vitest and jest are built upon. */
interface FakeTimers {
  install(): { tickAsync(ms: number): Promise<unknown>; uninstall(): void };
}
const sinon = createRequire(import.meta.url)('@sinonjs/fake-timers') as FakeTimers;

/**
 * Puts fake timers in place, and returns what lets time pass on them. Those of jest, which fake ticks and microtasks too, are in
 * examples.test.ts: here they would cut off the process from its runner.
 */
type Install = () => (ms: number) => unknown;

let restore = (): void => {};
afterEach(() => restore());

const FRAMEWORKS: readonly (readonly [string, Install])[] = [
  [
    'vitest',
    () => {
      vi.useFakeTimers();
      restore = () => void vi.useRealTimers();
      return (ms) => vi.advanceTimersByTimeAsync(ms);
    },
  ],
  [
    'node:test',
    () => {
      nodeMock.timers.enable();
      restore = () => nodeMock.timers.reset();
      return (ms) => nodeMock.timers.tick(ms);
    },
  ],
  [
    'sinon',
    () => {
      const clock = sinon.install();
      restore = () => clock.uninstall();
      return (ms) => clock.tickAsync(ms);
    },
  ],
];

/** Uses a pool for as much as concerns time. */
async function live(mock: MockPool, pass: (ms: number) => unknown): Promise<void> {
  await mock.ready();
  await mock.redis.set('k', 'v', 'PX', 4000);
  const lease = await mock.acquire();
  expect(await lease.pipeline().get('k').ping().exec()).toHaveLength(2);
  const late = follow(mock.acquire());
  await pass(3999);
  expect([await lease.get('k'), late.is]).toEqual(['v', 'pending']);
  await pass(1);
  expect(await lease.get('k')).toBeNull();
  await pass(1000);
  await settled(late.promise);
  expect(late.is).toBe('POOL_ACQUIRE_TIMEOUT');
  lease.release();
  await pass(70_000);
  await mock.advance(0);
  expect(mock.stats()).toMatchObject({ total: 0, closed: { idle: 1 } });
  await mock.close();
}

const settled = (promise: Promise<unknown>): Promise<unknown> => promise.catch(() => {});
const options = { maxActive: 1, minIdle: 0 };

test('without fake timers time stands still, and only advance() moves it', async () => {
  const mock = new MockPool(options);
  await live(mock, (ms) => mock.advance(ms));
});

describe.each(FRAMEWORKS)('under the timers of %s', (_, install) => {
  test('time goes by advance()', async () => {
    install();
    const mock = new MockPool(options);
    await live(mock, (ms) => mock.advance(ms));
  });

  test('time goes with the timers too', async () => {
    const pass = install();
    await live(new MockPool(options), pass);
  });

  test('minIdle is dialled, and the pool closes', async () => {
    install();
    const mock = new MockPool({ minIdle: 2 });
    await mock.ready();
    expect(mock.stats().idle).toBe(2);
    const lease = await mock.acquire();
    const closed = follow(mock.close({ graceMs: 100 }));
    await mock.advance(100);
    expect(closed.is).toBe('done');
    lease.release();
  });
});

test('what was faked only after the pool was made is followed all the same', async () => {
  const mock = new MockPool(options);
  await mock.advance(500);
  const lease = await mock.acquire();
  vi.useFakeTimers();
  restore = () => void vi.useRealTimers();
  const late = follow(mock.acquire({ timeoutMs: 100 }));
  await vi.advanceTimersByTimeAsync(100);
  expect(late.is).toBe('POOL_ACQUIRE_TIMEOUT');
  lease.release();
});
