import { expect, test, vi } from 'vitest';
import { DURATIONS, type DurationListener } from '../../../src/api/durations.ts';
import type { RedisPool } from '../../../src/index.ts';
import { Batch } from '../../../src/integrations/observe/batch.ts';
import { flow } from '../../../src/integrations/observe/durations.ts';
import { CodeCounts, errorCode } from '../../../src/integrations/observe/error-code.ts';
import { FakeRedis } from '../../helpers/fake-redis.ts';

test('a batch passes on every number once and in order, when it is full or flushed', () => {
  const got: number[] = [];
  const batch = new Batch((value) => got.push(value));
  batch.add(1);
  expect(got).toEqual([]);
  batch.flush();
  batch.flush();
  expect(got).toEqual([1]);
  for (let value = 2; value <= 258; value++) batch.add(value);
  expect(got).toEqual(Array.from({ length: 257 }, (_, i) => i + 1));
  batch.flush();
  expect(got.at(-1)).toBe(258);
});

test('times flow in seconds, and when they stop the last ones come and no listener is left', () => {
  let listener: DurationListener | undefined;
  const end = vi.fn();
  const pool = {
    [DURATIONS](added: DurationListener) {
      listener = added;
      return end;
    },
  } as unknown as RedisPool;
  const sinks = { acquire: vi.fn(), release: vi.fn(), connect: vi.fn() };
  const times = flow(pool, sinks);
  listener?.acquire?.(5);
  listener?.release?.(20);
  times.flush('acquire');
  expect(sinks.acquire.mock.calls).toEqual([[0.005]]);
  expect(sinks.release).not.toHaveBeenCalled();
  times.stop();
  expect(sinks.release.mock.calls).toEqual([[0.02]]);
  expect(end).toHaveBeenCalledTimes(1);
});

test('a pool reports durations to all listeners, until they are removed', async () => {
  const redis = new FakeRedis();
  redis.dialMs = 7;
  const pool = redis.pool();
  const told: string[] = [];
  const listen = (who: string) =>
    pool[DURATIONS]({
      acquire: (ms) => told.push(`${who} acquire ${ms}`),
      release: (ms) => told.push(`${who} release ${ms}`),
      connect: (ms) => told.push(`${who} connect ${ms}`),
    });
  const ends = [listen('a'), listen('b')];
  const lease = pool.acquire();
  await redis.clock.advance(7);
  ends[1]?.();
  await redis.clock.advance(3);
  (await lease).release();
  expect(told).toEqual(['a connect 7', 'b connect 7', 'a acquire 7', 'b acquire 7', 'a release 3']);
  ends[0]?.();
  await pool.use(() => {});
  expect(told.length).toBe(5);
  await pool.close();
});

const coded = (code: unknown, message = 'x'): Error => Object.assign(new Error(message), { code });

test.each<[string, Error, string]>([
  ['a system error', coded('ECONNREFUSED'), 'ECONNREFUSED'],
  ['a TLS error', coded('DEPTH_ZERO_SELF_SIGNED_CERT'), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['a Redis error', new Error('WRONGPASS invalid username-password pair'), 'WRONGPASS'],
  ['what the server greets with', new Error('ERR max number of clients reached'), 'ERR'],
  ['an error without a code', new Error('the server closed the connection'), 'other'],
  ['a message that begins with a secret', new Error('HUNTER2 was refused'), 'other'],
  ['a code that is none', coded('s3cret-Pa55'), 'other'],
  ['a code of another type', coded(42), 'other'],
])('%s has a code that is safe as a label', (_, error, code) => {
  expect(errorCode(error)).toBe(code);
});

test('codes that are counted are few, whatever comes', () => {
  const counts = new CodeCounts();
  for (let i = 0; i < 100; i++) counts.count(`E${i}`);
  counts.count('E3');
  expect(Object.keys(counts.all).length).toBe(21);
  expect(counts.all).toMatchObject({ E3: 2, other: 80 });
});
