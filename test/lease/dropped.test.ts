import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Pool, type PoolEvents } from '../../src/index.ts';
import { type RunningServer, startServer } from '../../tools/redis-server.js';
import { until } from '../helpers/redis.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let server: RunningServer;

beforeAll(async () => {
  server = await startServer();
});

afterAll(() => server.stop());

/** Until `condition` holds, with garbage collected again and again. */
function collected(condition: () => boolean): Promise<boolean> {
  const look = (): boolean => {
    collectGarbage();
    return condition();
  };
  return vi.waitUntil(look, { timeout: 30_000, interval: 50 });
}

test('a lease that is dropped without release gives its place back, and is reported', async () => {
  const pool = new Pool({ redis: server.url, maxActive: 1, leakThresholdMs: 60_000 });
  const leaks: PoolEvents['leak'][] = [];
  pool.on('leak', (leak) => leaks.push(leak));
  await (async () => {
    await (await pool.acquire()).ping();
  })();
  await collected(() => leaks.length > 0);
  expect(leaks).toMatchObject([
    { connectionId: 1, returned: false, stack: expect.stringContaining('dropped.test.ts') },
  ]);
  expect(await pool.use((redis) => redis.connectionId)).toBe(2);
  expect(pool.stats()).toMatchObject({ leaked: 1, total: 1, inUse: 0, closed: { dirty: 1 } });
  await pool.close();
});

test('a lease that someone still holds, listens on, or awaits a reply of, is not dropped', async () => {
  const pool = new Pool({ redis: server.url });
  const held = await pool.acquire();
  let heard = '';
  await (async () => {
    const listening = await pool.acquire();
    listening.on('message', (_, message) => {
      heard = message;
    });
    await listening.subscribe('c');
  })();
  const popped = (async () => (await pool.acquire()).blpop('list', 0))();
  await until('all are out', () => pool.stats().inUse === 3);
  // Past the moment when leases are handed over to the garbage collector, and well beyond.
  const start = performance.now();
  await collected(() => performance.now() - start > 3000);
  expect(pool.stats()).toMatchObject({ leaked: 0, inUse: 3 });
  await held.publish('c', 'still here');
  await held.rpush('list', 'popped');
  expect(await popped).toEqual(['list', 'popped']);
  await until('it is heard', () => heard === 'still here');
  held.release();
  await pool.close({ graceMs: 0 });
});
