import { expect, test } from 'vitest';
import { freePort } from '../../tools/redis-server.js';
import { Child } from '../helpers/child.ts';
import { until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** Runs a scenario to its end: what it told, and how long after its last word it went on. */
async function run(scenario: string, url = server.url): Promise<{ told: string[]; msAfter: number }> {
  const child = new Child(scenario, url);
  const { code, at, stderr } = await child.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return { told: child.told.map(({ what }) => what), msAfter: at - (child.told.at(-1)?.at ?? 0) };
}

// Long enough for a busy machine, and short enough for any forgotten timer or socket to show.
const AT_ONCE = 900;

test('a pool that was never used does not keep the process', async () => {
  const { told, msAfter } = await run('unused');
  expect(told).toEqual(['done']);
  expect(msAfter).toBeLessThan(AT_ONCE);
});

test.each([
  ['closed', ['done']],
  ['closed while leased', ['POOL_CONNECTION_LOST', 'done']],
  ['closed while dialling', ['POOL_CLOSED', 'done']],
])('a pool that is %s lets the process end at once', async (scenario, moments) => {
  const { told, msAfter } = await run(scenario);
  expect(told).toEqual(moments);
  expect(msAfter).toBeLessThan(AT_ONCE);
  expect(await server.clients()).toEqual([]);
});

test('a pool left open keeps the process while a connection is open, and lets it go with the last idle one', async () => {
  const { told, msAfter } = await run('left open');
  expect(told).toEqual(['done']);
  expect(msAfter).toBeGreaterThan(350);
  expect(msAfter).toBeLessThan(400 + 100 + AT_ONCE);
});

test('a pool left open without a reaper keeps the process until its server hangs up', async () => {
  const child = new Child('left open for ever', server.url);
  await until('it rests', () => child.has('done'));
  const rested = performance.now();
  await until('it goes on', () => performance.now() - rested > 500);
  const [client] = await server.clients('for-ever');
  const killedAt = performance.now();
  await server.killClient(String(client?.['id']));
  const { code, at } = await child.ended;
  expect(code).toBe(0);
  expect(at).toBeGreaterThan(killedAt - 1);
  expect(at - killedAt).toBeLessThan(AT_ONCE);
});

test('a pool that keeps trying to have connections ready does not keep the process', async () => {
  const { told, msAfter } = await run(
    'left alone with a server that is down',
    `redis://127.0.0.1:${await freePort()}`,
  );
  expect(told).toEqual(['ECONNREFUSED', 'done']);
  expect(msAfter).toBeLessThan(AT_ONCE);
});

test('a caller who waits is not forgotten: the process stays until the deadline', async () => {
  const { told } = await run('left waiting');
  expect(told).toEqual(['waiting', 'POOL_ACQUIRE_TIMEOUT', 'done']);
});
