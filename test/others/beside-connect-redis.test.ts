import { RedisStore as RedisStore8 } from 'connect-redis8';
import { RedisStore as RedisStore9 } from 'connect-redis9';
import { RedisStore as RedisStore10 } from 'connect-redis10';
import express from 'express';
import session from 'express-session';
import Koa from 'koa';
import koaSession from 'koa-session';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  koaSessionStore,
  nodeRedisView,
  PoolSessionStore,
  type PoolSessionStoreOptions,
} from '../../src/integrations/session/index.ts';
import { useServer } from '../helpers/redis.ts';
import { serve, Visitor } from '../helpers/web.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

/** The methods of both that are compared, as promises. */
interface Store extends session.Store {
  get(sid: string): Promise<unknown>;
  set(sid: string, data: object): Promise<unknown>;
  touch(sid: string, data: object): Promise<unknown>;
  destroy(sid: string): Promise<unknown>;
  all(): Promise<unknown>;
  ids(): Promise<string[]>;
  length(): Promise<number>;
}

type Make = (options: PoolSessionStoreOptions) => Store;
const THEIRS: [string, Make][] = [
  ['8', (options) => new RedisStore8({ client: server.pool().redis, ...options } as never) as never],
  ['9', (options) => new RedisStore9({ client: nodeRedisView(server.pool()), ...options } as never) as never],
  [
    '10',
    (options) => new RedisStore10({ client: nodeRedisView(server.pool()), ...options } as never) as never,
  ],
];
const ours: Make = (options) => new PoolSessionStore({ pool: server.pool(), ...options }) as never;

const inSeconds = (seconds: number): Date => new Date(Date.now() + seconds * 1000);

/** What is stored of a session, and for about how long. */
async function kept(key: string): Promise<unknown> {
  const [text, ttl] = [await server.observer.get(key), await server.observer.ttl(key)];
  return { text, ttl: ttl < 0 ? ttl : Math.ceil(ttl / 100) };
}

/** Without the moments, which one has a little later than the other. */
const undated = (text: string): string =>
  text.replace(/[-\d]{10}T[\d:.]+Z/g, 'a date').replace(/("originalMaxAge":)-?[\d.]+/g, '$1a time');

describe.each(THEIRS)('as connect-redis %s does', (_, theirs) => {
  const always = { cookie: { originalMaxAge: null } };
  test.each<[string, PoolSessionStoreOptions, () => object]>([
    ['without an end', {}, () => always],
    ['with an end', {}, () => ({ cookie: { expires: inSeconds(500) } })],
    ['with an end as text', {}, () => ({ cookie: { expires: inSeconds(500).toISOString() } })],
    ['with an end that is null', { ttl: 300 }, () => ({ cookie: { expires: null } })],
    ['that has ended', {}, () => ({ cookie: { expires: inSeconds(-5) } })],
    ['without a cookie', { ttl: 300 }, () => ({ n: 1 })],
    ['with a ttl of its own', { ttl: ({ n }: { n: number }) => n } as never, () => ({ n: 200, ...always })],
    ['with a ttl of 0', { ttl: () => 0 }, () => always],
    ['with a ttl below 0', { ttl: () => -1 }, () => always],
    ['with disableTTL', { disableTTL: true }, () => ({ cookie: { expires: inSeconds(500) } })],
    ['with disableTTL, ended', { disableTTL: true }, () => ({ cookie: { expires: inSeconds(-5) } })],
    ['with disableTTL, ended by ttl', { disableTTL: true, ttl: () => 0 }, () => always],
    ['with disableTouch', { disableTouch: true }, () => ({ cookie: { expires: inSeconds(500) } })],
  ])('a session %s is stored and touched', async (_, options, make) => {
    const outcomes = [];
    for (const store of [theirs({ prefix: 'a:', ...options }), ours({ prefix: 'a:', ...options })]) {
      await server.observer.set('a:s', '{"old":1}', 'EX', 100);
      await store.set('s', make());
      const stored = await kept('a:s');
      await server.observer.expire('a:s', 50);
      await store.touch('s', make());
      outcomes.push({ stored, touched: await kept('a:s'), got: await store.get('s') });
      await store.destroy('s');
      expect(await server.observer.dbsize()).toBe(0);
    }
    const [first, second] = outcomes.map((outcome) => JSON.parse(JSON.stringify(outcome)));
    expect(undated(JSON.stringify(second))).toBe(undated(JSON.stringify(first)));
  });

  test('ids of whatever characters are ids', async () => {
    const sids = ['', 'a b', '*', '[a]', 'é ✓', '{x}', 'a\0b', '__proto__', 'x'.repeat(500), 'a:s', '\\'];
    const outcomes = [];
    for (const store of [theirs({}), ours({})]) {
      for (const [i, sid] of sids.entries()) await store.set(sid, { i, ...always });
      const read = await Promise.all(sids.map((sid) => store.get(sid)));
      outcomes.push({ read, ids: (await store.ids()).sort(), length: await store.length() });
      await server.observer.flushall();
    }
    expect(outcomes[1]).toEqual(outcomes[0]);
  });

  test.each(['', 'null', '0', 'false', '""'])('%j stored is no session', async (text) => {
    await server.observer.set('sess:s', text);
    for (const store of [theirs({}), ours({})]) expect((await store.get('s')) || null).toBeNull();
  });

  test('bytes of a serializer are stored, and read', async () => {
    const serializer = {
      stringify: (data: object) => Buffer.from(JSON.stringify(data)),
      parse: (text: string) => JSON.parse(text),
    };
    for (const store of [theirs({ serializer }), ours({ serializer })]) {
      await store.set('s', { n: 'é', ...always });
      expect(await server.observer.get('sess:s')).toBe(JSON.stringify({ n: 'é', ...always }));
      expect(await store.get('s')).toEqual({ n: 'é', ...always });
      expect(await store.all()).toEqual([{ id: 's', n: 'é', ...always }]);
    }
  });

  /** An app that tells what its session has. */
  async function appOn(store: Store, options: Partial<session.SessionOptions> = {}): Promise<string> {
    const app = express();
    const eager = { resave: true, saveUninitialized: true, rolling: true };
    app.use(session({ store, secret: 'test', ...eager, ...options }));
    app.get('/', (request, response) => void response.send(JSON.stringify(request.session)));
    app.use(((_error, _request, response, _next) => {
      response.status(500).send('error');
    }) satisfies express.ErrorRequestHandler);
    return serve(app);
  }

  const NO_SESSIONS = [
    ...['', 'null', '5', '0', '[1,2]', 'true', '"text"', '{}', '{"n":1}'],
    ...['{"cookie":"text","n":1}', '{"cookie":null,"n":1}', '{"cookie":5,"n":1}'],
  ];
  test.each(NO_SESSIONS)('%s, stored and no session, is left alone, and no error', async (text) => {
    for (const [whose, store] of [['theirs', theirs({})] as const, ['ours', ours({})] as const]) {
      await server.observer.flushall();
      const visitor = new Visitor(await appOn(store));
      expect(await visitor.ask('/')).toMatch(/^200 /);
      const [key = ''] = await server.observer.keys('*');
      await server.observer.set(key, text);
      const answer = await visitor.ask('/');
      expect(await server.observer.get(key)).toBe(text);
      if (whose === 'theirs') continue; // which answers some with an error
      expect(answer).toBe('200 {"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}}');
      expect(await server.observer.dbsize()).toBe(2);
    }
  });

  test.each([-1, 0, 0.5, 86_400_000 / 7])('cookies with a maxAge of %d are answered', async (maxAge) => {
    const answers = [];
    for (const store of [theirs({}), ours({})]) {
      const visitor = new Visitor(await appOn(store, { cookie: { maxAge } }));
      const asked = [await visitor.ask('/'), await visitor.ask('/')];
      answers.push(asked.map(undated));
    }
    expect(answers[1]).toEqual(answers[0]);
  });

  test.each([
    { data: 5 },
    { originalMaxAge: null, expires: null },
    { originalMaxAge: 60_000, expires: '2099-01-01T00:00:00.000Z', sameSite: 'lax', priority: 'high' },
    { originalMaxAge: 0.5, expires: '2099-01-01T00:00:00.000Z' },
    { maxAge: 70_000 },
    { expires: '2099-01-01T00:00:00.000Z' },
    { maxAge: 'text' },
    { unknown: 1, partitioned: true, domain: 'example.org' },
  ])('a session with the cookie %j is answered', async (cookie) => {
    const answers = [];
    for (const store of [theirs({}), ours({})]) {
      await server.observer.flushall();
      const visitor = new Visitor(await appOn(store));
      await visitor.ask('/');
      const [key = ''] = await server.observer.keys('*');
      await server.observer.set(key, JSON.stringify({ n: 1, cookie }));
      const answer = await visitor.ask('/');
      answers.push(undated(answer));
      if (answer.startsWith('200')) expect(answer).toContain('"n":1');
    }
    expect(answers[1]).toBe(answers[0]);
  });
});

test.each(['', 'null', '5', '[1,2]', 'true'])(
  'to koa-session %s is no session, and left alone',
  async (text) => {
    const app = new Koa();
    app.keys = ['test'];
    app.use(koaSession({ store: koaSessionStore(server.pool()), rolling: true }, app));
    app.use((context) => {
      const own = context['session'] as { visits?: number };
      own.visits = (own.visits ?? 0) + 1;
      context.body = `${own.visits}`;
    });
    const visitor = new Visitor(await serve(app.callback()));
    expect(await visitor.ask('/')).toBe('200 1');
    const [key = ''] = await server.observer.keys('*');
    await server.observer.set(key, text);
    expect(await visitor.ask('/')).toBe('200 1');
    expect(await server.observer.get(key)).toBe(text);
    expect(await visitor.ask('/')).toBe('200 2');
  },
);
