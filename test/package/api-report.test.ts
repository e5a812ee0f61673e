import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiReport, REPORT } from '../../tools/api-report.js';

test('the published types are those of etc/api.txt (`npm run docs` writes it)', () => {
  const committed = readFileSync(REPORT, 'utf8');
  expect(committed).toMatch(/^interface RedisPool extends AsyncDisposable \{$/m);
  expect(apiReport()).toBe(committed);
});
