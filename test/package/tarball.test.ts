import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { installTarball } from '../helpers/packed.ts';

const project = installTarball([
  'ioredis',
  '@ioredis/commands',
  'generic-pool',
  'prom-client',
  '@opentelemetry/api',
]);
const own = join(project, 'node_modules/bounded-redis-pool');
const read = (file: string): string => readFileSync(join(own, file), 'utf8');
const files = readdirSync(own, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.startsWith('dist/') && statSync(join(own, file)).isFile(),
);
const SUBPATHS = Object.keys(JSON.parse(read('package.json')).exports).filter(
  (path) => !path.endsWith('.json'),
);

function run(...args: string[]): string {
  const env = { ...process.env, NODE_OPTIONS: '' };
  return execFileSync(process.execPath, args, { cwd: project, env, encoding: 'utf8' });
}

test('the CommonJS code is as written: `?.` and `??` are not replaced by helpers', () => {
  const helpers = /_optionalChain|_nullishCoalesce|_asyncOptionalChain|_interopRequire|__create|__copyProps/;
  const code = files.filter((file) => file.endsWith('.cjs'));
  expect(code.length).toBeGreaterThan(SUBPATHS.length);
  expect(code.filter((file) => helpers.test(read(file)))).toEqual([]);
  const count = (ending: string, sign: string): number =>
    files
      .filter((file) => file.endsWith(ending))
      .reduce((sum, file) => sum + read(file).split(sign).length - 1, 0);
  for (const sign of ['?.', '??', '??=']) expect(count('.cjs', sign), sign).toBe(count('.js', sign));
  expect(count('.cjs', '?.')).toBeGreaterThan(50);
});

test('no file names a folder of the machine that built it', () => {
  const root = join(import.meta.dirname, '../..');
  expect(files.length).toBeGreaterThan(30);
  expect(files.filter((file) => read(file).includes(root) || read(file).includes('file://'))).toEqual([]);
});

test('source maps name the sources relative to themselves, and contain no copies of them', () => {
  const maps = files.filter((file) => file.endsWith('.map'));
  expect(maps.filter((file) => file.endsWith('.cjs.map')).length).toBeGreaterThan(SUBPATHS.length);
  for (const file of maps) {
    const { sources, sourcesContent } = JSON.parse(read(file));
    for (const source of sources) expect(source, file).toMatch(/^\.\.\/src\/[a-z/-]+\.ts$/);
    expect(sourcesContent, file).toBeUndefined();
  }
});

test.each([
  ['ESM', '--input-type=module', "import { Pool } from 'bounded-redis-pool';"],
  ['CommonJS', '--input-type=commonjs', "const { Pool } = require('bounded-redis-pool');"],
])('a stack of the %s build, mapped, leads to the line that was written', (_, type, load) => {
  const code = `${load} try { new Pool({ maxActive: 0 }); } catch (error) { console.log(error.stack); }`;
  const stack = run('--enable-source-maps', type, '-e', code);
  const [, file = '', line] = /\((?:file:\/\/)?\S*\/(src\/api\/validate\.ts):(\d+):\d+\)/.exec(stack) ?? [];
  const written = readFileSync(join(import.meta.dirname, '../..', file || 'package.json'), 'utf8').split(
    '\n',
  );
  expect(written[Number(line) - 1], stack).toContain('invalidOption(');
});

test('both builds share what their entries have in common, and know the errors of each other', () => {
  const specifiers = SUBPATHS.map((path) => path.replace('.', 'bounded-redis-pool'));
  const code = `
    import { createRequire } from 'node:module';
    const require = createRequire(process.cwd() + '/');
    const specifiers = ${JSON.stringify(specifiers)};
    const named = (all) => Object.fromEntries(specifiers.map((name, i) => [name.split('/')[1] ?? 'main', all[i]]));
    const esm = named(await Promise.all(specifiers.map((name) => import(name))));
    const cjs = named(specifiers.map((name) => require(name)));
    const caught = (work) => { try { work(); } catch (error) { return error; } };
    const errors = (lib, pool) => [
      caught(() => new lib.main.Pool({ max: 1 })),
      caught(() => new lib.session.PoolSessionStore({ pool, prefixx: 1 })),
      caught(() => lib.prometheus.collectPool(pool, { prefixx: 1 })),
      caught(() => lib.opentelemetry.instrumentPool(pool, { prefixx: 1 })),
      caught(() => new lib.mock.MockPool({ max: 1 })),
      caught(() => new lib.cluster.ClusterPool({ nodes: [] })),
    ];
    const told = [];
    for (const [lib, other] of [[esm, cjs], [cjs, esm]]) {
      const pool = new lib.mock.MockPool();
      for (const error of errors(lib, pool)) {
        told.push([error instanceof lib.main.PoolError, error instanceof other.main.PoolError,
          lib.main.isPoolError(error, 'POOL_INVALID_OPTION'), other.main.isPoolError(error)]);
      }
      told.push([pool instanceof lib.main.Pool, pool instanceof other.main.Pool, true, true]);
      const names = (all) => Object.fromEntries(Object.entries(all).map(([path, one]) => [path, Object.keys(one).sort()]));
      told.push([JSON.stringify(names(esm)) === JSON.stringify(names(cjs)), false, true, true]);
    }
    console.log(JSON.stringify(told));`;
  const told = JSON.parse(run('--input-type=module', '-e', code));
  expect(told).toEqual(Array.from({ length: 16 }, () => [true, false, true, true]));
});

test('what a run of the examples leaves behind is not in it', () => {
  const root = join(import.meta.dirname, '../..');
  const run = join(root, 'examples', `.run-${process.pid}`);
  mkdirSync(join(run, 'node_modules/.vite'), { recursive: true });
  onTestFinished(() => rmSync(run, { recursive: true }));
  writeFileSync(join(run, 'node_modules/.vite/results.json'), '{}');
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const [packed] = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8' }));
  const paths: string[] = packed.files.map(({ path }: { path: string }) => path);
  expect(paths).toContain('examples/http.js');
  expect(paths.filter((path) => path.includes('node_modules'))).toEqual([]);
});
