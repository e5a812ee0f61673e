import Koa from 'koa';
import session from 'koa-session';
import { beforeEach, expect, test } from 'vitest';
import { koaSessionStore } from '../../../src/integrations/session/index.ts';
import { times } from '../../helpers/outcomes.ts';
import { useServer } from '../../helpers/redis.ts';
import { unheard } from '../../helpers/unheard.ts';
import { serve, Visitor } from '../../helpers/web.ts';

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
  expect(left.map((ttl) => Math.round(ttl / 50) * 50)).toEqual([100, 500, 500]);
  expect(await store.get('a')).toEqual({ n: 1 });
  expect(await store.get('none')).toBeNull();
});

test.each([86_400_000 / 7, 0.4, 1e300, Number.POSITIVE_INFINITY, 90_000])(
  'maxAge may be %d',
  async (maxAge) => {
    const store = koaSessionStore(server.pool());
    await store.set('a', { n: 1 }, maxAge + 10_000);
    const left = await server.observer.pttl('sess:a');
    if (maxAge > 8.64e15) expect(left).toBe(-1);
    else expect(left > 0 && left <= Math.ceil(maxAge + 10_000)).toBe(true);
    await store.set('a', { n: 1 }, -maxAge);
    expect(await store.get('a')).toBeNull();
  },
);

test('a session whose maxAge is no whole number of milliseconds is served', async () => {
  const app = new Koa();
  app.keys = ['test'];
  app.use(session({ store: koaSessionStore(server.pool()), maxAge: 86_400_000 / 7 }, app));
  app.use((context) => {
    Object.assign(context['session'] as object, { visits: 1 });
    context.body = 'hello';
  });
  expect(await new Visitor(await serve(app.callback())).ask('/')).toBe('200 hello');
});

test('ttl is given the session, of which no part is taken for a cookie', async () => {
  const given: unknown[] = [];
  const ttl = (own: { seconds: number }): number => {
    given.push(own);
    return own.seconds;
  };
  const store = koaSessionStore(server.pool(), { ttl });
  await store.set('a', { seconds: 300 }, 'session');
  await store.set('b', { seconds: 300 }, 60_000);
  expect(given).toEqual([{ seconds: 300 }]);
  const past = { cookie: { expires: '2001-01-01T00:00:00.000Z' } };
  await koaSessionStore(server.pool(), { ttl: 500 }).set('c', past, 'session');
  const left = await Promise.all(['a', 'b', 'c'].map((id) => server.observer.ttl(`sess:${id}`)));
  expect(left.map((seconds) => Math.ceil(seconds / 100))).toEqual([3, 1, 5]);
});

test('what is not taken ends no process; what is, has the error', async () => {
  const pool = server.pool();
  const throwing = () => {
    throw new Error('mine');
  };
  const store = koaSessionStore(pool, { ttl: throwing });
  const calls: Promise<unknown>[] = [];
  const lost = await unheard(async () => {
    calls.push(store.set('a', {}));
    await pool.close();
    calls.push(store.get('a'), store.destroy('a'), store.set('a', {}, 60_000));
  });
  expect(lost).toEqual([]);
  expect(await Promise.all(calls.map((call) => call.catch((error) => error.code ?? error.message)))).toEqual([
    'mine',
    ...['POOL_CLOSED', 'POOL_CLOSED', 'POOL_CLOSED'],
  ]);
});

test('options that koa-session decides itself are refused', () => {
  expect(() => koaSessionStore(server.pool(), { disableTouch: true } as never)).toThrow(
    /unknown option `disableTouch`/,
  );
});
