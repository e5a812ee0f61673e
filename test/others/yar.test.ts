import { Engine } from '@hapi/catbox-redis';
import { server as newServer } from '@hapi/hapi';
import yar from '@hapi/yar';
import type { Redis } from 'ioredis';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { BURST, burst, onPool, tally, throughOutage } from '../consumers/helpers.ts';
import { times } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

const PASSWORD = 'the password must have at least 32 characters';

/** Starts an app whose sessions are in Redis, whatever their size. */
async function appOn(redis: Redis) {
  const options = { client: redis, partition: 'app' };
  const app = newServer({ cache: [{ name: 'sessions', provider: { constructor: Engine, options } }] });
  await app.register({
    plugin: yar,
    options: {
      ...{ maxCookieSize: 0, storeBlank: false, cache: { cache: 'sessions', expiresIn: 600_000 } },
      cookieOptions: { password: PASSWORD, isSecure: false },
    },
  });
  app.route([
    {
      ...{ method: 'GET', path: '/login/{name}' },
      handler: (request) => request.yar.set('visitor', request.params['name']),
    },
    { method: 'GET', path: '/', handler: (request) => request.yar.get('visitor') ?? 'nobody' },
    {
      ...{ method: 'GET', path: '/logout' },
      handler: async (request) => {
        await app.yar.revoke(request.yar.id);
        return 'bye';
      },
    },
  ]);
  await app.start();
  onTestFinished(() => app.stop());
  return app;
}

test('each user has a separate session, kept by catbox-redis', () =>
  onPool(server, async (redis) => {
    const app = await appOn(redis);
    const cookies: string[] = [];
    const all = (url: (i: number) => string): Promise<string[]> =>
      burst(async (i) => {
        const { headers, payload } = await app.inject({ url: url(i), headers: { cookie: cookies[i] ?? '' } });
        const [cookie] = headers['set-cookie'] ?? [];
        if (cookie) cookies[i] = cookie.split(';')[0] ?? '';
        return payload;
      });
    const names = times(BURST, (i) => `visitor-${i}`);
    expect(tally(await all(() => '/'))).toEqual({ nobody: BURST });
    expect(await all((i) => `/login/visitor-${i}`)).toEqual(names);
    expect(await all(() => '/')).toEqual(names);
    const keys = await server.observer.keys('app:*');
    expect(keys).toHaveLength(BURST);
    const left = await Promise.all(keys.map((key) => server.observer.pttl(key)));
    expect(Math.min(...left)).toBeGreaterThan(500_000);
    expect(await all((i) => (i % 2 ? '/logout' : '/'))).toEqual(
      names.map((name, i) => (i % 2 ? 'bye' : name)),
    );
    expect(await all(() => '/')).toEqual(names.map((name, i) => (i % 2 ? 'nobody' : name)));
    await app.stop();
    // The client is not the app's: it is as good as before.
    expect(await redis.ping()).toBe('PONG');
  }));

test('a cache of what is dear to make, over the same engine: made once for all who ask at once', () =>
  onPool(server, async (redis) => {
    const app = await appOn(redis);
    let made = 0;
    const cache = app.cache<string>({
      ...{ cache: 'sessions', segment: 'dear', expiresIn: 600_000, generateTimeout: false },
      generateFunc: async (id) => `${String(id)}, made ${++made}`,
    });
    expect(tally((await burst(() => cache.get('one'))).map(String))).toEqual({ 'one, made 1': BURST });
    expect(tally((await burst(() => cache.get('one'))).map(String))).toEqual({ 'one, made 1': BURST });
    await cache.drop('one');
    expect(await cache.get('one')).toBe('one, made 2');
  }));

test('sessions come through an outage, though catbox-redis asks nothing of a client that is not ready', () =>
  throughOutage(server, async (redis) => {
    const app = await appOn(redis);
    return async () => {
      const { statusCode, payload } = await app.inject('/login/one');
      expect({ statusCode, payload }).toEqual({ statusCode: 200, payload: 'one' });
    };
  }));
