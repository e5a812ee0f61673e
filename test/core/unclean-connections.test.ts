// Traps 12 and 13, about what a borrower leaves on its connection; traps.test.ts begins the list.

import { describe, expect, test } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { behind, FakeRedis } from '../helpers/fake-redis.ts';
import { check, follow, take, times } from '../helpers/outcomes.ts';

/** A lease that has sent some commands, such as 'multi, exec', and how many commands its connection has seen `before`. */
async function afterSending(sent: string) {
  const redis = new FakeRedis();
  const pool = redis.pool();
  const lease = await pool.acquire();
  for (const command of sent.split(', ')) {
    const [name = '', ...args] = command.split(' ');
    await lease.call(name, ...args);
  }
  const { client } = behind(redis, lease);
  return { redis, pool, lease, client, before: client.log.length };
}

describe('12. a connection that still owes a reply', () => {
  test('is lent only after the reply has come, and the next borrower does not see it', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    const lease = await pool.acquire();
    const { client } = behind(redis, lease);
    client.holdReplies = true;
    const late = follow(lease.get('secret'));
    lease.release();
    const next = follow(pool.acquire());
    await redis.clock.advance(900);
    expect([late.is, next.is]).toEqual(['pending', 'pending']);
    expect(pool.stats()).toMatchObject({ inUse: 1, idle: 0, waiting: 1 });
    client.answer();
    await settled();
    expect([late.is, next.is]).toEqual(['done', 'done']);
    check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
  });

  test('for more than a second is closed, and the next borrower gets another', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    const lease = await pool.acquire();
    behind(redis, lease).client.holdReplies = true;
    const late = follow(lease.get('secret'));
    lease.release();
    const next = follow(pool.acquire());
    await redis.clock.advance(999);
    check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
    await redis.clock.advance(1);
    expect([late.is, next.is]).toEqual(['POOL_CONNECTION_LOST', 'done']);
    expect(pool.stats().closed.dirty).toBe(1);
    check(redis, pool, { dialed: 2, open: 1, inUse: 1 });
  });

  test.each(['blpop', 'BRPOP', 'blmove', 'bzpopmin', 'wait', 'xread', 'xreadgroup'])(
    'to %s, which may never come, is closed at once',
    async (name) => {
      const redis = new FakeRedis();
      const pool = redis.pool();
      const lease = await pool.acquire();
      behind(redis, lease).client.holdReplies = true;
      const late = follow(lease.call(name, 'k', '0'));
      lease.release();
      await settled();
      expect(late.is).toBe('POOL_CONNECTION_LOST');
      check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
      expect(pool.stats().closed.dirty).toBe(1);
    },
  );

  test('and dies meanwhile is closed as broken', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    const lease = await pool.acquire();
    behind(redis, lease).client.holdReplies = true;
    const late = follow(lease.get('k'));
    lease.release();
    behind(redis, lease).die();
    await settled();
    expect(late.is).toBe('POOL_CONNECTION_LOST');
    expect(pool.stats().closed).toMatchObject({ broken: 1, dirty: 0 });
  });
});

describe('13. what a borrower leaves on the connection', () => {
  test.each([
    ['select 5', 'select 2'],
    ['SELECT 5, Watch k', 'unwatch, select 2'],
    ['MULTI, select 5', 'discard, select 2'],
    ['multi, set k v, exec, watch k', 'unwatch'],
    ['asking', 'ping'],
    ['asking, get k', ''],
  ])('%s: is undone by %s', async (sent, undo) => {
    const redis = new FakeRedis();
    const pool = redis.pool({ redis: { db: 2 } });
    const lease = await pool.acquire();
    const { client } = behind(redis, lease);
    client.options.db = 2;
    for (const command of sent.split(', ')) {
      const [name = '', ...args] = command.split(' ');
      await lease.call(name, ...args);
    }
    const before = client.log.length;
    lease.release();
    await settled();
    expect(client.log.slice(before).join(', ')).toBe(undo);
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
  });

  test.each([
    ...['subscribe c', 'ssubscribe c', 'monitor', 'auth u p', 'hello 3', 'reset', 'quit', 'readonly'],
    ...[
      'client reply off',
      'CLIENT REPLY skip',
      'client tracking on',
      'client setname x',
      'client no-evict on',
    ],
    ...['script debug yes', 'multi, client reply off', 'watch k, psubscribe p*'],
  ])('%s: the connection is closed, and nothing more is sent', async (sent) => {
    const { pool, lease, client, before } = await afterSending(sent);
    lease.release();
    await settled();
    expect(client.log.length).toBe(before);
    expect(pool.stats()).toMatchObject({ total: 0, closed: { dirty: 1 } });
  });

  test.each(['get k', 'client id', 'client info', 'script load x', 'eval x 0', 'multi, exec'])(
    '%s: nothing, and the connection is at rest at once',
    async (sent) => {
      const { redis, pool, lease, client, before } = await afterSending(sent);
      lease.release();
      check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
      expect(client.log.length).toBe(before);
    },
  );

  test('if undoing it fails, the connection is closed', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    const lease = await pool.acquire();
    await lease.watch('k');
    const { client } = behind(redis, lease);
    client.holdReplies = true;
    lease.release();
    client.failHeld(() => new Error('NOPERM'));
    await settled();
    check(redis, pool, { dialed: 1, open: 0, inUse: 0 });
    expect(pool.stats().closed.dirty).toBe(1);
  });

  test('is in use until it is undone, and lent only then', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool({ maxActive: 1 });
    const lease = await pool.acquire();
    await lease.watch('k');
    const { client } = behind(redis, lease);
    client.holdReplies = true;
    lease.release();
    const next = times(2, () => follow(take(pool, 1)));
    await settled();
    expect(next.map((one) => one.is)).toEqual(['pending', 'pending']);
    check(redis, pool, { dialed: 1, open: 1, inUse: 1 });
    client.answer();
    await settled();
    expect(next.map((one) => one.is)).toEqual(['done', 'pending']);
  });
});
