import type session from 'express-session';
import { beforeEach, expect, test } from 'vitest';
import type { Pool } from '../../../src/index.ts';
import { PoolSessionStore } from '../../../src/integrations/session/index.ts';
import { freePort, startServer } from '../../../tools/redis-server.js';
import { testPool, until, useServer } from '../../helpers/redis.ts';
import { unheard } from '../../helpers/unheard.ts';
import { Visitor } from '../../helpers/web.ts';
import { serveVisits } from './visits-app.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

/** A store that fails open. */
const storeOf = (pool: Pool): PoolSessionStore => new PoolSessionStore({ pool, failOpen: true });

/** Neither the pool nor the test waits for anything but what the store itself does. */
const patient = { replyTimeoutMs: Number.POSITIVE_INFINITY, connectTimeoutMs: 60_000, maxActive: 2 };

test('an outage that was noticed before session() listens is emitted to it', async () => {
  const port = await freePort();
  const pool = testPool({ redis: { port } });
  const store = storeOf(pool);
  let told = false;
  store.once('disconnect', () => {
    told = true;
  });
  await expect(pool.ready()).rejects.toMatchObject({ code: 'POOL_CONNECT_FAILED' });
  await until('it was told', () => told);
  const visitor = new Visitor(await serveVisits(store));
  expect(await visitor.ask('/')).toBe('200 no session');
  const late = await startServer({ port });
  await until('there are sessions', async () => (await visitor.ask('/')) === '200 1');
  await late.stop();
});

test('and one that was noticed before there was a store', async () => {
  const port = await freePort();
  const pool = testPool({ redis: { port } });
  await expect(pool.ready()).rejects.toMatchObject({ code: 'POOL_CONNECT_FAILED' });
  const visitor = new Visitor(await serveVisits(storeOf(pool)));
  expect(await visitor.ask('/')).toBe('200 no session');
  const late = await startServer({ port });
  await until('there are sessions', async () => (await visitor.ask('/')) === '200 1');
  await late.stop();
});

test.each([{}, { resave: true, saveUninitialized: true, rolling: true, unset: 'destroy' as const }])(
  'a Redis that does not answer is away, to requests that wait for it too, and nobody is logged out by it (%o)',
  async (options) => {
    const store = storeOf(server.pool(patient));
    const told: string[] = [];
    for (const event of ['connect', 'disconnect']) store.on(event, () => told.push(event));
    const visitor = new Visitor(await serveVisits(store, options));
    expect(await visitor.ask('/')).toBe('200 1');
    server.freeze();
    try {
      expect(await Promise.all([visitor.ask('/'), visitor.ask('/')])).toEqual([
        '200 no session',
        '200 no session',
      ]);
      expect(told).toEqual(['disconnect']);
      expect(await visitor.ask('/')).toBe('200 no session');
    } finally {
      server.thaw();
    }
    expect(await until('there are sessions', async () => /^200 \d/.test(await visitor.ask('/')))).toBe(true);
    expect(told).toEqual(['disconnect', 'connect']);
    await until('the third visit is counted', async () => (await visitor.ask('/')) === '200 3');
    expect(await server.observer.dbsize()).toBe(1);
  },
);

test('a Redis that has never answered is away, once it was asked', async () => {
  const store = storeOf(server.pool(patient));
  const url = await serveVisits(store);
  server.freeze();
  try {
    // Who comes first has a new session, which cannot be stored.
    expect(await new Visitor(url).ask('/')).toMatch(/^(200 1|500 Redis has not answered)/);
    expect(await new Visitor(url).ask('/')).toBe('200 no session');
  } finally {
    server.thaw();
  }
  const visitor = new Visitor(url);
  await until('there are sessions', async () => (await visitor.ask('/')) === '200 1');
});

test('a session that is reloaded while Redis does not answer stays as it is; what is stored, ends late', async () => {
  const store = storeOf(server.pool(patient));
  const visitor = new Visitor(await serveVisits(store));
  expect(await visitor.ask('/')).toBe('200 1');
  const request = { sessionID: 'a' } as never;
  await store.set('a', { cookie: {}, n: 1 });
  store.createSession(request, { cookie: {}, n: 1 } as never);
  const made = (request as { session: session.Session }).session;
  Object.assign(request, { sessionStore: store });
  server.freeze();
  try {
    let reloaded: unknown = 'not yet';
    const lost = await unheard(async () => {
      await new Promise<void>((resolve) =>
        made.reload((error) => {
          reloaded = error;
          resolve();
        }),
      );
    });
    expect(lost).toEqual([]);
    expect([reloaded ?? undefined, (request as { session: unknown }).session === made]).toEqual([
      undefined,
      true,
    ]);
    const late = /^Error: Redis has not answered within 1000 ms$/;
    for (const call of [store.set('a', {}), store.touch('a', {}), store.destroy('a'), store.get('a')]) {
      await expect(call.catch(String)).resolves.toMatch(late);
    }
    await expect(new Promise((_, reject) => store.load('a', reject as never)).catch(String)).resolves.toMatch(
      late,
    );
  } finally {
    server.thaw();
  }
});

test('an error that is no outage stays one', async () => {
  const store = storeOf(server.pool());
  const visitor = new Visitor(await serveVisits(store));
  expect(await visitor.ask('/')).toBe('200 1');
  const [key = ''] = await server.observer.keys('*');
  await server.observer.del(key);
  await server.observer.hset(key, 'a', 1);
  expect(await visitor.ask('/')).toMatch(/^500 .*WRONGTYPE/);
});

test('a store that is closed while Redis is unavailable emits nothing any more', async () => {
  const pool = testPool({ redis: { port: await freePort() } });
  const store = storeOf(pool);
  let told = 0;
  store.on('disconnect', () => told++);
  await expect(store.get('a')).rejects.toThrow();
  await until('it was told', () => told > 0);
  await store.close();
  await pool.close();
  const before = [pool.redis.listenerCount('error'), told];
  expect(before).toEqual([0, told]);
});
