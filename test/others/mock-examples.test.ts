import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const examples = join(root, 'examples/testing');
const require = createRequire(import.meta.url); // jest is in this folder's own packages
const bin = (name: string, file: string): string =>
  join(dirname(require.resolve(`${name}/package.json`)), file);

/** What a test runner says that is run as from the command line, on the built package. */
function run(args: readonly string[]): Promise<{ code: unknown; output: string }> {
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' };
  for (const name of Object.keys(env))
    if (/^(VITEST|JEST|TEST_RESULTS|NODE_ENV|NODE_TEST)/.test(name)) delete env[name];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root, env, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, output: stdout + stderr }),
    );
  });
}

function jest(folder: string, pattern: string): string[] {
  const config = JSON.stringify({ rootDir: join(root, folder), testMatch: [`**/${pattern}`], transform: {} });
  return ['--experimental-vm-modules', bin('jest', 'bin/jest.js'), '--config', config];
}

describe('the examples of testing run unchanged in', () => {
  test.each<[string, string[], RegExp]>([
    [
      'vitest',
      [bin('vitest', 'vitest.mjs'), 'run', '--root', join(examples, 'vitest')],
      /Tests +2 passed \(2\)/,
    ],
    ['jest', jest('examples/testing', 'jest/*.test.js'), /Tests: +2 passed, 2 total/],
    [
      'node:test',
      ['--test', '--test-reporter=tap', join(examples, 'node/stock.test.js')],
      /^# pass 2\n# fail 0$/m,
    ],
  ])('%s', { timeout: 60_000 }, async (_, args, passed) => {
    const { code, output } = await run(args);
    expect(output).toMatch(passed);
    expect(code).toBe(0);
  });
});

describe('docs/testing.md shows the examples unchanged', () => {
  const page = readFileSync(join(root, 'docs/testing.md'), 'utf8');
  test.each(['stock.js', 'vitest/stock.test.js'])('%s', (file) => {
    expect(page).toContain(`\`\`\`js\n${readFileSync(join(examples, file), 'utf8')}\`\`\``);
  });

  test.each(['jest', 'node'])('and how that of %s differs', (runner) => {
    const lines = readFileSync(join(examples, runner, 'stock.test.js'), 'utf8').split('\n');
    const others = new Set(readFileSync(join(examples, 'vitest/stock.test.js'), 'utf8').split('\n'));
    const own = lines.filter((line) => !others.has(line));
    expect(own.length).toBeGreaterThan(0);
    for (const line of own) expect(page).toContain(line.trim());
  });
});

test('in CommonJS, under the fake timers of jest, which hold back ticks and microtasks, nothing hangs', {
  timeout: 60_000,
}, async () => {
  const { code, output } = await run(jest('test/fixtures/jest', '*.test.cjs'));
  expect(output).toMatch(/Tests: +3 passed, 3 total/);
  expect(code).toBe(0);
});
