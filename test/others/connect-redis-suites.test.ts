import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { useServer } from '../helpers/redis.ts';

const server = useServer();

/** Where `redis` is imported from: a node-redis client as far as their test goes, which looks at TTLs itself. */
const SHIM = `
import { Pool } from '../../dist/index.js';
import { nodeRedisView } from '../../dist/session.js';
export function createClient() {
  const pool = new Pool(process.env.TEST_URL, { maxActive: 3 });
  return { ...nodeRedisView(pool), connect: () => pool.ready(), ttl: (key) => pool.redis.ttl(key), destroy: () => pool.close() };
}
`;

test.each(['9', '10'])(
  'the suite in the package of connect-redis %s passes unchanged on the view',
  { timeout: 180_000 },
  async (major) => {
    const root = join(import.meta.dirname, '../..');
    const theirs = join(import.meta.dirname, 'node_modules', `connect-redis${major}`);
    const folder = join(root, '.suites', `connect-redis-${process.pid}-${major}`);
    mkdirSync(join(folder, 'testdata'), { recursive: true });
    try {
      for (const file of ['index.ts', 'index_test.ts']) cpSync(join(theirs, file), join(folder, file));
      writeFileSync(join(folder, 'shim.js'), SHIM);
      writeFileSync(
        join(folder, 'testdata/server.ts'),
        'export const port = 0; export const connect = () => {}; export const disconnect = () => {};',
      );
      const alias = { redis: join(folder, 'shim.js') };
      // It looks at times to live to the second, and is given five; a busy machine may take longer.
      const config = { test: { include: ['*_test.ts'], alias, testTimeout: 120_000, retry: 4 } };
      writeFileSync(join(folder, 'vitest.config.js'), `export default ${JSON.stringify(config)};`);
      const output = await new Promise<string>((resolve) => {
        const vitest = join(root, 'node_modules/vitest/vitest.mjs');
        const env = { ...process.env, TEST_URL: server.url, VITEST: undefined };
        execFile(process.execPath, [vitest, 'run', '--reporter=json'], { cwd: folder, env }, (_, stdout) =>
          resolve(stdout),
        );
      });
      const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(
        output.slice(output.indexOf('{')),
      );
      expect({ numPassedTests, numFailedTests, numPendingTests }).toEqual({
        numPassedTests: 4,
        numFailedTests: 0,
        numPendingTests: 0,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
