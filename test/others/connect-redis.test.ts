import { RedisStore as RedisStore9 } from 'connect-redis9';
import { RedisStore as RedisStore10 } from 'connect-redis10';
import { beforeEach, describe, expect, test } from 'vitest';
import { nodeRedisView } from '../../src/integrations/session/index.ts';
import { times } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

describe.each([
  ['9', RedisStore9],
  ['10', RedisStore10],
])('connect-redis %s, on the view', (_, RedisStore) => {
  test('keeps, finds and ends sessions, over few connections', async () => {
    const pool = server.pool({ maxActive: 3, name: 'view' });
    const watch = server.watch('view');
    const store = new RedisStore({ client: nodeRedisView(pool) as never, ttl: 500, scanCount: 10 });
    const cookie = { originalMaxAge: null };
    await Promise.all(times(200, (i) => store.set(`${i}`, { cookie, n: i } as never)));
    expect(await store.length()).toBe(200);
    expect((await store.all()) as unknown[]).toHaveLength(200);
    expect(await store.get('7')).toEqual({ cookie, n: 7 });
    expect(await server.observer.ttl('sess:7')).toBeGreaterThan(400);
    await server.observer.expire('sess:7', 10);
    await store.touch('7', { cookie });
    expect(await server.observer.ttl('sess:7')).toBeGreaterThan(400);
    await store.destroy('7');
    expect(await store.get('7')).toBeNull();
    await store.clear();
    expect(await server.observer.dbsize()).toBe(0);
    expect(await watch.stop()).toBeLessThanOrEqual(3);
  });
});
