import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commandNames } from '../../../src/integrations/mock/commands.ts';
import { TRANSACTION } from '../../../src/integrations/mock/transaction.ts';

test('docs/testing.md lists the commands that the mock has, and no others', () => {
  const page = readFileSync(new URL('../../../docs/testing.md', import.meta.url), 'utf8');
  const [, section = ''] = page.split('\n## Commands\n');
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  const listed = rows.flatMap((row) => [...row.matchAll(/`(\w+)`/g)].map(([, name = '']) => name));
  const has = [...commandNames(), ...TRANSACTION, 'evalsha'].map((name) => name.toUpperCase());
  expect(listed.sort()).toEqual(has.sort());
});
