import { appendFileSync } from 'node:fs';
import { RedisStore as RedisStore8 } from 'connect-redis8';
import { RedisStore as RedisStore9 } from 'connect-redis9';
import type { Store } from 'express-session';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { expect, onTestFinished, test } from 'vitest';
import { PoolSessionStore } from '../../src/integrations/session/index.ts';
import { rideOut } from '../faults/express.ts';
import { useServer } from '../helpers/redis.ts';

const REPORT = process.env['GUARANTEES'];
const server = useServer();

const STORES: Readonly<Record<string, () => Promise<Store> | Store>> = {
  async 'connect-redis 8, node-redis'() {
    return new RedisStore8({ client: await nodeRedis() }) as Store;
  },
  async 'connect-redis 9, node-redis'() {
    return new RedisStore9({ client: await nodeRedis() }) as Store;
  },
  'connect-redis 8, ioredis'() {
    const client = new Redis(server.url).on('error', () => {});
    onTestFinished(() => client.disconnect());
    return new RedisStore8({ client }) as Store;
  },
  PoolSessionStore() {
    const store = new PoolSessionStore({ pool: server.url });
    onTestFinished(() => store.close());
    return store as Store;
  },
};

async function nodeRedis(): Promise<never> {
  const client = createClient({ url: server.url }).on('error', () => {});
  await client.connect();
  onTestFinished(() => client.destroy());
  return client as never;
}

/** How long Redis is away. Seconds. */
const AWAY = REPORT ? [0.3, 1.5] : [0.3];

test.each(Object.keys(STORES).flatMap((store) => AWAY.map((seconds) => [store, seconds] as const)))(
  '%s serves again after Redis was away for %d s',
  async (name, seconds) => {
    const ridden = await rideOut(server, (await STORES[name]?.()) as Store, seconds * 1000);
    if (REPORT) appendFileSync(REPORT, `${JSON.stringify({ store: name, seconds, ...ridden })}\n`);
    expect(ridden.requests).toBeGreaterThan(100);
  },
);
