import type express from 'express';
import session from 'express-session';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { ExpressSessions } from '../../../src/integrations/session/express-sessions.ts';
import { PoolSessionStore, type PoolSessionStoreOptions } from '../../../src/integrations/session/index.ts';
import { testPool, until, useServer } from '../../helpers/redis.ts';
import { unheard } from '../../helpers/unheard.ts';
import { Visitor } from '../../helpers/web.ts';
import { serveVisits } from './visits-app.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

const storeOf = (options: PoolSessionStoreOptions = {}): PoolSessionStore =>
  new PoolSessionStore({ pool: server.pool(), ...options });

const load = (store: PoolSessionStore, sid: string): Promise<session.Session & session.SessionData> =>
  new Promise((resolve, reject) =>
    store.load(sid, (error?: unknown, found?: never) => (error ? reject(error) : resolve(found as never))),
  );

/** Options that read the request, as behind a proxy that ends TLS. */
function reading(): Partial<session.SessionOptions> & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    proxy: true,
    genid(request) {
      asked.push(`genid ${request.headers.host === undefined}`);
      return `id-${asked.length}-${request.headers['x-name'] ?? 'nobody'}`;
    },
    cookie: ((request: express.Request) => {
      if (request.headers.host === undefined) asked.push('cookie without a host');
      return { maxAge: 60_000, path: '/' };
    }) as never,
  };
}

describe('sessions are made without asking the app', () => {
  test('one is loaded outside of a request, whatever the options read of a request', async () => {
    const data = { cookie: { originalMaxAge: 60_000, expires: '2099-01-01T00:00:00.000Z' }, visits: 3 };
    const store = storeOf();
    const options = reading();
    await serveVisits(store, options);
    await store.set('a', data);
    let found: Awaited<ReturnType<typeof load>> | undefined;
    expect(
      await unheard(async () => {
        found = await load(store, 'a');
      }),
    ).toEqual([]);
    expect(options.asked).toEqual([]);
    expect(found).toBeInstanceOf((session as unknown as { Session: new () => object }).Session);
    expect(found?.cookie).toBeInstanceOf(session.Cookie);
    expect(found).toMatchObject({ id: 'a', visits: 3 });
    expect(JSON.parse(JSON.stringify(found)).cookie).toMatchObject(data.cookie);
    Object.assign(found ?? {}, { visits: 4 });
    await new Promise((resolve) => found?.save(resolve));
    expect(await load(store, 'a')).toMatchObject({ visits: 4 });
    await new Promise((resolve) => found?.destroy(resolve));
    expect(await load(store, 'a')).toBeUndefined();
  });

  test('and without express-session at work at all', async () => {
    const store = storeOf();
    await store.set('a', { cookie: { originalMaxAge: null }, visits: 1 });
    expect(await load(store, 'a')).toBeInstanceOf((session as unknown as { Session: () => void }).Session);
    expect(await load(store, 'nobody')).toBeUndefined();
    await store.set('b', { visits: 1 });
    expect(await load(store, 'b')).toBeUndefined();
  });

  test('genid is called once for a new visitor, and never for one who comes back, to a new process too', async () => {
    const options = reading();
    const visitor = new Visitor(await serveVisits(storeOf(), options));
    expect(await visitor.ask('/')).toBe('200 1');
    expect(options.asked).toEqual(['genid false']);
    expect(await visitor.ask('/')).toBe('200 2');
    const again = reading();
    visitor.url = await serveVisits(storeOf(), again);
    expect(await visitor.ask('/')).toBe('200 3');
    expect(again.asked).toEqual([]);
  });

  test('a genid that throws harms new visitors alone', async () => {
    const visitor = new Visitor(await serveVisits(storeOf()));
    expect(await visitor.ask('/')).toBe('200 1');
    const genid = (): string => {
      throw new Error('no ids left');
    };
    const url = await serveVisits(storeOf(), { genid });
    visitor.url = url;
    expect(await visitor.ask('/')).toBe('200 2');
    expect(await new Visitor(url).ask('/')).toMatch(/^500/);
  });

  test('a genid that throws when a session is regenerated is an error of that', async () => {
    let ids = 0;
    const genid = (): string => {
      if (ids++ > 0) throw new Error('no ids left');
      return 'first';
    };
    const url = await serveVisits(storeOf(), { genid }, (app) =>
      app.get('/new', (request, response, next) => {
        request.session.regenerate((error) => (error ? next(error) : response.send('new')));
      }),
    );
    const visitor = new Visitor(url);
    expect(await visitor.ask('/')).toBe('200 1');
    let answer: unknown;
    expect(
      await unheard(async () => {
        answer = await visitor.ask('/new');
      }),
    ).toEqual([]);
    expect(answer).toBe('500 no ids left');
  });
});

describe('where the package cannot be found, as in an app that is bundled', () => {
  const Base = session.Store as unknown as new () => session.Store;
  const data = (): never =>
    ({
      cookie: { originalMaxAge: 60_000, expires: '2099-01-01T00:00:00.000Z', sameSite: 'lax', data: 5 },
      visits: 3,
      id: 'taken',
      save: 'taken',
    }) as never;

  /** A request on a store that notes what it is asked for. */
  function requestOf(noted: unknown[]): never {
    const note =
      (name: string) =>
      (...args: unknown[]): void => {
        noted.push([name, ...args.filter((arg) => typeof arg !== 'object' && typeof arg !== 'function')]);
        const done = args.find((arg) => typeof arg === 'function') as
          | ((...results: unknown[]) => void)
          | undefined;
        done?.(null, name === 'get' && args[0] === 'sid' ? data() : undefined);
      };
    const names = ['get', 'set', 'destroy', 'regenerate', 'createSession'];
    const sessionStore = Object.fromEntries(names.map((name) => [name, note(name)]));
    return { sessionID: 'sid', sessionStore } as never;
  }

  test('a session does what one of express-session does', () => {
    const outcomes = [
      (request: never) => new ExpressSessions().revive(request, data()),
      (request: never) => new Base().createSession(request, data()),
    ].map((make) => {
      const noted: unknown[] = [];
      const request = requestOf(noted);
      const made = make(request) as session.Session & session.SessionData;
      const { cookie } = made;
      const seen: unknown[] = [Object.keys(made), JSON.stringify(made), JSON.stringify(cookie), made.id];
      seen.push(Object.keys(cookie).sort(), typeof cookie.maxAge);
      made.touch();
      seen.push(Math.round(((cookie.maxAge as number) - 60_000) / 1000), cookie.expires instanceof Date);
      for (const ms of [undefined, null, false, new Date(2e12), -5]) {
        cookie.maxAge = ms as never;
        seen.push(Math.round(Number(cookie.maxAge) / 1e4), cookie.originalMaxAge === cookie.maxAge);
      }
      expect(() => {
        cookie.maxAge = 'text' as never;
      }).toThrow(TypeError);
      const note = (...args: unknown[]): void => void noted.push(args);
      seen.push(
        [made.save(), made.save(note), made.reload(note), made.regenerate(note)].every((it) => it === made),
      );
      seen.push((request as { session?: unknown }).session === made, made.destroy(note) === made);
      made.destroy(undefined as never);
      return JSON.parse(JSON.stringify({ seen, noted, gone: !(request as { session?: unknown }).session }));
    });
    expect(outcomes[0]).toEqual(outcomes[1]);
  });

  test('the first session that the middleware makes shows how', () => {
    const sessions = new ExpressSessions();
    sessions.learn({});
    sessions.learn({ session: { cookie: {} } });
    const request = { sessionID: 'a' } as never;
    const Session = (session as unknown as { Session: new (request: object, data: object) => never }).Session;
    expect(sessions.revive(request, data())).not.toBeInstanceOf(Session);
    sessions.learn({
      session: new Session(request, { cookie: new (session.Cookie as never as new () => object)() }),
    });
    expect(sessions.revive(request, data())).toBeInstanceOf(Session);
  });
});

describe('nothing that is not taken ends the process', () => {
  test('sessions destroyed, regenerated, saved and loaded without a callback while Redis is away', async () => {
    const own = storeOf();
    const url = await serveVisits(own, {}, (app) =>
      app.get('/:method', (request, response) => {
        const { method } = request.params as { method: 'destroy' | 'regenerate' | 'save' };
        (request.session[method] as () => void)();
        response.send('done');
      }),
    );
    const visitor = new Visitor(url);
    for (const method of ['destroy', 'regenerate', 'save']) {
      expect(await visitor.ask('/')).toMatch(/^200/);
      expect(await unheard(() => visitor.ask(`/${method}`))).toEqual([]);
    }
    await own.pool.close();
    const away = new PoolSessionStore({ pool: testPool({ redis: { path: '/nowhere/redis.sock' } }) });
    const warnings: string[] = [];
    const note = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', note);
    onTestFinished(() => void process.off('warning', note));
    away.generate = () => {};
    for (const method of ['destroy', 'regenerate', 'save']) {
      const lost = await unheard(async () => {
        const request: never = { sessionID: 'a', sessionStore: away } as never;
        const made = away.createSession(request, { cookie: {} }) as unknown as Record<string, () => void>;
        made[method]?.();
        await until('it has failed', () => away.pool.stats().connectFailed > 0);
      });
      expect(lost).toEqual([]);
    }
    // Somebody has to know of a session that goes on.
    await until('two were told of', () => warnings.length >= 2);
    for (const text of warnings) {
      expect(text).toMatch(/^a session was not destroyed, and nobody listens: PoolError/);
    }
  });

  const CALLS: [string, (store: PoolSessionStore) => unknown][] = [
    ['get', (store) => store.get('a')],
    ['set', (store) => store.set('a', {})],
    ['touch', (store) => store.touch('a', {})],
    ['destroy', (store) => store.destroy('a')],
    ['all', (store) => store.all()],
    ['ids', (store) => store.ids()],
    ['length', (store) => store.length()],
    ['clear', (store) => store.clear()],
    ['load', (store) => store.load('a', undefined as never)],
    ['regenerate', (store) => store.regenerate({ sessionID: 'a' }, undefined as never)],
  ];
  test.each(CALLS)('%s', async (_, call) => {
    const store = new PoolSessionStore({ pool: testPool({ redis: { path: '/nowhere/redis.sock' } }) });
    let promise: unknown;
    expect(
      await unheard(async () => {
        promise = call(store);
        await until('it has failed', () => store.pool.stats().connectFailed > 0);
      }),
    ).toEqual([]);
    // Who takes it has the error.
    if (promise) await expect(promise).rejects.toMatchObject({ code: 'POOL_CONNECT_FAILED' });
  });
});
