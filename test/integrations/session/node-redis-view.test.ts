import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nodeRedisView, type SetOptions } from '../../../src/integrations/session/index.ts';
import { times } from '../../helpers/outcomes.ts';
import { poolErrorOf, useServer } from '../../helpers/redis.ts';

const server = useServer();
type Client = ReturnType<typeof createClient>;
let client: Client;
beforeAll(async () => {
  client = createClient({ url: server.url });
  await client.connect();
});
afterAll(() => client.close());
beforeEach(() => server.observer.flushall());

const view = () => nodeRedisView(server.pool({ maxActive: 2 }));

/** What both answer, or that they refuse. */
async function both(ask: (client: Client) => unknown): Promise<[unknown, unknown]> {
  const answers: unknown[] = [];
  for (const one of [client, view() as unknown as Client]) {
    await server.observer.flushall();
    await server.observer.set('there', 'before', 'EX', 300);
    const answer = await Promise.resolve(ask(one)).catch(() => 'refused');
    const left = [];
    for (const key of ['there', 'new']) {
      const ttl = await server.observer.ttl(key);
      left.push(await server.observer.get(key), ttl < 0 ? ttl : Math.ceil(ttl / 50));
    }
    answers.push([answer, ...left]);
  }
  return answers as [unknown, unknown];
}

const at = Math.floor(Date.now() / 1000) + 600;
const SET: (SetOptions | null | undefined)[] = [
  ...[undefined, null, {}, { EX: undefined }],
  ...[{ EX: 60 }, { PX: 60_000 }, { EXAT: at }, { PXAT: at * 1000 }, { KEEPTTL: true }, { KEEPTTL: false }],
  ...[{ NX: true }, { XX: true }, { GET: true }, { NX: false }, { XX: true, GET: true, EX: 60 }],
  ...(['EX', 'PX', 'EXAT', 'PXAT'] as const).map((type) => ({
    expiration: { type, value: { EX: 60, PX: 60_000, EXAT: at, PXAT: at * 1000 }[type] },
  })),
  ...[{ expiration: 'KEEPTTL' as const }, { expiration: { type: 'KEEPTTL' as const } }],
  ...[{ condition: 'NX' as const }, { condition: 'XX' as const, GET: true }],
  ...[
    { EX: 60, PX: 5 },
    { EX: 60, expiration: { type: 'EX' as const, value: 200 } },
    { EX: 60, KEEPTTL: true },
  ],
  ...[{ condition: 'XX' as const, NX: true, EX: 60 }, { EX: 0 }, { EX: -1 }, { EX: 1.5 }],
];

describe('the view does what node-redis does', () => {
  test.each(SET.map((options) => [options]))('set with %o', async (options) => {
    for (const key of ['there', 'new']) {
      const [theirs, ours] = await both((one) => one.set(key, 'value', options as never));
      expect(ours).toEqual(theirs);
    }
  });

  test('numbers and bytes are values', async () => {
    for (const value of [5, 1.5, Buffer.from('bytes')]) {
      const [theirs, ours] = await both((one) => one.set('new', value));
      expect(ours).toEqual(theirs);
    }
  });

  test.each([undefined, 'NX', 'XX', 'GT', 'LT'] as const)('expire with %o', async (mode) => {
    for (const [key, seconds] of [['there', 500] as const, ['there', 50] as const, ['new', 50] as const]) {
      const [theirs, ours] = await both((one) => one.expire(key, seconds, mode));
      expect(ours).toEqual(theirs);
    }
  });

  test('del and mGet, of one and of several', async () => {
    const asks: ((one: Client) => unknown)[] = [
      (one) => one.del('there'),
      (one) => one.del(['there', 'new']),
      (one) => one.del([]),
      (one) => one.mGet(['there', 'new']),
      (one) => one.mGet([]),
      (one) => one.get('new'),
    ];
    for (const ask of asks) {
      const [theirs, ours] = await both(ask);
      expect(ours).toEqual(theirs);
    }
  });

  test.each([
    undefined,
    {},
    { MATCH: 'a:*' },
    { MATCH: 'a:*', COUNT: 3 },
    { COUNT: 0 },
    { TYPE: 'hash' },
    { cursor: '0', MATCH: undefined },
  ])('scanIterator with %o', async (options) => {
    await Promise.all(times(30, (i) => server.observer.set(`a:${i}`, i)));
    await server.observer.hset('a:hash', 'b', 1);
    await server.observer.set('b:1', 1);
    const found = [];
    for (const one of [client, view()]) {
      const keys = new Set<string>();
      for await (const page of (one as Client).scanIterator(options as never))
        for (const key of page) keys.add(key);
      found.push([...keys].sort());
    }
    expect(found[1]).toEqual(found[0]);
  });
});

test('what is not known is refused', async () => {
  const { set, scanIterator } = view();
  const wrong = [{ ex: 60 }, { ttl: 60 }, { expiration: { type: 'ex', value: 60 } }, { condition: 'nx' }];
  for (const options of [...wrong, 60, 'EX']) {
    const error = await poolErrorOf(set('new', 'value', options as never), 'POOL_INVALID_OPTION');
    expect(error.message).toMatch(/of set|must be an object/);
  }
  expect(() => scanIterator({ match: 'a' } as never)).toThrow(
    /unknown option of scanIterator `match`.*`MATCH`/,
  );
  expect(await server.observer.dbsize()).toBe(0);
});

test('a keyPrefix is put before its keys', async () => {
  const pool = server.pool({ redis: { port: server.port, keyPrefix: 'app:' } });
  await nodeRedisView(pool).set('a', 'value', { EX: 60, NX: true });
  expect(await server.observer.ttl('app:a')).toBeGreaterThan(50);
});

test('options of set that are no object are refused in words that can be read', async () => {
  const view = nodeRedisView(server.pool());
  await expect(view.set('k', 'v', 'EX' as never)).rejects.toThrow(
    /^options of set must be an object, got 'EX'$/,
  );
});
