import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { API_DOCS, apiDocs } from '../tools/api-docs.js';

const { text, gaps } = apiDocs();

test('docs/api.md is what the comments in src say (`npm run docs` writes it)', () => {
  expect(readFileSync(API_DOCS, 'utf8')).toBe(text);
});

test('everything that is exported is described, and every option has its default', () => {
  expect(gaps).toEqual([]);
  expect(text).toMatch(/^\| `maxActive` \| `number` \| 10 \| Most connections open at once/m);
});

test('each method of a pool has an example, and what may be thrown; each code says what to look at and to do', () => {
  const section = (heading: string): string =>
    new RegExp(`^${heading}\\n(.*?)(?=^#{2,4} )`, 'ms').exec(text)?.[1] ?? expect.fail(`no ${heading}`);
  for (const method of [
    'acquire',
    'use',
    'stats',
    'health',
    'clear',
    'ready',
    'close',
    'on',
    'once',
    'off',
  ]) {
    const described = section(`#### RedisPool\\.${method}\\(\\)`);
    expect(described, method).toContain('```ts\n');
    if (!['stats', 'clear'].includes(method)) expect(described, method).toContain('Errors: ');
  }
  const codes = [...text.matchAll(/^#### (POOL_\w+)$/gm)].map(([, code = '']) => code);
  expect(codes.length).toBe(8);
  for (const code of codes) {
    for (const part of ['**When.**', '**Look at**', '**Do.**'])
      expect(section(`#### ${code}`), code).toContain(part);
  }
});

test('the metrics of both adapters are listed', () => {
  for (const name of [
    'redis_pool_connect_errors_total',
    'redis_pool_hold_seconds',
    'redis_pool_closes_total',
  ])
    expect(text).toContain(`| \`${name}\` |`);
  for (const name of ['count', 'timeouts', 'max', 'wait_time'])
    expect(text).toContain(`| \`db.client.connection.${name}\` |`);
});
