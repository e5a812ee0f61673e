import express from 'express';
import session from 'express-session';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Pool } from '../../../src/index.ts';
import { PoolSessionStore, type PoolSessionStoreOptions } from '../../../src/integrations/session/index.ts';
import { freePort, startServer } from '../../../tools/redis-server.js';
import { times } from '../../helpers/outcomes.ts';
import { testPool, until, useServer } from '../../helpers/redis.ts';
import { serve, Visitor } from '../../helpers/web.ts';

declare module 'express-session' {
  interface SessionData {
    visits?: number;
  }
}

const server = useServer();
beforeEach(() => server.observer.flushall());

/** An app whose sessions are in `pool`; what goes wrong is answered with 500 and the error's code. */
async function serveOn(pool: Pool, options: PoolSessionStoreOptions = {}): Promise<string> {
  const app = express();
  const store = new PoolSessionStore({ pool, ...options });
  app.use(
    session({ store, secret: 'test', resave: false, saveUninitialized: false, cookie: { maxAge: 60_000 } }),
  );
  app.get('/visit', (request, response) => {
    if (request.session === undefined) return void response.send('no session');
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.send(`${request.session.visits}`);
  });
  app.get('/look', (request, response) => {
    const { cookie, visits } = request.session;
    const seconds = Math.round(Number(cookie.originalMaxAge) / 1000); // express-session counts it anew from `expires`
    response.send(`${visits} ${seconds} ${cookie.expires instanceof Date} ${cookie.httpOnly}`);
  });
  app.get('/new', (request, response, next) => {
    request.session.regenerate((error) =>
      error ? next(error) : response.send(typeof request.session.visits),
    );
  });
  app.get('/again', (request, response, next) => {
    request.session.visits = 100;
    request.session.reload((error) => (error ? next(error) : response.send(`${request.session.visits}`)));
  });
  app.get('/end', (request, response, next) => {
    request.session.destroy((error) => (error ? next(error) : response.send('bye')));
  });
  app.use(((error, _request, response, _next) => {
    response.status(500).send(String(error.code ?? error.message));
  }) satisfies express.ErrorRequestHandler);
  return serve(app);
}

describe('express-session', () => {
  test('keeps, regenerates, reloads and ends sessions', async () => {
    const visitor = new Visitor(await serveOn(server.pool({ maxActive: 3 })));
    expect(await visitor.ask('/visit')).toBe('200 1');
    expect(await visitor.ask('/visit')).toBe('200 2');
    expect(await visitor.ask('/look')).toBe('200 2 60 true true');
    expect(await visitor.ask('/again')).toBe('200 2');
    const [before] = await server.observer.keys('*');
    expect(await visitor.ask('/new')).toBe('200 undefined');
    expect(await visitor.ask('/visit')).toBe('200 1');
    expect(await server.observer.keys('*')).not.toContain(before);
    expect(await visitor.ask('/end')).toBe('200 bye');
    expect(await server.observer.dbsize()).toBe(0);
  });

  test('a burst of visitors is served by few connections, and a request that reads makes its session live on', async () => {
    const watch = server.watch('redis-pool');
    const pool = server.pool({ maxActive: 3 });
    const url = await serveOn(pool);
    const visitors = times(200, () => new Visitor(url));
    const visits = () => Promise.all(visitors.map((visitor) => visitor.ask('/visit')));
    expect(new Set(await visits())).toEqual(new Set(['200 1']));
    expect(new Set(await visits())).toEqual(new Set(['200 2']));
    const keys = await server.observer.keys('*');
    await Promise.all(keys.map((key) => server.observer.expire(key, 5)));
    await Promise.all(visitors.map((visitor) => visitor.ask('/look')));
    const left = await Promise.all(keys.map((key) => server.observer.ttl(key)));
    expect(Math.min(...left)).toBeGreaterThan(30);
    expect(await watch.stop()).toBeLessThanOrEqual(3);
    expect(pool.stats().connected).toBeLessThanOrEqual(3);
  });

  test('many regenerate at once, also as the first thing that happens to a store', async () => {
    const url = await serveOn(server.pool());
    const visitors = times(20, () => new Visitor(url));
    const asked = await Promise.all(visitors.map((visitor) => visitor.ask('/new')));
    expect(new Set(asked)).toEqual(new Set(['200 undefined']));
  });
});

describe('what goes wrong is answered, and the app lives on', () => {
  test('Redis is down at start, and comes', async () => {
    const port = await freePort();
    const visitor = new Visitor(await serveOn(testPool({ redis: { port } })));
    await new Visitor(await serveOn(server.pool())).ask('/visit');
    // Without a cookie there is nothing to read; the session that is made is lost, and the answer goes out.
    expect(await visitor.ask('/visit')).toMatch(/^(200 1|500 POOL_CONNECT_FAILED)/);
    const late = await startServer({ port });
    await until('it is served', async () => (await visitor.ask('/visit')) === '200 2');
    await late.stop();
  });

  test('Redis goes, and comes back, between two requests', async () => {
    const own = await startServer();
    const pool = testPool({ redis: own.url, outageWaitMs: 300 });
    const visitor = new Visitor(await serveOn(pool));
    expect(await visitor.ask('/visit')).toBe('200 1');
    await own.stop();
    await until('the pool knows', () => pool.stats().total === 0);
    expect(await visitor.ask('/visit')).toBe('500 POOL_CONNECT_FAILED');
    const again = await startServer({ port: own.port });
    await until('it is served', async () => (await visitor.ask('/visit')).startsWith('200'));
    await again.stop();
  });

  test('with failOpen requests are served without a session while Redis is away, and with one when it is back', async () => {
    const own = await startServer();
    const pool = testPool({ redis: own.url });
    const visitor = new Visitor(await serveOn(pool, { failOpen: true }));
    expect(await visitor.ask('/visit')).toBe('200 1');
    await own.stop();
    await until('it fails open', async () => (await visitor.ask('/visit')) === '200 no session');
    const again = await startServer({ port: own.port });
    await until('there are sessions', async () => /^200 \d/.test(await visitor.ask('/visit')));
    await again.stop();
  });

  test('the pool is exhausted, and then is not', async () => {
    const pool = server.pool({ maxActive: 1, maxLanes: 1, maxQueuedCommands: 1, wait: false });
    const visitor = new Visitor(await serveOn(pool));
    expect(await visitor.ask('/visit')).toBe('200 1');
    const lease = await pool.acquire();
    expect(await visitor.ask('/visit')).toBe('500 POOL_EXHAUSTED');
    lease.release();
    expect(await visitor.ask('/visit')).toBe('200 2');
  });

  test('a stored session is not readable, or one becomes too long', async () => {
    const url = await serveOn(server.pool(), { maxLength: 150 });
    const visitor = new Visitor(url);
    expect(await visitor.ask('/visit')).toBe('200 1');
    const [key = ''] = await server.observer.keys('*');
    const stored = String(await server.observer.get(key));
    await server.observer.set(key, '{"visits');
    expect(await visitor.ask('/visit')).toMatch(/^500 a stored session cannot be read/);
    await server.observer.set(key, stored);
    expect(await visitor.ask('/visit')).toBe('200 2');
  });

  test('the pool is closed', async () => {
    const pool = server.pool();
    const visitor = new Visitor(await serveOn(pool));
    expect(await visitor.ask('/visit')).toBe('200 1');
    await pool.close();
    expect(await visitor.ask('/visit')).toBe('500 POOL_CLOSED');
  });
});

test('no error that a store gives is taken for a session that is not there', async () => {
  const nowhere = new PoolSessionStore({ pool: testPool({ redis: { path: '/nowhere/redis.sock' } }) });
  const error = await nowhere.get('a').catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'POOL_CONNECT_FAILED', cause: { code: 'ENOENT' } });
});
