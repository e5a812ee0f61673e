import cookie from '@fastify/cookie';
import session from '@fastify/session';
import fastify, { type FastifyInstance } from 'fastify';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { Pool } from '../../src/index.ts';
import { PoolSessionStore } from '../../src/integrations/session/index.ts';
import { times } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';
import { Visitor } from '../helpers/web.ts';

declare module 'fastify' {
  interface Session {
    visits?: number;
  }
}

const server = useServer();
beforeEach(() => server.observer.flushall());

/** An app whose sessions are in `pool`. */
async function appOn(pool: Pool): Promise<FastifyInstance> {
  const app = fastify();
  onTestFinished(() => app.close());
  await app.register(cookie);
  await app.register(session, {
    store: new PoolSessionStore({ pool }),
    secret: 'x'.repeat(32),
    cookie: { secure: false, maxAge: 60_000 },
  });
  return app;
}

test('@fastify/session keeps, regenerates and ends sessions, over few connections', async () => {
  const watch = server.watch('redis-pool');
  const pool = server.pool({ maxActive: 3 });
  const app = await appOn(pool);
  app.get('/visit', async ({ session: own }) => {
    own.visits = (own.visits ?? 0) + 1;
    return `${own.visits}`;
  });
  app.get('/new', async ({ session: own }) => {
    await own.regenerate();
    return 'new';
  });
  app.get('/end', async ({ session: own }) => {
    await own.destroy();
    return 'bye';
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const visitors = times(100, () => new Visitor(url));
  const all = async (path: string) =>
    new Set(await Promise.all(visitors.map((visitor) => visitor.ask(path))));
  expect(await all('/visit')).toEqual(new Set(['200 1']));
  expect(await all('/visit')).toEqual(new Set(['200 2']));
  expect(await server.observer.dbsize()).toBe(100);
  const [key = ''] = await server.observer.keys('*');
  expect(await server.observer.ttl(key)).toBeGreaterThan(30);
  expect(await all('/new')).toEqual(new Set(['200 new']));
  expect(await all('/visit')).toEqual(new Set(['200 1']));
  expect(await all('/end')).toEqual(new Set(['200 bye']));
  expect(await watch.stop()).toBeLessThanOrEqual(3);
});

test('an error of the pool is answered, and the app lives on', async () => {
  const pool = server.pool();
  const app = await appOn(pool);
  app.get('/', async ({ session: own }) => `${own.visits}`);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const visitor = new Visitor(url);
  expect(await visitor.ask('/')).toBe('200 undefined');
  await pool.close();
  expect(await visitor.ask('/')).toMatch(/^500 .*POOL_CLOSED/);
});

test.each(['', 'null', '5', '[1,2]', 'true', '"text"'])(
  '%s, stored and no session, is left alone',
  async (text) => {
    const app = await appOn(server.pool());
    app.get('/', async ({ session: own }) => `${own.visits}`);

    const visitor = new Visitor(await app.listen({ host: '127.0.0.1', port: 0 }));
    expect(await visitor.ask('/')).toMatch(/^200 undefined/);
    const [key = ''] = await server.observer.keys('*');
    await server.observer.set(key, text);
    expect(await visitor.ask('/')).toMatch(/^200 undefined/);
    expect(await server.observer.get(key)).toBe(text);
    expect(await server.observer.dbsize()).toBe(2);
  },
);
