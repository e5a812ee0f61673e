import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RedisStore as RedisStore9 } from 'connect-redis9';
import { RedisStore as RedisStore10 } from 'connect-redis10';
import { beforeEach, describe, expect, test } from 'vitest';
import { nodeRedisView } from '../../src/session/index.ts';
import { times } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

describe.each([
  ['9', RedisStore9],
  ['10', RedisStore10],
])('connect-redis %s, on the view', (_, RedisStore) => {
  test('keeps, finds and ends sessions, over few connections', async () => {
    const pool = server.pool({ maxActive: 3, name: 'view' });
    const watch = server.watch('view');
    const store = new RedisStore({ client: nodeRedisView(pool) as never, ttl: 500, scanCount: 10 });
    const cookie = { originalMaxAge: null };
    await Promise.all(times(200, (i) => store.set(`${i}`, { cookie, n: i } as never)));
    expect(await store.length()).toBe(200);
    expect((await store.all()) as unknown[]).toHaveLength(200);
    expect(await store.get('7')).toEqual({ cookie, n: 7 });
    expect(await server.observer.ttl('sess:7')).toBeGreaterThan(400);
    await server.observer.expire('sess:7', 10);
    await store.touch('7', { cookie });
    expect(await server.observer.ttl('sess:7')).toBeGreaterThan(400);
    await store.destroy('7');
    expect(await store.get('7')).toBeNull();
    await store.clear();
    expect(await server.observer.dbsize()).toBe(0);
    expect(await watch.stop()).toBeLessThanOrEqual(3);
  });
});

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
  { timeout: 60_000 },
  async (major) => {
    const root = join(import.meta.dirname, '../..');
    const theirs = join(root, 'node_modules', `connect-redis${major}`);
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
      const config = { test: { include: ['*_test.ts'], alias } };
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
