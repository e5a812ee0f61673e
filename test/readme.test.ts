import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, startServer } from '../tools/redis-server.js';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code);
// Within the package, so that `bounded-redis-pool` is the package itself, as it was built.
const folder = join(root, '.readme-examples', String(process.pid));

let server: RunningServer;

beforeAll(async () => {
  server = await startServer();
  mkdirSync(folder, { recursive: true });
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await server.stop();
});

test('there are examples, and the first is on the first screen', () => {
  expect(examples.length).toBeGreaterThan(1);
  expect(readme.slice(0, readme.indexOf('```ts')).split('\n').length).toBeLessThan(10);
});

describe.each(examples.map((code, i) => [i + 1, code] as const))('example %i', (i, code) => {
  test('runs unchanged, and the process ends by itself', async () => {
    const here = code.replaceAll('6379', String(server.port));
    const { module, target } = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    const file = join(folder, `${i}.mjs`);
    writeFileSync(file, ts.transpileModule(here, { compilerOptions: { module, target } }).outputText);
    await promisify(execFile)(process.execPath, [file], { timeout: 15_000 });
  });
});

test('nothing is left to fill in', () => {
  expect(readme).not.toMatch(/^[A-Z-]+$/m);
});

test('every file and folder that the README names is there', () => {
  const named = [
    ...readme.matchAll(/\]\(((?!http|#)[^)]+)\)|`((?:src|test|bench|docs|demo|examples)\/[\w./-]*)`/g),
  ];
  const missing = named
    .map(([, link, path]) => link ?? path ?? '')
    .filter((path) => !existsSync(join(root, path)));
  expect(missing).toEqual([]);
});

/** The paths in a text: where links lead, the first word of each line of a tree, and what in code looks like one. */
function pathsIn(text: string): string[] {
  const links = [...text.matchAll(/\]\(((?!http|#)[^)#]+)/g)].map(([, link = '']) => link);
  const trees = [...text.matchAll(/^```(\w*)\n(.*?)^```/gms)].map(([, language, tree = '']) =>
    language === '' ? tree.replace(/ .*/g, '').split('\n') : [],
  );
  const prose = text.replace(/^```.*?^```/gms, '');
  const words = [...prose.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => code.split(/\s/));
  const isPath = (word: string): boolean =>
    /^[\w.-]+\/[\w./-]*$/.test(word) || /^[\w.-]+\.([jt]s|json|md)$/.test(word);
  return [...links, ...[...trees.flat(), ...words].filter(isPath)];
}

test.each([
  ['CONTRIBUTING.md', ['.']],
  ['docs/architecture.md', ['.', 'docs', 'src']],
])('every file and folder that %s names is there', (document, bases) => {
  const named = pathsIn(readFileSync(join(root, document), 'utf8'));
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((path) => !bases.some((base) => existsSync(join(root, base, path))))).toEqual([]);
});
