import type { Redis, RedisOptions } from 'ioredis';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { oneTurn } from '../../../src/util/clock.ts';
import { follow, times } from '../../helpers/outcomes.ts';
import { newClient, poolErrorOf, until } from '../../helpers/redis.ts';

function warnings(): () => string[] {
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  onTestFinished(() => warning.mockRestore());
  return () => warning.mock.calls.map(([text]) => String(text));
}

afterEach(() => {
  vi.useRealTimers();
});

test.each([false, true])(
  'close() ends though leases are out, commands unanswered, and fake timers on: %s',
  async (fake) => {
    if (fake) vi.useFakeTimers();
    const mock = new MockPool({ maxActive: 4 });
    const lease = await mock.acquire();
    const blocked = follow(mock.redis.blpop('empty', 0));
    mock.holdReplies();
    const held = follow(mock.redis.incr('n'));
    await oneTurn();
    await mock.close();
    expect([blocked.is, held.is]).toEqual(['POOL_CONNECTION_LOST', 'POOL_CONNECTION_LOST']);
    expect(mock.stats()).toMatchObject({ total: 0 });
    lease.release();
  },
);

test('close() waits for leases that come back by themselves, as after some I/O', async () => {
  const mock = new MockPool();
  const lease = await mock.acquire();
  const closed = mock.close();
  for (let i = 0; i < 20; i++) await new Promise((resolve) => process.nextTick(setImmediate, resolve));
  expect(await lease.set('k', 'v')).toBe('OK');
  lease.release();
  await closed;
  expect(mock.stats()).toMatchObject({ total: 0, closed: { poolClosed: 1 } });
});

test('close() says which leases it did not get back, once; not who asked for no grace, nor if all came back', async () => {
  const told = warnings();
  const leaking = new MockPool();
  const forgetful = () => leaking.acquire();
  await forgetful();
  await Promise.all([leaking.close(), leaking.close()]);
  const asked = new MockPool();
  await asked.acquire();
  await asked.close({ graceMs: 0 });
  const clean = new MockPool();
  (await clean.acquire()).release();
  await clean.close();
  expect(told()).toHaveLength(1);
  expect(told()[0]).toMatch(
    /close\(\) did not get back all leases.*1 not released\nlease of connection 1, acquired\n.*forgetful/s,
  );
});

test.each<[string, (mock: MockPool) => unknown]>([
  ['a blocking command', (mock) => mock.redis.brpop('empty', 0.1)],
  ['one who waits for a connection', (mock) => mock.exhaust().then(() => mock.acquire({ timeoutMs: 100 }))],
  ['a dial', (mock) => mock.delayConnects(100).acquire()],
])('%s that waits for the clock is told of advance(), once', async (_, wait) => {
  const told = warnings();
  const mock = new MockPool();
  onTestFinished(() => mock.close({ graceMs: 0 }));
  const waiting = follow(Promise.resolve(wait(mock)));
  await until('a warning', () => told().length > 0);
  expect(told()).toEqual([expect.stringMatching(/MockPool .*due in 100 ms.*`await mock\.advance\(ms\)`/)]);
  expect(waiting.is).toBe('pending');
  await mock.advance(100);
  expect(waiting.is).not.toBe('pending');
});

test('nothing is said where the time is let pass, nor of what nobody waits for', async () => {
  const told = warnings();
  const knowing = new MockPool();
  const idle = new MockPool();
  await idle.redis.set('k', 'v'); // it has a reaper, and watches over its lanes
  const patient = follow(idle.redis.blpop('empty', 0));
  const waiting = follow(knowing.redis.brpop('empty', 5));
  await knowing.advance(1);
  const stalled = new MockPool();
  const last = follow(stalled.redis.brpop('empty', 0.1));
  await until('the third is told', () => told().length > 0);
  expect(told()).toHaveLength(1);
  expect([patient, waiting, last].map((one) => one.is)).toEqual(times(3, () => 'pending'));
  for (const mock of [knowing, idle, stalled]) await mock.close({ graceMs: 0 });
});

test.each<[string, (mock: MockPool) => () => Promise<unknown>]>([
  ['mock.redis', (mock) => () => mock.redis.get('other')],
  ['a pipeline of it', (mock) => () => mock.redis.pipeline().get('other').exec()],
  [
    'a reference to it',
    ({ redis }) =>
      () =>
        redis.get('other'),
  ],
  ['close()', (mock) => () => mock.close()],
])('a handler that waits for %s, and it for the handler, is told so at once', async (_, asks) => {
  const mock = new MockPool();
  const ask = asks(mock);
  mock.reply('hget', async () => String(await ask()));
  await expect(mock.redis.hget('k', 'f')).rejects.toThrow(
    /^ERR the handler of reply\('hget'\) waits for .*mock\.use/,
  );
});

test('so is one that waits for its own lease; another connection is fine, while there is one', async () => {
  const mock = new MockPool({ maxActive: 2 });
  const lease = await mock.acquire();
  mock.reply('get', () => lease.echo('mine') as Promise<string>);
  await expect(lease.get('k')).rejects.toThrow(/waits for a command over the same connection/);
  expect(await lease.echo('well')).toBe('well');
  mock.reply('get', () => mock.use((other) => other.echo('other')) as Promise<string>);
  expect(await lease.get('k')).toBe('other'); // there is one to spare
  lease.release();
});

test.each<[string, (mock: MockPool) => Promise<unknown>]>([
  ['a connection', (mock) => mock.use((other) => other.echo('other'))],
  ['mock.redis', (mock) => mock.redis.echo('shared')],
])('so is one that waits for %s, where the only connection waits for the handler', async (what, ask) => {
  const mock = new MockPool({ maxActive: 1 });
  mock.reply('get', async () => String(await ask(mock)));
  await expect(mock.use((lease) => lease.get('k'))).rejects.toThrow(`waits for ${what}`);
  await until('what it asked for is done', () => mock.commands.some(({ name }) => name === 'echo'));
  mock.assertNoLeaks();
});

test('a handler may send commands that it does not wait for, and replies keep their order', async () => {
  const mock = new MockPool();
  const lease = await mock.acquire();
  mock.reply('get', (key) => {
    void lease.incr('asked');
    return `value of ${key}`;
  });
  mock.reply('set', async () => {
    void mock.redis.incr('stored');
    return 'OK';
  });
  expect(await Promise.all([lease.get('a'), lease.echo('b')])).toEqual(['value of a', 'b']);
  expect(await mock.redis.set('c', 'd')).toBe('OK');
  mock.reply('get', () => undefined);
  expect(await mock.redis.mget('asked', 'stored')).toEqual(['1', '1']);
  lease.release();
});

test('a createClient that returns one client twice is refused, and the first connection lives on', async () => {
  let only: Redis | undefined;
  const createClient = (options: RedisOptions): Redis => {
    only ??= newClient(options);
    return only;
  };
  const mock = new MockPool({ createClient });
  const lease = await mock.acquire();
  const { cause } = await poolErrorOf(mock.acquire(), 'POOL_CONNECT_FAILED');
  expect((cause as Error).message).toMatch(/returned before/);
  expect(await lease.ping()).toBe('PONG');
  lease.release();
});
