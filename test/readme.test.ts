import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, startServer } from '../tools/redis-server.js';

const root = join(import.meta.dirname, '..');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const read = (page: string): string => readFileSync(join(root, page), 'utf8');
const readme = read('README.md');
const examplesOf = (page: string): string[] =>
  [...read(page).matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = '']) => code);
/** Those whose examples are whole programs, each in a process of its own. */
const withExamples = pages.filter((page) => page !== 'docs/api.md' && examplesOf(page).length > 0);
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

/** Examples of a method have no pool of their own: the reader has one. */
function whole(code: string): string {
  if (/^const pool\b/m.test(code)) return code;
  const pool = "const pool = new Pool('redis://127.0.0.1:6379');";
  return `import { isPoolError, Pool } from 'bounded-redis-pool';\n${pool}\n${code}\nawait pool.close();\n`;
}

/** Runs code against the server of the test; the process has to end by itself. */
async function run(name: string, code: string): Promise<void> {
  const here = code.replaceAll('6379', String(server.port));
  const { module, target } = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, ts.transpileModule(here, { compilerOptions: { module, target } }).outputText);
  await promisify(execFile)(process.execPath, [file], { timeout: 50_000 });
}

test('there are examples, and the first is on the first screen', () => {
  expect(examplesOf('README.md').length).toBeGreaterThan(1);
  expect(readme.slice(0, readme.indexOf('```ts')).split('\n').length).toBeLessThan(10);
});

test('the README is read once: it has no more than 1500 words', () => {
  expect(readme.split(/\s+/).length).toBeLessThanOrEqual(1500);
});

test('docs/README.md has a row for each page, and for each file to use as it is', () => {
  const files = readdirSync(join(root, 'docs')).filter((name) => !/^README|\.(svg|png)$/.test(name));
  const linked = [...read('docs/README.md').matchAll(/\]\(([^)]+)\)/g)].map(([, file]) => file);
  expect(linked.sort()).toEqual(files.sort());
});

describe.each(withExamples)('%s', (page) => {
  test.each(examplesOf(page).map((code, i) => [i + 1, code] as const))(
    'example %i runs unchanged, and the process ends by itself',
    (i, code) => run(`${basename(page)}-${i}`, code),
  );
});

test('every example of docs/api.md runs unchanged', async () => {
  const examples = examplesOf('docs/api.md');
  expect(examples.length).toBeGreaterThan(15);
  // In one process, one after the other: each is a module.
  const names = examples.map((_, i) => `api-${i + 1}`);
  const { module, target } = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  for (const [i, code] of examples.entries()) {
    const text = whole(code).replaceAll('6379', String(server.port));
    const { outputText } = ts.transpileModule(text, { compilerOptions: { module, target } });
    writeFileSync(join(folder, `${names[i]}.mjs`), outputText);
  }
  await run('api', names.map((name) => `await import('./${name}.mjs');`).join('\n'));
});

test('nothing is left to fill in', () => {
  expect(readme).not.toMatch(/^[A-Z-]+$/m);
});

test.each(pages)('every file, folder and heading that %s leads to is there, and in the package', (page) => {
  const { files } = JSON.parse(read('package.json')) as { files: string[] };
  const published = new Set([...files, 'README.md', 'LICENSE', 'package.json']);
  const wrong: string[] = [];
  for (const [, target = ''] of read(page).matchAll(/\]\(((?!https?:)[^)]+)\)/g)) {
    const [path = '', heading] = target.split('#');
    const file = path === '' ? page : relative(root, join(root, dirname(page), path));
    const there = existsSync(join(root, file)) && published.has(file.split('/')[0] ?? '');
    if (!there || (heading !== undefined && !headingsOf(file).has(heading))) wrong.push(target);
  }
  expect(wrong).toEqual([]);
});

test.each(pages)('every file and folder of the repository that %s names is there', (page) => {
  const named = [...read(page).matchAll(/`((?:src|test|bench|docs|demo|examples)\/[\w./-]*)`/g)];
  expect(named.filter(([, path = '']) => !existsSync(join(root, path)))).toEqual([]);
});

/** The headings of a page, as links lead to them; a second one that is spelt alike has a number. */
function headingsOf(file: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading = ''] of read(file).matchAll(/^#{1,4} (.+)$/gm)) {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-');
    let [one, n] = [anchor, 0];
    while (found.has(one)) one = `${anchor}-${++n}`;
    found.add(one);
  }
  return found;
}

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
  ['docs/architecture-fleet.md', ['.', 'docs', 'src']],
])('every file and folder that %s names is there', (document, bases) => {
  const named = pathsIn(readFileSync(join(root, document), 'utf8'));
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((path) => !bases.some((base) => existsSync(join(root, base, path))))).toEqual([]);
});
