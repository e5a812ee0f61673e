import { describe, expect, type TestContext, test } from 'vitest';
import { freePort } from '../../tools/redis-server.js';
import { Child } from '../helpers/child.ts';
import { until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** Runs a scenario to its end: what it told, and how long after its last word it went on. */
async function run(
  { onTestFinished }: TestContext,
  scenario: string,
  url = server.url,
): Promise<{ told: string[]; msAfter: number }> {
  const child = new Child(scenario, url);
  onTestFinished(() => child.kill());
  const { code, at, stderr } = await child.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return { told: child.told.map(({ what }) => what), msAfter: at - (child.told.at(-1)?.at ?? 0) };
}

// Long enough for a busy machine, and short enough for any forgotten timer or socket to show: those have a minute.
const AT_ONCE = 30_000;

describe.concurrent('a process with a pool', () => {
  test('a pool that was never used does not keep the process', async (context) => {
    const { told, msAfter } = await run(context, 'unused');
    expect(told).toEqual(['done']);
    expect(msAfter).toBeLessThan(AT_ONCE);
  });

  test('a mock has no timer and no socket, even with a caller that waits', async (context) => {
    const { told } = await run(context, 'mock');
    expect(told).toEqual(['1 waiting, 0 held', 'done']);
  });

  test.for<[string, string[]]>([
    ['closed', ['done']],
    ['closed while leased', ['POOL_CONNECTION_LOST', 'done']],
    ['closed while dialling', ['POOL_CLOSED', 'done']],
    ['closed after a loss', ['broken', 'done']],
  ])('a pool that is %s lets the process end at once', async ([scenario, moments], context) => {
    const { told, msAfter } = await run(context, scenario);
    expect(told).toEqual(moments);
    expect(msAfter).toBeLessThan(AT_ONCE);
    expect(await server.clients(scenario.replaceAll(' ', '-'))).toEqual([]);
  });

  test('a pool left open keeps the process while a connection is open, and lets it go with the last idle one', async (context) => {
    const { told, msAfter } = await run(context, 'left open');
    expect(told).toEqual(['done', 'idle']); // which is why its connection was closed
    expect(msAfter).toBeLessThan(AT_ONCE);
  });

  test('a pool left open without a reaper keeps the process until its server hangs up', async ({
    onTestFinished,
  }) => {
    const child = new Child('left open for ever', server.url);
    onTestFinished(() => child.kill());
    await until('it rests', () => child.has('done'));
    const rested = performance.now();
    await until('it goes on', () => performance.now() - rested > 500);
    const [client] = await server.clients('left-open-for-ever');
    const killedAt = performance.now();
    await server.killClient(String(client?.['id']));
    const { code, at } = await child.ended;
    expect(code).toBe(0);
    expect(at).toBeGreaterThan(killedAt - 1);
    expect(at - killedAt).toBeLessThan(AT_ONCE);
  });

  test('a pool that keeps trying to have connections ready does not keep the process', async (context) => {
    const { told, msAfter } = await run(
      context,
      'left alone with a server that is down',
      `redis://127.0.0.1:${await freePort()}`,
    );
    expect(told).toEqual(['ECONNREFUSED', 'done']);
    expect(msAfter).toBeLessThan(AT_ONCE);
  });

  test('a caller who waits is not forgotten: the process stays until the deadline', async (context) => {
    const { told } = await run(context, 'left waiting');
    expect(told).toEqual(['waiting', 'POOL_ACQUIRE_TIMEOUT', 'done']);
  });
});
