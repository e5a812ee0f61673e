import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import { startServer } from '../../tools/redis-server.js';

const require = createRequire(import.meta.url);
const folderOf = (name: string): string => dirname(require.resolve(`${name}/package.json`));

interface Outcome {
  readonly output: string;
  /** What the preload has seen. */
  readonly seen: { readonly pools: number; readonly sent: number; readonly most: number };
}

/** Runs a suite as it stands in its package, with `pool.redis` in ioredis' place, on a server of its own. */
async function run(
  { onTestFinished }: TestContext,
  name: string,
  args: (folder: string) => string[],
): Promise<Outcome> {
  const server = await startServer();
  const dir = mkdtempSync(join(tmpdir(), 'suite-'));
  onTestFinished(async () => {
    rmSync(dir, { recursive: true });
    await server.stop();
  });
  const folder = folderOf(name);
  const report = join(dir, 'report.json');
  const env = { ...process.env, TEST_PORT: String(server.port), TEST_SUITE: folder, TEST_REPORT: report };
  const preload = ['--require', join(import.meta.dirname, 'preload.cjs')];
  const output = await new Promise<string>((resolve) => {
    execFile(
      process.execPath,
      [...preload, ...args(folder)],
      { cwd: folder, env, timeout: 150_000, maxBuffer: 1 << 26 },
      (_, stdout, stderr) => resolve(stdout + stderr),
    );
  });
  return { output, seen: JSON.parse(readFileSync(report, 'utf8')) };
}

/** The counts that close the output of Node's test runner. */
function counts(output: string): Record<string, number> {
  const lines = [...output.matchAll(/^# (pass|fail|skipped|cancelled) (\d+)$/gm)];
  return Object.fromEntries(lines.map(([, what = '', n]) => [what, Number(n)]));
}

/** The tests that failed; not the suites they are in. */
function failures(output: string): string[] {
  const failed = [...output.matchAll(/^\s*not ok \d+ - (.*)\n([\s\S]*?)\n\s*\.\.\.$/gm)];
  return failed.flatMap(([, name = '', detail = '']) => (detail.includes('subtestsFailed') ? [] : [name]));
}

describe.concurrent('suites of other libraries pass unchanged, with pool.redis where they make an ioredis', () => {
  // It counts on locks of 200 ms to hold between its own steps, which a busy machine may not give it at once.
  test('redlock 4.2.0', { timeout: 180_000, retry: 4 }, async (context) => {
    const mocha = join(folderOf('mocha'), 'bin/mocha.js');
    const args = (folder: string) => [
      ...[mocha, '--exit', '--timeout', '6000', '--reporter', 'json'],
      join(folder, 'test.js'),
    ];
    const { output, seen } = await run(context, 'redlock', args);
    const { stats, failures } = JSON.parse(output.slice(output.indexOf('{\n')));
    expect(failures).toEqual([]);
    expect(stats).toMatchObject({ passes: 224, failures: 0, pending: 0 });
    expect(seen).toMatchObject({ pools: 4 });
    expect(seen.sent).toBeGreaterThan(100);
    expect(seen.most).toBeLessThanOrEqual(4);
  });

  test('@fastify/rate-limit', { timeout: 180_000 }, async (context) => {
    const args = (folder: string) => ['--test-reporter=tap', join(folder, 'test/redis-rate-limit.test.js')];
    const { output, seen } = await run(context, '@fastify/rate-limit', args);
    expect(failures(output)).toEqual([]);
    expect(counts(output)).toMatchObject({ pass: 16, fail: 0, skipped: 0, cancelled: 0 });
    expect(seen.pools).toBeGreaterThan(10);
    expect(seen.sent).toBeGreaterThan(50);
  });

  test('@fastify/redis', { timeout: 180_000 }, async (context) => {
    const args = (folder: string) => ['--test-reporter=tap', join(folder, 'test/index.test.js')];
    const { output, seen } = await run(context, '@fastify/redis', args);
    expect(failures(output)).toEqual([]);
    // One of its own is skipped by itself.
    expect(counts(output)).toMatchObject({ pass: 23, fail: 0, skipped: 1, cancelled: 0 });
    expect(seen.pools).toBeGreaterThan(20);
  });
});
