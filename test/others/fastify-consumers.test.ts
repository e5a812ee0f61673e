import { fastifyRateLimit } from '@fastify/rate-limit';
import { fastifyRedis } from '@fastify/redis';
import { fastify } from 'fastify';
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { BURST, burst, onPool, tally, throughOutage } from '../consumers/helpers.ts';
import { times } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

/** An app that is closed with the test. */
function newApp() {
  const app = fastify();
  onTestFinished(() => app.close());
  return app;
}

describe('@fastify/rate-limit', () => {
  const LIMIT = 50;

  async function appOn(redis: Redis) {
    const app = newApp();
    await app.register(fastifyRateLimit, {
      ...{ redis, max: LIMIT, timeWindow: 600_000, nameSpace: 'limit:' },
      keyGenerator: (request) => String(request.headers['user']),
    });
    app.get('/', async () => 'served');
    app.get('/strict', { config: { rateLimit: { max: 3 } } }, async () => 'served');
    return (user: string, url = '/') => app.inject({ url, headers: { user } });
  }

  test('of a burst of requests exactly as many are served as the limit allows', () =>
    onPool(server, async (redis) => {
      const ask = await appOn(redis);
      const all = await burst(() => ask('one'));
      expect(tally(all.map(({ statusCode }) => statusCode))).toEqual({ 200: LIMIT, 429: BURST - LIMIT });
      const remaining = all.map(({ headers }) => Number(headers['x-ratelimit-remaining']));
      const expected = times(BURST, (i) => Math.max(0, LIMIT - 1 - i));
      expect(remaining.sort((a, b) => b - a)).toEqual(expected);
    }));

  test('the limit comes through an outage', () =>
    throughOutage(server, async (redis) => {
      const ask = await appOn(redis);
      let asked = 0;
      return async () => expect((await ask(`user ${asked++}`)).statusCode).toBe(200);
    }));

  test('users and routes have separate limits', () =>
    onPool(server, async (redis) => {
      const ask = await appOn(redis);
      const all = await burst((i) => ask(`user ${i % 20}`, i < BURST / 2 ? '/' : '/strict'));
      expect(tally(all.map(({ statusCode }) => statusCode))).toEqual({ 200: 100 + 20 * 3, 429: 20 * 2 });
    }));
});

describe('@fastify/redis', () => {
  test('decorates the app with the very client, whose commands go over the pool', () =>
    onPool(server, async (redis) => {
      const app = newApp();
      await app.register(fastifyRedis, { client: redis });
      await app.register(fastifyRedis, {
        client: redis.duplicate({ keyPrefix: 'other:' }),
        namespace: 'other',
      });
      app.get('/', () => app.redis.incr('hits'));
      const all = await burst(() => app.inject('/'));
      expect(all.map(({ body }) => Number(body)).sort((a, b) => a - b)).toEqual(times(BURST, (i) => i + 1));
      expect(app.redis).toBe(redis);
      await app.close();
      // The client is not the app's: it is as good as before.
      expect(await redis.get('hits')).toBe(String(BURST));
    }));

  test('the decorated client comes through an outage', () =>
    throughOutage(server, async (redis) => {
      const app = newApp();
      await app.register(fastifyRedis, { client: redis });
      return () => app.redis.incr('hits');
    }));

  test('with closeClient, the pool ends as the app does, when all is answered', async () => {
    const pool = server.pool({ maxActive: 3 });
    const app = newApp();
    await app.register(fastifyRedis, { client: pool.redis, closeClient: true });
    const replies = burst(() => app.redis.incr('hits'));
    await app.close();
    expect(await replies).toContain(BURST);
    expect(pool.stats()).toMatchObject({ total: 0, maxActive: 3 });
    expect(await server.clients()).toEqual([]);
    await expect(app.redis.incr('hits')).rejects.toThrow('Connection is closed.');
  });
});
