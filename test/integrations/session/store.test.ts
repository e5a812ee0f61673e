import { deserialize, serialize } from 'node:v8';
import { beforeEach, describe, expect, test } from 'vitest';
import { PoolSessionStore, type PoolSessionStoreOptions } from '../../../src/integrations/session/index.ts';
import { times } from '../../helpers/outcomes.ts';
import { poolErrorOf, until, useServer } from '../../helpers/redis.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

const cookie = { originalMaxAge: null };
const inSeconds = (seconds: number) => ({ cookie: { expires: new Date(Date.now() + seconds * 1000) } });

/** A store on a small pool that is closed with the test. */
const storeOf = (options: PoolSessionStoreOptions = {}): PoolSessionStore =>
  new PoolSessionStore({ pool: server.pool({ maxActive: 3 }), ...options });

describe('a session', () => {
  test('is stored, read, and gone when it was destroyed', async () => {
    const store = storeOf();
    const session = { cookie, user: 'ann', unicode: 'ключ ✓' };
    await store.set('a', session);
    expect(await server.observer.get('sess:a')).toBe(JSON.stringify(session));
    expect(await store.get('a')).toEqual(session);
    await store.destroy('a');
    expect(await store.get('a')).toBeNull();
    await store.destroy('a');
  });

  test('lives as long as its cookie; or for ttl, where that has no end; or as the function says', async () => {
    const ttlOf = (key: string) => server.observer.ttl(`sess:${key}`);
    const store = storeOf({ ttl: 500 });
    await store.set('cookie', inSeconds(100));
    await store.set('text', { cookie: { expires: new Date(Date.now() + 200_000).toISOString() } });
    await store.set('browser', { cookie });
    await store.set('none', {});
    await storeOf({ ttl: ({ n }: { n: number }) => n * 10 }).set('function', { n: 30, ...inSeconds(9) });
    await storeOf({ disableTTL: true }).set('ever', inSeconds(100));
    await storeOf().set('default', { cookie });
    const left = await Promise.all(
      ['cookie', 'text', 'browser', 'none', 'function', 'ever', 'default'].map(ttlOf),
    );
    const wanted = [100, 200, 500, 500, 300, -1, 86_400];
    for (const [i, ttl] of left.entries()) expect(Math.abs(ttl - (wanted[i] ?? 0)), `${i}`).toBeLessThan(30);
  });

  test('that has ended is not stored, and what was stored of it is destroyed', async () => {
    const store = storeOf();
    await store.set('a', { cookie });
    await store.set('a', inSeconds(-1));
    expect(await store.get('a')).toBeNull();
  });

  test('is made to live on by touch, which does not write it', async () => {
    const store = storeOf();
    await store.set('a', inSeconds(50));
    await server.observer.set('sess:a', 'as it was', 'KEEPTTL');
    await store.touch('a', inSeconds(900));
    expect(await server.observer.ttl('sess:a')).toBeGreaterThan(800);
    expect(await server.observer.get('sess:a')).toBe('as it was');
    await store.touch('nobody', inSeconds(900));
    expect(await server.observer.exists('sess:nobody')).toBe(0);
  });

  test('is not, with disableTouch or disableTTL', async () => {
    await storeOf().set('a', inSeconds(50));
    await storeOf({ disableTouch: true }).touch('a', inSeconds(900));
    await storeOf({ disableTTL: true }).touch('a', inSeconds(900));
    expect(await server.observer.ttl('sess:a')).toBeLessThan(60);
  });

  test('for ever, is one that ttl lets live beyond all dates, and it loses the end that it had', async () => {
    for (const ttl of [Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER, 1e300]) {
      await storeOf({ ttl: () => ttl }).set('a', {});
      expect(await server.observer.ttl('sess:a')).toBe(-1);
      await storeOf().set('a', inSeconds(50));
      await storeOf({ ttl: () => ttl }).touch('a', {});
      expect(await server.observer.ttl('sess:a')).toBe(-1);
    }
    for (const ttl of [Number.MAX_SAFE_INTEGER, 1e300]) await storeOf({ ttl }).set('a', {});
    expect(await server.observer.ttl('sess:a')).toBe(-1);
    await storeOf({ ttl: () => 10.0004 }).set('a', {});
    expect(await server.observer.pttl('sess:a')).toBeGreaterThan(0);
  });

  test('may be made bytes, which a parser has back as they were', async () => {
    const given: unknown[] = [];
    const parse = (stored: Buffer): unknown => {
      given.push(stored);
      return deserialize(stored);
    };
    const makers = [
      serialize,
      (own: object) => new Uint8Array(serialize(own)),
      async (own: object) => serialize(own),
    ];
    for (const stringify of makers) {
      const store = storeOf({ serializer: { parse, stringify } });
      const session = { n: new Map([[1, 'é']]) };
      await store.set('a', session);
      expect(await server.observer.getBuffer('sess:a')).toEqual(serialize(session));
      expect(await store.get('a')).toEqual(session);
      expect(await store.all()).toEqual([{ ...session, id: 'a' }]);
      await store.touch('a', session);
    }
    expect(given.every((stored) => Buffer.isBuffer(stored))).toBe(true);
    await expect(
      storeOf({ maxLength: 5, serializer: { parse, stringify: serialize } }).set('a', { text: 'long' }),
    ).rejects.toThrow(/bytes is not stored/);
  });

  test('goes through the serializer, which may take its time', async () => {
    const serializer = {
      stringify: async (session: object) => Buffer.from(JSON.stringify(session)).toString('base64'),
      parse: async (text: string) => JSON.parse(Buffer.from(text, 'base64').toString()),
    };
    const store = storeOf({ serializer });
    await store.set('a', { n: 1 });
    expect(await server.observer.get('sess:a')).toBe('eyJuIjoxfQ==');
    expect(await store.get('a')).toEqual({ n: 1 });
    expect(await store.all()).toEqual([{ id: 'a', n: 1 }]);
  });
});

describe('bad input', () => {
  test('a stored session that cannot be read is an error that quotes nothing of it; the others are not harmed', async () => {
    const store = storeOf();
    await server.observer.set('sess:bad', '{"secret');
    await store.set('good', { n: 1 });
    const error = await store.get('bad').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SyntaxError);
    expect(String(error)).toMatch(/cannot be read/);
    expect(String(error)).not.toMatch(/secret/);
    expect(await store.get('good')).toEqual({ n: 1 });
    await store.destroy('bad');
    expect(await store.get('bad')).toBeNull();
  });

  test('a session that is too long is not stored, and the error names its size', async () => {
    const store = storeOf({ maxLength: 100 });
    await store.set('a', { n: 1 });
    await expect(store.set('a', { text: 'é'.repeat(60) })).rejects.toThrow(
      'a session of 131 bytes is not stored: at most 100 are allowed (maxLength)',
    );
    expect(await store.get('a')).toEqual({ n: 1 });
    await expect(storeOf().set('a', { text: 'x'.repeat(70_000) })).rejects.toThrow(/65536/);
    await storeOf({ maxLength: Number.POSITIVE_INFINITY }).set('a', { text: 'x'.repeat(70_000) });
  });

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [5, 'number'],
    [{}, 'Object'],
    [['a'], 'Array'],
    [Promise.resolve({}), 'Object'],
    [new ArrayBuffer(1), 'ArrayBuffer'],
  ])('a serializer that makes %o of a session is an error that says so', async (made, kind) => {
    const store = storeOf({ serializer: { parse: JSON.parse, stringify: () => made as never } });
    await expect(store.set('a', {})).rejects.toThrow(
      `the serializer must make a string or a Buffer of a session, and made ${kind}`,
    );
    expect(await server.observer.dbsize()).toBe(0);
  });

  test('what is stored and no session is none, and is left out of all of them', async () => {
    const store = storeOf();
    const none = ['', 'null', '5', '[1,2]', 'true', '"text"'];
    for (const [i, text] of none.entries()) await server.observer.set(`sess:${i}`, text);
    await store.set('a', { n: 1 });
    for (const i of none.keys()) expect(await store.get(`${i}`)).toBeNull();
    expect(await store.all()).toEqual([{ id: 'a', n: 1 }]);
    expect(await store.length()).toBe(7);
  });

  test('a serializer that throws, or makes no text, and a ttl that is none, are errors and no exceptions', async () => {
    const throwing = () => {
      throw new Error('mine');
    };
    await expect(
      storeOf({ serializer: { parse: JSON.parse, stringify: throwing } }).set('a', {}),
    ).rejects.toThrow('mine');
    await expect(
      storeOf({ serializer: { parse: JSON.parse, stringify: () => 5 as never } }).set('a', {}),
    ).rejects.toThrow(/number/);
    await expect(storeOf({ ttl: () => Number.NaN }).set('a', {})).rejects.toThrow(/ttl/);
    await expect(storeOf({ ttl: throwing }).touch('a', {})).rejects.toThrow('mine');
    await expect(storeOf().set('a', { cookie: { expires: 'never' } })).rejects.toThrow(/cookie.expires/);
  });

  test.each([
    [{ prefix: 5 }, /prefix must be a string, got 5/],
    [{ ttl: 0 }, /ttl must be a number of seconds above 0, or a function, got 0/],
    [{ ttl: '60' }, /ttl must be/],
    [{ serializer: { parse: JSON.parse } }, /serializer must be an object with parse and stringify/],
    [{ maxLength: 0 }, /maxLength must be an integer of at least 1, or Infinity, got 0/],
    [{ scanCount: 1.5 }, /scanCount must be an integer of at least 1, got 1.5/],
    [{ disableTTL: 1 }, /disableTTL must be true or false, got 1/],
    [{ disableTtl: true }, /unknown option `disableTtl`, did you mean `disableTTL`/],
    [{ client: {} }, /unknown option `client`/],
    [{ failOpen: 'yes' }, /failOpen must be true or false, got 'yes'/],
    [{ pool: 5 }, /pool must be a pool, its options or a URL, got 5/],
    [{ pool: { maxActive: 0 } }, /maxActive must be an integer of at least 1, got 0/],
  ])('%o is refused', (options, message) => {
    expect(() => new PoolSessionStore(options as PoolSessionStoreOptions)).toThrow(message);
  });
});

describe('all sessions', () => {
  test('are found, each once, whatever the steps, and none of others', async () => {
    const store = storeOf({ scanCount: 7, prefix: 'a[*]?\\:' });
    await Promise.all(times(300, (n) => store.set(`${n}`, { n })));
    await server.observer.set('a*other', 'not ours');
    await server.observer.set('ax:1', 'nor this');
    expect(await store.length()).toBe(300);
    expect(new Set(await store.ids())).toEqual(new Set(times(300, String)));
    const all = (await store.all()) as { id: string; n: number }[];
    expect(all).toHaveLength(300);
    expect(all.every(({ id, n }) => id === String(n))).toBe(true);
    await store.clear();
    expect(await store.all()).toEqual([]);
    expect(await server.observer.dbsize()).toBe(2);
  });

  test('are found under a keyPrefix too', async () => {
    const pool = server.pool({ redis: { port: server.port, keyPrefix: 'app:' } });
    const store = new PoolSessionStore({ pool });
    await store.set('a', { n: 1 });
    await server.observer.set('sess:b', '{}');
    expect(await server.observer.exists('app:sess:a')).toBe(1);
    expect(await store.all()).toEqual([{ id: 'a', n: 1 }]);
    await store.clear();
    expect(await server.observer.keys('*')).toEqual(['sess:b']);
  });
});

describe('callbacks', () => {
  test('are called once, after the call, with what the promise gives too', async () => {
    const store = storeOf();
    const calls: unknown[] = [];
    const note = (...args: unknown[]) => void calls.push(args);
    const promise = store.set('a', { n: 1 }, note);
    expect(calls).toEqual([]);
    await promise;
    await store.get('a', note);
    await store.length(note);
    await store.destroy('a', note);
    await store.get('a', note);
    await until('all were called', () => calls.length === 5);
    expect(calls).toEqual([
      [null, undefined],
      [null, { n: 1 }],
      [null, 1],
      [null, undefined],
      [null, null],
    ]);
  });

  test('get an error, and nobody has to handle the promise', async () => {
    const store = storeOf({ maxLength: 5 });
    const error = await new Promise((resolve) => void store.set('a', { long: 'text' }, resolve));
    expect(error).toBeInstanceOf(RangeError);
  });

  test('that throw are called once: it is an uncaught exception, and no second call', async () => {
    const store = storeOf();
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
    let calls = 0;
    void store.get('a', () => {
      calls++;
      throw new Error('mine');
    });
    expect(await thrown).toMatchObject({ message: 'mine' });
    for (const listener of before) process.on('uncaughtException', listener);
    await store.get('a');
    expect(calls).toBe(1);
  });
});

describe('its pool', () => {
  test('that it made from options or from a URL, is closed with it', async () => {
    for (const pool of [{ redis: server.url, name: 'own', maxActive: 2 }, server.url]) {
      const store = new PoolSessionStore({ pool });
      await store.set('a', {});
      expect(store.pool.stats().total).toBe(1);
      await store.close();
      expect(store.pool.stats().total).toBe(0);
      await poolErrorOf(store.get('a'), 'POOL_CLOSED');
    }
  });

  test('that it was given goes on', async () => {
    const pool = server.pool();
    const store = new PoolSessionStore({ pool });
    await store.close();
    expect(await pool.redis.ping()).toBe('PONG');
    await pool.close();
    await poolErrorOf(store.set('a', {}), 'POOL_CLOSED');
  });
});
