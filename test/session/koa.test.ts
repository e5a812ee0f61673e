import Koa from 'koa';
import session from 'koa-session';
import { beforeEach, expect, test } from 'vitest';
import { koaSessionStore } from '../../src/session/index.ts';
import { times } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';
import { serve, Visitor } from '../helpers/web.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

test('koa-session keeps and ends sessions, over few connections', async () => {
  const watch = server.watch('redis-pool');
  const pool = server.pool({ maxActive: 3 });
  const app = new Koa();
  app.keys = ['test'];
  app.use(session({ store: koaSessionStore(pool, { prefix: 'koa:' }), maxAge: 60_000 }, app));
  app.use((context) => {
    if (context.path === '/end') {
      context['session'] = null;
      context.body = 'bye';
      return;
    }
    const own = context['session'] as { visits?: number };
    own.visits = (own.visits ?? 0) + 1;
    context.body = `${own.visits}`;
  });
  const url = await serve(app.callback());
  const visitors = times(100, () => new Visitor(url));
  const all = async (path: string) =>
    new Set(await Promise.all(visitors.map((visitor) => visitor.ask(path))));
  expect(await all('/')).toEqual(new Set(['200 1']));
  expect(await all('/')).toEqual(new Set(['200 2']));
  const keys = await server.observer.keys('koa:*');
  expect(keys).toHaveLength(100);
  expect(await server.observer.ttl(keys[0] ?? '')).toBeGreaterThan(30);
  expect(await all('/end')).toEqual(new Set(['200 bye']));
  expect(await server.observer.dbsize()).toBe(0);
  expect(await watch.stop()).toBeLessThanOrEqual(3);
});

test('maxAge is in milliseconds; a session that ends with the browser lives for ttl', async () => {
  const store = koaSessionStore(server.pool(), { ttl: 500 });
  await store.set('a', { n: 1 }, 90_000);
  await store.set('b', { n: 2 }, 'session');
  await store.set('c', { n: 3 });
  const left = await Promise.all(['a', 'b', 'c'].map((id) => server.observer.ttl(`sess:${id}`)));
  expect(left.map((ttl) => Math.round(ttl / 10) * 10)).toEqual([90, 500, 500]);
  expect(await store.get('a')).toEqual({ n: 1 });
  expect(await store.get('none')).toBeNull();
});

test('options that koa-session decides itself are refused', () => {
  expect(() => koaSessionStore(server.pool(), { disableTouch: true } as never)).toThrow(
    /unknown option `disableTouch`/,
  );
});
