import express from 'express';
import session from 'express-session';
import { expect, onTestFinished, test } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { koaSessionStore, nodeRedisView, PoolSessionStore } from '../../../src/integrations/session/index.ts';
import { times } from '../../helpers/outcomes.ts';
import { serve, Visitor } from '../../helpers/web.ts';

const inMs = (ms: number) => ({ cookie: { expires: new Date(Date.now() + ms) } });

function mockPool(): MockPool {
  const pool = new MockPool({ maxActive: 3, outageWaitMs: 0 });
  onTestFinished(() => pool.close());
  return pool;
}

test('the session store keeps, finds, touches and ends sessions on MockPool', async () => {
  const pool = mockPool();
  const store = new PoolSessionStore({ pool, scanCount: 7 });
  await Promise.all(times(50, (n) => store.set(`${n}`, { n, ...inMs(60_000) })));
  expect(await store.length()).toBe(50);
  expect(new Set(await store.ids())).toEqual(new Set(times(50, String)));
  expect(await store.all()).toHaveLength(50);
  expect(await store.get('7')).toMatchObject({ n: 7 });
  await store.destroy('7');
  expect(await store.get('7')).toBeNull();
  await store.touch('8', inMs(10 * 60_000));
  await pool.advance(120_000);
  expect(await store.ids()).toEqual(['8']);
  await store.clear();
  expect(await store.all()).toEqual([]);
});

test('so do the store for koa-session, and the view for connect-redis', async () => {
  const pool = mockPool();
  const koa = koaSessionStore(pool);
  await koa.set('a', { n: 1 }, 1000);
  expect(await koa.get('a')).toEqual({ n: 1 });
  await pool.advance(1001);
  expect(await koa.get('a')).toBeNull();
  const view = nodeRedisView(pool);
  await view.set('k', 'v', { expiration: { type: 'EX', value: 10 } });
  expect(await view.mGet(['k', 'none'])).toEqual(['v', null]);
  await pool.advance(10_001);
  expect(await view.get('k')).toBeNull();
});

test('an express app with sessions runs on it, and gets failures on demand', async () => {
  const pool = mockPool();
  const app = express();
  const store = new PoolSessionStore({ pool });
  app.use(session({ store, secret: 'test', resave: false, saveUninitialized: false }));
  app.get('/', (request, response) => {
    const own = request.session as { visits?: number };
    own.visits = (own.visits ?? 0) + 1;
    response.send(`${own.visits}`);
  });
  app.use(((error, _request, response, _next) => {
    response.status(500).send(error.code);
  }) satisfies express.ErrorRequestHandler);
  const url = await serve(app);
  const visitors = times(20, () => new Visitor(url));
  const visit = async () => new Set(await Promise.all(visitors.map((visitor) => visitor.ask('/'))));
  expect(await visit()).toEqual(new Set(['200 1']));
  expect(await visit()).toEqual(new Set(['200 2']));
  pool.failConnects(new Error('no way'));
  pool.clear();
  expect(await visit()).toEqual(new Set(['500 POOL_CONNECT_FAILED']));
  pool.assertNoLeaks();
});
