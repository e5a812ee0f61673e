import { RedisStore } from 'connect-redis8';
import express from 'express';
import session from 'express-session';
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, test } from 'vitest';
import { times } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';
import { serve, Visitor } from '../helpers/web.ts';
import { BURST, burst, onPool, tally, throughOutage } from './helpers.ts';

declare module 'express-session' {
  interface SessionData {
    visitor?: string;
    visits?: number;
  }
}

const server = useServer();
beforeEach(() => server.observer.flushall());

/** An app with sessions in Redis, and visitors who have none yet. */
async function visitorsOf(redis: Redis): Promise<Visitor[]> {
  const app = express();
  const store = new RedisStore({ client: redis, ttl: 1000 });
  app.use(session({ store, secret: 'test', resave: false, saveUninitialized: false }));
  app.get('/login/:name', (request, response, next) => {
    request.session.regenerate((error) => {
      if (error) return next(error);
      request.session.visitor = request.params.name;
      request.session.visits = 0;
      response.send('welcome');
    });
  });
  app.get('/visit', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.send(`${request.session.visits}`);
  });
  app.get('/logout', (request, response, next) => {
    request.session.destroy((error) => (error ? next(error) : response.send('bye')));
  });
  app.get('/', (request, response) => void response.send(request.session.visitor ?? 'nobody'));
  const url = await serve(app);
  return times(BURST, () => new Visitor(url));
}

describe('connect-redis 8 under express-session', () => {
  test('each user has a separate session, from login to logout', { timeout: 60_000 }, () =>
    onPool(server, async (redis) => {
      const visitors = await visitorsOf(redis);
      const all = (path: (i: number) => string) =>
        Promise.all(visitors.map((visitor, i) => visitor.ask(path(i))));
      const names = visitors.map((_, i) => `200 visitor-${i}`);
      expect(tally(await all(() => '/'))).toEqual({ '200 nobody': BURST });
      expect(await server.observer.dbsize()).toBe(0);
      expect(tally(await all((i) => `/login/visitor-${i}`))).toEqual({ '200 welcome': BURST });
      expect(await all(() => '/')).toEqual(names);
      for (const visit of [1, 2])
        expect(tally(await all(() => '/visit'))).toEqual({ [`200 ${visit}`]: BURST });
      expect(await all(() => '/')).toEqual(names);
      expect(await server.observer.dbsize()).toBe(BURST);
      expect(tally(await all((i) => (i % 2 ? '/logout' : '/visit')))).toMatchObject({ '200 bye': BURST / 2 });
      expect(await all(() => '/')).toEqual(names.map((name, i) => (i % 2 ? '200 nobody' : name)));
      expect(await server.observer.dbsize()).toBe(BURST / 2);
    }),
  );

  test('a request that only reads makes its session live on', () =>
    onPool(server, async (redis) => {
      const visitors = await visitorsOf(redis);
      await Promise.all(visitors.map((visitor, i) => visitor.ask(`/login/${i}`)));
      const keys = await server.observer.keys('sess:*');
      await Promise.all(keys.map((key) => server.observer.expire(key, 500)));
      await Promise.all(visitors.map((visitor) => visitor.ask('/')));
      const left = await Promise.all(keys.map((key) => server.observer.ttl(key)));
      expect(left).toHaveLength(BURST);
      expect(Math.min(...left)).toBeGreaterThan(900);
    }));
});

describe('the store of connect-redis 8 by itself', () => {
  const cookie = { originalMaxAge: null };
  const data = (i: number): session.SessionData => ({ cookie, visitor: `${i}` });
  const sids = times(BURST, (i) => `sid-${i}`);

  /** A store that needs many a SCAN to find all, over whatever connections. */
  const storeOn = (client: Redis): RedisStore => new RedisStore({ client, prefix: 'store:', scanCount: 10 });

  test('length, ids and all find every session, and clear removes them and nothing else', () =>
    onPool(server, async (redis) => {
      const store = storeOn(redis);
      await burst((i) => store.set(`sid-${i}`, data(i)));
      await redis.set('other', 'kept');
      const [length, ids, all] = await Promise.all([
        store.length(),
        store.ids(),
        store.all(),
        burst((i) => store.touch(`sid-${i}`, data(i))),
      ]);
      expect(length).toBe(BURST);
      expect(ids.sort()).toEqual([...sids].sort());
      const found = all as { id: string; visitor: string }[];
      expect(tally(found.map(({ id, visitor }) => id === `sid-${visitor}`))).toEqual({ true: BURST });
      await store.clear();
      expect(await server.observer.keys('*')).toEqual(['other']);
      expect(await store.length()).toBe(0);
      expect(await store.all()).toEqual([]);
    }));

  test('get, set, touch and destroy call back, as express-session wants it', () =>
    onPool(server, async (redis) => {
      const store = storeOn(redis);
      const called = (
        call: (done: (error?: unknown, found?: unknown) => void) => unknown,
      ): Promise<unknown> =>
        new Promise((resolve, reject) => call((error, found) => (error ? reject(error) : resolve(found))));
      await burst((i) => called((done) => store.set(`sid-${i}`, data(i), done)));
      await server.observer.expire('store:sid-7', 50);
      await burst((i) => called((done) => store.touch(`sid-${i}`, data(i), done)));
      expect(await server.observer.ttl('store:sid-7')).toBeGreaterThan(80_000);
      const found = await burst((i) => called((done) => store.get(`sid-${i}`, done)));
      expect(found).toEqual(sids.map((_, i) => data(i)));
      await burst((i) => called((done) => store.destroy(`sid-${i}`, done)));
      expect(await called((done) => store.get('sid-7', done))).toBeNull();
      expect(await server.observer.dbsize()).toBe(0);
    }));
});

test('the store comes through an outage', () =>
  throughOutage(server, async (redis) => {
    const store = new RedisStore({ client: redis });
    const session = { cookie: { originalMaxAge: null } };
    return async () => {
      await store.set('sid', session);
      expect(await store.get('sid')).toEqual(session);
    };
  }));
