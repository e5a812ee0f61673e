import { connect } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { PoolSessionStore } from '../../../src/integrations/session/index.ts';
import { poolErrorOf, testPool, until, useServer } from '../../helpers/redis.ts';
import { tcpServer } from '../../helpers/tcp-server.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

const session = { cookie: { originalMaxAge: null }, user: 'ann' };

/**
 * A store whose connection is cut when a command `name` goes over it, as often as `cuts` says, and the commands of that
 * name that came through; `ran`: the command runs, though its answer is lost.
 */
async function cutAt(name: string, cuts: number, ran: boolean) {
  const seen: string[] = [];
  const way = await tcpServer((client) => {
    const upstream = connect(server.port, '127.0.0.1').on('error', () => {});
    client.on('data', (bytes) => {
      const hit = new RegExp(`\\r\\n${name}\\r\\n`, 'i').test(String(bytes));
      if (hit) seen.push(String(bytes));
      const cut = hit && seen.length <= cuts;
      if (!cut || ran) upstream.write(bytes);
      if (cut) client.destroy();
    });
    upstream.on('data', (bytes) => client.write(bytes)).on('end', () => client.end());
    client.on('close', () => upstream.end());
  });
  const pool = testPool({ redis: way.url });
  return { seen, pool, store: new PoolSessionStore({ pool }) };
}

describe.each([true, false])('a connection that is lost after a command has run: %s', (ran) => {
  test('has a set, a touch, and a destroy sent once more', async () => {
    const set = await cutAt('set', 1, ran);
    await set.store.set('a', session);
    expect(set.seen).toHaveLength(2);
    expect(set.seen[0]).toContain(JSON.stringify(session));
    expect(set.seen[1]).toContain(JSON.stringify(session));
    expect(await set.store.get('a')).toEqual(session);
    const touch = await cutAt('pexpire', 1, ran);
    await touch.store.touch('a', { cookie: { expires: new Date(Date.now() + 5_000_000) } });
    expect(await server.observer.pttl('sess:a')).toBeGreaterThan(1_000_000);
    const destroy = await cutAt('del', 1, ran);
    await destroy.store.destroy('a');
    expect(destroy.seen).toHaveLength(2);
    expect(await server.observer.exists('sess:a')).toBe(0);
  });
});

test('a command of a store is sent twice at most', async () => {
  const { seen, store } = await cutAt('set', 9, false);
  await poolErrorOf(store.set('a', session), 'POOL_CONNECTION_LOST');
  expect(seen).toHaveLength(2);
});

test('what others send over the same pool is not sent twice', async () => {
  const { seen, pool } = await cutAt('set', 1, false);
  await poolErrorOf(pool.redis.set('a', 1), 'POOL_CONNECTION_LOST');
  expect(seen).toHaveLength(1);
});

test('a session that was destroyed or set meanwhile is not brought back', async () => {
  const { store } = await cutAt('set', 1, false);
  const set = poolErrorOf(store.set('a', session), 'POOL_CONNECTION_LOST');
  for (let i = 0; i < 5; i++) await null; // its session is made a text of, and it goes before the other
  await Promise.all([set, store.destroy('a')]);
  expect(await server.observer.exists('sess:a')).toBe(0);
  const second = await cutAt('del', 1, false);
  const destroy = poolErrorOf(second.store.destroy('a'), 'POOL_CONNECTION_LOST');
  await Promise.all([destroy, second.store.set('a', session)]);
  expect(await store.get('a')).toEqual(session);
});

test('a pool that was closed tells what it told before', async () => {
  const pool = server.pool();
  const store = new PoolSessionStore({ pool });
  await store.get('a');
  server.freeze();
  const set = poolErrorOf(store.set('a', session), 'POOL_CONNECTION_LOST');
  await until('it is sent', () => pool.stats().inFlight === 1);
  const closed = pool.close({ graceMs: 0 });
  await set;
  server.thaw();
  await closed;
});
