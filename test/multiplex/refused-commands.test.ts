import { describe, expect, onTestFinished, test } from 'vitest';
import type { PoolOptions } from '../../src/index.ts';
import { MockPool } from '../../src/integrations/mock/index.ts';

const KINDS = [
  'LOADING Redis is loading the dataset in memory',
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  'CLUSTERDOWN The cluster is down',
  'TRYAGAIN Multiple keys request during rehashing of slot',
];
const [LOADING = ''] = KINDS;

async function mockPool(options: PoolOptions = {}): Promise<MockPool> {
  const mock = new MockPool(options);
  onTestFinished(() => mock.close({ graceMs: 0 }));
  await mock.ready();
  return mock;
}

/** The commands that came in, without those of a dial. */
const sent = (mock: MockPool): string[] => mock.commands.map(({ name, args }) => [name, ...args].join(' '));

/** Refuses the next command `name`, of key `key` if given. */
function refuse(mock: MockPool, name: string, key: string, times = 1, kind = LOADING): void {
  let left = times;
  mock.reply(name, (first) => (first === key && left-- > 0 ? new Error(kind) : undefined));
}

/** Lets turns go by, so that what is sent is answered. */
const answers = (mock: MockPool): Promise<void> => mock.advance(0);

describe('a command that Redis answers, and does not run', () => {
  test.each(KINDS)('is sent again over the same connection, after a while: %s', async (kind) => {
    const mock = await mockPool();
    refuse(mock, 'set', 'k', 2, kind);
    const set = mock.redis.set('k', 'v');
    await answers(mock);
    expect(sent(mock)).toEqual(['set k v']);
    expect(mock.stats().queuedCommands).toBe(1);
    await mock.advance(49);
    expect(sent(mock)).toHaveLength(1);
    await mock.advance(1);
    expect(sent(mock)).toHaveLength(2);
    await mock.advance(100);
    expect(await set).toBe('OK');
    expect(mock.stats()).toMatchObject({ connected: 1, queuedCommands: 0, inFlight: 0 });
  });

  test('ends with that answer, when the time is over that a command may wait', async () => {
    const mock = await mockPool({ acquireTimeoutMs: 1000 });
    refuse(mock, 'get', 'k', Number.POSITIVE_INFINITY);
    const get = expect(mock.redis.get('k')).rejects.toThrow(LOADING);
    await answers(mock);
    await mock.advance(999);
    expect(mock.stats().queuedCommands).toBe(1);
    const times = sent(mock).length;
    expect(times).toBeGreaterThan(3);
    expect(times).toBeLessThan(8);
    await mock.advance(1);
    await get;
    expect(mock.stats()).toMatchObject({ queuedCommands: 0, timedOut: 0 });
    await mock.advance(5000);
    expect(sent(mock)).toHaveLength(times);
  });

  test('ends with that answer when the pool is closed, or quits when it has run', async () => {
    const closed = await mockPool();
    refuse(closed, 'get', 'k', Number.POSITIVE_INFINITY);
    const get = expect(closed.redis.get('k')).rejects.toThrow(LOADING);
    await answers(closed);
    await closed.close();
    await get;
    const quitting = await mockPool();
    refuse(quitting, 'set', 'k');
    const set = quitting.redis.set('k', 'v');
    await answers(quitting);
    const quit = quitting.redis.quit();
    await quitting.advance(50);
    expect([await set, await quit]).toEqual(['OK', 'OK']);
  });

  test('counts among those that wait, and is refused where these are too many', async () => {
    const mock = await mockPool({ maxQueuedCommands: 1 });
    refuse(mock, 'get', 'k', Number.POSITIVE_INFINITY);
    const first = mock.redis.get('k').catch((error: Error) => error.message);
    await answers(mock);
    await expect(mock.redis.get('other')).rejects.toMatchObject({ code: 'POOL_EXHAUSTED' });
    await mock.close();
    expect(await first).toBe(LOADING);
  });

  test('comes before what is given later and touches the same key; nothing else waits for it', async () => {
    const mock = await mockPool();
    refuse(mock, 'set', 'k');
    const first = mock.redis.set('k', 1);
    await answers(mock);
    const later = [mock.redis.get('k'), mock.redis.append('k', '2'), mock.redis.mget('k', 'x')];
    const other = mock.redis.set('y', 1);
    await answers(mock);
    expect(await other).toBe('OK');
    expect(sent(mock)).toEqual(['set k 1', 'set y 1']);
    await mock.advance(50);
    expect(await first).toBe('OK');
    expect(await Promise.all(later)).toEqual(['1', 2, ['12', null]]);
  });

  test('keeps its place among those that were refused with it', async () => {
    const mock = await mockPool();
    refuse(mock, 'append', 'k', 3);
    const all = ['1', '2', '3', '4'].map((one) =>
      mock.redis.append('k', one).catch((error: Error) => error.message),
    );
    await answers(mock);
    // The fourth ran: to send the others now would put them behind it.
    expect(await Promise.all(all)).toEqual([LOADING, LOADING, LOADING, 1]);
    refuse(mock, 'append', 'l', 3);
    const three = ['1', '2', '3'].map((one) => mock.redis.append('l', one));
    await answers(mock);
    await mock.advance(50);
    expect(await Promise.all(three)).toEqual([1, 2, 3]);
    const get = mock.redis.get('l');
    await answers(mock);
    expect(await get).toBe('123');
  });

  test('is too late where something ran behind it that touches the same key, though it only reads', async () => {
    const mock = await mockPool();
    refuse(mock, 'set', 'k');
    const set = mock.redis.set('k', 1).catch((error: Error) => error.message);
    const get = mock.redis.get('k');
    await answers(mock);
    expect(await Promise.all([set, get])).toEqual([LOADING, null]);
    expect(sent(mock)).toEqual(['set k 1', 'get k']);
  });

  test('works with callbacks, bytes, converted arguments and replies, and scripts', async () => {
    const mock = await mockPool();
    for (const name of ['set', 'get', 'hgetall', 'hset', 'eval']) mock.replyOnce(name, new Error(LOADING));
    mock.reply('eval', (_script, _keys, key) => `ran ${key}`);
    mock.redis.defineCommand('mine', { lua: 'return KEYS[1]', numberOfKeys: 1 });
    const called = new Promise((resolve) =>
      mock.redis.set('b', Buffer.of(0, 255), (_, reply) => resolve(reply)),
    );
    const hset = mock.redis.hset('h', { a: '1' });
    const mine = (mock.redis as unknown as { mine(key: string): Promise<string> }).mine('k');
    await answers(mock);
    await mock.advance(50);
    expect(await Promise.all([called, hset, mine])).toEqual(['OK', 1, 'ran k']);
    const bytes = mock.redis.getBuffer('b');
    const all = mock.redis.hgetall('h');
    await answers(mock);
    await mock.advance(50);
    expect(await Promise.all([bytes, all])).toEqual([Buffer.of(0, 255), { a: '1' }]);
  });

  test('of a pipeline is sent again with all of it, and not if something of it has run', async () => {
    const mock = await mockPool();
    refuse(mock, 'set', 'a');
    refuse(mock, 'get', 'a');
    const whole = mock.redis.pipeline().set('a', 1).get('a').exec();
    await answers(mock);
    await mock.advance(50);
    expect(await whole).toEqual([
      [null, 'OK'],
      [null, '1'],
    ]);
    refuse(mock, 'set', 'b');
    const part = mock.redis.pipeline().set('b', 1).get('a').exec();
    await answers(mock);
    expect(await part).toEqual([[expect.objectContaining({ message: LOADING })], [null, '1']]);
    await mock.advance(1000);
    expect(sent(mock).filter((one) => one === 'set b 1')).toHaveLength(1);
  });

  test('over a lease is told at once', async () => {
    const mock = await mockPool();
    refuse(mock, 'set', 'k');
    await expect(mock.use((redis) => redis.set('k', 1))).rejects.toThrow(LOADING);
  });

  test('is sent again in one piece with others, over several lanes too', async () => {
    const mock = await mockPool({ maxInFlight: 50, maxLanes: 3 });
    let loading = true;
    mock.reply('incr', () => (loading ? new Error(LOADING) : undefined));
    const all = Array.from({ length: 200 }, (_, i) => mock.redis.incr(`n${i % 20}`));
    for (let i = 0; i < 20; i++) await mock.advance(50);
    loading = false;
    for (let i = 0; i < 20; i++) await mock.advance(50);
    expect(await Promise.all(all)).toEqual(Array.from({ length: 200 }, (_, i) => Math.floor(i / 20) + 1));
    expect(mock.stats()).toMatchObject({ queuedCommands: 0, inFlight: 0, waiting: 0 });
  });
});
