import { expect, test } from 'vitest';
import { line, type Second, together, view } from '../../load/lib/view.js';

const second = (at: number, given: Partial<Second> = {}): Second => ({
  ...{ at, users: 500, requests: 100, errors: 0, p50: 12.3, p99: 240 },
  redis: { open: 3, peak: 93, dialled: 50, cpu: 0.012 },
  pool: { inUse: 4, open: 9, waiting: 17, maxActive: 10 },
  appCpu: 0.35,
  ...given,
});

const PLAN = { duration: 10, users: 500, wave: 0 };

test('the view shows users, requests, times, errors, connections, and the pool, and fits a terminal', () => {
  const seconds = Array.from({ length: 60 }, (_, i) => second(i + 1, { errors: i === 3 ? 2 : 0 }));
  const drawn = view(seconds, { duration: 90, users: 500, wave: 2 }).split('\n');
  expect(drawn.map((row) => row.slice(0, 38).trim().replace(/ {2,}/g, ' '))).toEqual([
    '60 of 90 s',
    'users 500 of 500',
    'requests/s 100',
    'p50 12 ms',
    'p99 240 ms',
    'errors 2 of 6,000',
    'connections 3, most 93',
    'new ones 3,000, 0.5 a request',
    'pool 4 in use of 10',
    'waiting 17',
    'CPU, app 35 %',
    'CPU, Redis 1.2 %',
  ]);
  for (const row of drawn) expect(row.length).toBeLessThanOrEqual(80);
});

test('a curve is as high as its highest second, and flat where there is nothing', () => {
  const drawn = view([second(1, { users: 0 }), second(2, { users: 250 }), second(3)], PLAN);
  expect(drawn).toMatch(/users +500 of 500 +▁▅█/);
  expect(drawn).toMatch(/errors +0 of 300 +▁▁▁/);
});

test('what is shown as going on now is that of a whole wave', () => {
  const idle = second(2, { requests: 0, p50: 0, p99: 0 });
  expect(view([second(1), idle], { ...PLAN, wave: 1.5 })).toMatch(/requests\/s +50 .*\n +p50 +12 ms/);
  expect(view([second(1), idle], PLAN)).toMatch(/requests\/s +0 .*\n +p50 +█▁/);
});

test('what is not measured is not shown', () => {
  const { redis: _, pool: __, appCpu: ___, ...bare } = second(1);
  expect(view([bare], PLAN)).not.toMatch(/connections|pool|CPU/);
  expect(line(bare)).toBe('   1 s: 500 users, 100 requests/s, p50 12 ms, p99 240 ms, 0 errors');
});

test('a line tells of all seconds since the last one, with the times of the busiest', () => {
  const idle = { requests: 0, p50: 0, p99: 0, redis: { open: 3, peak: 3, dialled: 0, cpu: 0 } };
  expect(line(together([second(1, { errors: 1 }), second(2, idle)]))).toBe(
    '   2 s: 500 users, 50 requests/s, p50 12 ms, p99 240 ms, 1 error; 3 connections (most 93); pool 4 in use, 17 waiting',
  );
  expect(line(second(1, idle))).toContain('500 users, 0 requests/s, 0 errors;');
});
