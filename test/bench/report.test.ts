import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { reportOf } from '../../bench/peers/report.js';
import { collect, type Measured, Results } from '../../bench/peers/results.js';
import { byContender, CLIENT, RATE, SERVER } from '../../bench/peers/tables.js';

const root = join(import.meta.dirname, '../..');
const HERE = { date: '2026-11-26', commit: 'abc1234', node: '20.20.2', server: '7.0.15', machine: '2 cores' };

/** Results of one workload. */
function resultsOf(values: Measured): Results {
  const results = new Results();
  results.add('get-50', HERE, values);
  return results;
}

describe('what is published', () => {
  const report = Object.entries(reportOf(Results.read()));

  test('has pictures and tables', () => {
    expect(report.length).toBeGreaterThan(4);
  });

  test.each(report)('in %s is what the report makes of what is recorded', (file, text) => {
    expect(readFileSync(join(root, file), 'utf8')).toBe(text);
  });

  test.each([
    ['README.md', /CPU time of a GET/, /Thousand GETs a second/],
    ['docs/performance.md', /^## CPU time/m, /^## Throughput/m],
  ])('in %s begins with CPU time, and says on what, when and of which commit', (file, cpu, rate) => {
    const text = readFileSync(join(root, file), 'utf8');
    expect(text.search(cpu)).toBeGreaterThan(0);
    expect(text.search(cpu)).toBeLessThan(text.search(rate));
    expect(text).toMatch(
      /\d+ cores?, [^;]+; Node \d+\.\d+\.\d+, redis-server [\d.]+; \d{4}-\d\d-\d\d, commit \w{7}/,
    );
  });
});

describe('what processes measure', () => {
  test('is added up, lists and single numbers, without what is no number', () => {
    const values: Measured = {};
    collect(values, 'a', { cpuMicros: [1.23456, 2], p99: 3, p50: Number.NaN });
    collect(values, 'a', { cpuMicros: [Number.POSITIVE_INFINITY, 4], p99: 5, p50: 6 });
    expect(values).toEqual({ a: { cpuMicros: [1.235, 2, 4], p99: [3, 5], p50: [6] } });
  });

  test('has no spread where less than half of the processes got so far', () => {
    const reached = (...p99: number[]) => resultsOf({ a: { unsettled: [0, 0, 0], p99 } });
    expect(reached(7).spread('get-50', 'a', 'p99')).toBeUndefined();
    expect(reached(7, 9).spread('get-50', 'a', 'p99')?.high).toBe(9);
    expect(reached().spread('get-50', 'a', 'p99')).toBeUndefined();
  });

  test('is measured anew for another commit, machine or Node, and not on another day', () => {
    const results = resultsOf({});
    expect(results.has('get-50', { ...HERE, date: '2026-11-27' })).toBe(true);
    for (const key of ['commit', 'machine', 'node', 'server']) {
      expect(results.has('get-50', { ...HERE, [key]: 'another' })).toBe(false);
    }
    expect(results.has('get-1', HERE)).toBe(false);
  });

  test('of different commits is told apart', () => {
    const results = resultsOf({});
    results.add('get-1', { ...HERE, commit: 'def5678' }, {});
    results.add('get-500', HERE, {});
    expect(results.about(['get-50', 'get-1', 'get-500'])).toEqual([
      '2 cores; Node 20.20.2, redis-server 7.0.15; 2026-11-26, commit abc1234',
      '2 cores; Node 20.20.2, redis-server 7.0.15; 2026-11-26, commit def5678',
    ]);
  });
});

describe('a table', () => {
  const results = resultsOf({
    'one ioredis': {
      cpuMicros: [3, 4, 5],
      serverMicros: [2, 2, 2],
      perSecond: [80e3, 90e3, 99e3],
      unsettled: [0, 0, 1],
    },
    'pool.redis': {
      cpuMicros: [1, 1.5, 2],
      serverMicros: [0.5, 0.5, 0.5],
      perSecond: [90e3, 95e3, 97e3],
      unsettled: [0, 0, 0],
    },
    'pool.redis, CommonJS': { cpuMicros: [1, 1.6, 2], serverMicros: [0.6, 0.6, 0.6], unsettled: [0, 0, 0] },
    'hand-written loop': { cpuMicros: [0.9, 1, 1.1], unsettled: [0, 0, 0] },
    'redis-benchmark': { perSecond: [900e3] },
  });
  const names = [
    'one ioredis',
    'node-redis',
    'pool.redis',
    'pool.redis, CommonJS',
    'hand-written loop',
    'redis-benchmark',
  ];

  test('has each spread, marks who never settled, and has whoever is apart in bold, be they two builds', () => {
    const column = { id: 'get-50', title: 'CPU', what: CLIENT, second: SERVER };
    expect(byContender(results, [column], names).split('\n')).toEqual([
      '|  | CPU |',
      '| --- | --- |',
      '| one ioredis | 4 (3 – 5)† + 2 |',
      '| pool.redis | **1.5 (1 – 2)** + 0.5 |',
      '| pool.redis, CommonJS | **1.6 (1 – 2)** + 0.6 |',
      '| hand-written loop | 1 (0.9 – 1.1) |',
    ]);
  });

  test('has nobody in bold after a quick run, in which each has one process', () => {
    const quick = resultsOf({
      'one ioredis': { cpuMicros: [4, 4, 4], unsettled: [0] },
      'pool.redis': { cpuMicros: [1, 1, 1], unsettled: [0] },
    });
    const column = { id: 'get-50', title: 'CPU', what: CLIENT };
    expect(byContender(quick, [column], names)).not.toContain('**');
  });

  test('has nothing in bold where spreads overlap, and the limits are no rivals', () => {
    expect(
      byContender(results, [{ id: 'get-50', title: 'k/s', what: RATE }], names)
        .split('\n')
        .slice(2),
    ).toEqual([
      '| one ioredis | 90 (80 – 99)† |',
      '| pool.redis | 95 (90 – 97) |',
      '| redis-benchmark | 900 |',
    ]);
  });
});
