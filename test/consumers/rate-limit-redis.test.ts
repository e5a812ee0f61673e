import express from 'express';
import { rateLimit } from 'express-rate-limit';
import type { Redis } from 'ioredis';
import { RedisStore } from 'rate-limit-redis';
import { beforeEach, expect, test } from 'vitest';
import { times } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';
import { serve } from '../helpers/web.ts';
import { BURST, burst, onPool, tally, throughOutage } from './helpers.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

const LIMIT = 50;

function storeOn(redis: Redis): RedisStore {
  const sendCommand = (name: string, ...args: string[]) => redis.call(name, ...args) as Promise<string>;
  return new RedisStore({ sendCommand });
}

/** Starts an app that lets each `user` have some requests in ten minutes; returns what asks it. */
async function appOn(store: RedisStore): Promise<(user: string) => Promise<Response>> {
  const app = express();
  const keyGenerator = (request: express.Request): string => request.get('user') ?? 'nobody';
  app.use(
    rateLimit({ windowMs: 600_000, limit: LIMIT, standardHeaders: 'draft-7', store, keyGenerator }),
    (_, response) => void response.send('served'),
  );
  const url = await serve(app);
  return (user) => fetch(url, { headers: { user } });
}

test('of a burst of requests exactly as many are served as the limit allows', () =>
  onPool(server, async (redis) => {
    const ask = await appOn(storeOn(redis));
    const all = await burst(() => ask('one'));
    expect(tally(all.map(({ status }) => status))).toEqual({ 200: LIMIT, 429: BURST - LIMIT });
    const remaining = all.map(({ headers }) =>
      Number(/remaining=(\d+)/.exec(`${headers.get('ratelimit')}`)?.[1]),
    );
    const expected = times(BURST, (i) => Math.max(0, LIMIT - 1 - i));
    expect(remaining.sort((a, b) => b - a)).toEqual(expected);
    expect(await server.observer.get('rl:one')).toBe(String(BURST));
  }));

test('a burst finds the scripts gone from the server, and loses no request', () =>
  onPool(server, async (redis) => {
    const store = storeOn(redis);
    const ask = await appOn(store);
    expect((await ask('one')).status).toBe(200);
    await server.observer.script('FLUSH');
    const all = await burst((i) => ask(`user ${i % 20}`));
    expect(tally(all.map(({ status }) => status))).toEqual({ 200: BURST });
    expect(await store.get('user 7')).toMatchObject({ totalHits: 10 });
  }));

test('hits are taken back and forgotten through the store', () =>
  onPool(server, async (redis) => {
    const store = storeOn(redis);
    const ask = await appOn(store);
    await burst(() => ask('one'));
    await burst(() => store.decrement('one'));
    expect(await server.observer.get('rl:one')).toBe('0');
    await Promise.all([ask('one'), ask('two')]);
    await store.resetKey('one');
    expect(await server.observer.keys('rl:*')).toEqual(['rl:two']);
    expect((await ask('one')).status).toBe(200);
  }));

test('the limit comes through an outage', () =>
  throughOutage(server, async (redis) => {
    const ask = await appOn(storeOn(redis));
    let asked = 0;
    return async () => expect((await ask(`user ${asked++}`)).status).toBe(200);
  }));
