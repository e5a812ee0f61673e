import { promises } from 'node:fs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { Pool } from '../../../src/pool.ts';
import { deferred, follow } from '../../helpers/outcomes.ts';
import { newClient, poolErrorOf } from '../../helpers/redis.ts';

const down = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

// The first test, since ioredis 5 reads its file once.
test('its dials read no file: they are over in a few turns, whatever the machine does', async () => {
  const reading = vi.spyOn(promises, 'readFile').mockReturnValue(new Promise(() => {}));
  onTestFinished(() => reading.mockRestore());
  const mock = new MockPool();
  const reply = follow(mock.redis.ping());
  await mock.advance(50);
  expect(reply.is).toBe('done');
});

test('it is the pool itself, and takes what the pool takes', async () => {
  const mock = new MockPool('redis://user:secret@redis.example:6380/2', { maxActive: 3, name: 'mine' });
  expect(mock).toBeInstanceOf(Pool);
  expect(mock.stats().maxActive).toBe(3);
  expect(mock.redis.options).toMatchObject({ host: 'redis.example', db: 2 });
  await mock.use(async (lease) => expect(await lease.client('GETNAME')).toBe('mine'));
  expect(() => new MockPool({ maxActive: 0 })).toThrow(/a bound is required/);
  expect(() => new MockPool({ createClient: 7 as never })).toThrow(/createClient must be/);
});

test('a client from createClient is connected to the memory, and refused if it would connect elsewhere', async () => {
  let made = 0;
  const mock = new MockPool({
    createClient: async (options) => {
      made++;
      return newClient(options);
    },
  });
  expect([await mock.redis.set('k', 'v'), made]).toEqual(['OK', 1]);
  const stray = new MockPool({ createClient: () => newClient({ host: 'redis.example', lazyConnect: true }) });
  const { cause } = await poolErrorOf(stray.acquire(), 'POOL_CONNECT_FAILED');
  expect(String(cause)).toContain('createClient must pass on the options');
});

describe('failConnects()', () => {
  test('fails so many dials with the cause given, and then no more', async () => {
    const mock = new MockPool().failConnects(down, 2);
    for (let i = 0; i < 2; i++) {
      const error = await poolErrorOf(mock.acquire(), 'POOL_CONNECT_FAILED');
      expect(error.cause).toBe(down);
      await mock.advance(100);
    }
    expect(await mock.redis.ping()).toBe('PONG');
    expect(mock.stats()).toMatchObject({ connectFailed: 2, connected: 1 });
  });

  test('fails all from now on by default, and none with 0; what is open stays open', async () => {
    const mock = new MockPool();
    const lease = await mock.acquire();
    mock.failConnects(down);
    expect(await lease.ping()).toBe('PONG');
    await poolErrorOf(mock.acquire(), 'POOL_CONNECT_FAILED');
    await mock.advance(10_000);
    await poolErrorOf(mock.acquire(), 'POOL_CONNECT_FAILED');
    mock.failConnects(down, 0);
    await mock.advance(10_000);
    expect((await mock.acquire()).connectionId).toBe(4);
  });

  test('with what is open killed it is an outage, and callers wait on the clock of the mock until it is over', async () => {
    const mock = new MockPool({ maxActive: 2 });
    await mock.redis.set('k', 'v');
    mock.failConnects(down).killConnection();
    const line = [follow(mock.redis.get('k')), follow(mock.use((redis) => redis.get('k')))];
    const hasty = follow(mock.acquire({ timeoutMs: 400 }));
    await mock.advance(3000);
    expect([...line, hasty].map((one) => one.is)).toEqual(['pending', 'pending', 'POOL_ACQUIRE_TIMEOUT']);
    expect(hasty.error).toMatchObject({
      cause: down,
      message: expect.stringContaining('Redis has been away'),
    });
    mock.failConnects(down, 0);
    await mock.advance(500);
    expect(line.map((one) => one.is)).toEqual(['done', 'done']);
    mock.failConnects(down).killConnection();
    const late = follow(mock.redis.get('k'));
    await mock.advance(4999);
    expect(late.is).toBe('pending');
    await mock.advance(1);
    expect(late.is).toMatch(/POOL_(CONNECT_FAILED|ACQUIRE_TIMEOUT)/); // both are due
    await poolErrorOf(mock.redis.get('k'), 'POOL_CONNECT_FAILED');
  });

  test('says what it takes', () => {
    expect(() => new MockPool().failConnects('down' as never)).toThrow(/takes an Error, got down/);
    expect(() => new MockPool().failConnects(down, -1)).toThrow(/times, a number of at least 0, got -1/);
  });
});

describe('delayConnects()', () => {
  test('has dials take so long on the clock of the mock', async () => {
    const mock = new MockPool().delayConnects(300);
    const lease = follow(mock.acquire());
    await mock.advance(299);
    expect([lease.is, mock.stats().connecting]).toEqual(['pending', 1]);
    await mock.advance(1);
    expect(lease.is).toBe('done');
  });

  test.each([5000, Infinity])('runs into connectTimeoutMs with %d', async (ms) => {
    const mock = new MockPool({ connectTimeoutMs: 1000 }).delayConnects(ms);
    const lease = follow(mock.acquire());
    await mock.advance(1000);
    expect(lease.is).toBe('POOL_CONNECT_FAILED');
    expect(mock.stats()).toMatchObject({ total: 0, connectFailed: 1 });
    await mock.close();
  });
});

describe('killConnection()', () => {
  test('closes the connection of a lease, and no other', async () => {
    const mock = new MockPool();
    const [a, b] = await Promise.all([mock.acquire(), mock.acquire()]);
    mock.killConnection(a.connectionId);
    await poolErrorOf(a.get('k'), 'POOL_CONNECTION_LOST');
    expect(await b.ping()).toBe('PONG');
    expect(() => mock.killConnection(a.connectionId)).toThrow(/open are 2/);
    a.release();
    expect(mock.stats().closed.broken).toBe(1);
  });

  test('ends commands that block there: they take nothing from the remaining ones', async () => {
    const mock = new MockPool();
    const lease = await mock.acquire();
    const blocked = follow(lease.blpop('jobs', 0));
    await mock.advance(0);
    mock.killConnection(lease.connectionId);
    await mock.redis.rpush('jobs', 'a');
    expect([blocked.is, await mock.redis.lrange('jobs', 0, -1)]).toEqual(['POOL_CONNECTION_LOST', ['a']]);
  });

  test('closes all without one; commands of pool.redis that may have run are rejected, reads go again', async () => {
    const mock = new MockPool().holdReplies();
    const write = follow(mock.redis.incr('n'));
    const read = follow(mock.redis.get('k'));
    await mock.advance(0);
    mock.killConnection();
    await mock.advance(0);
    expect([write.is, read.is]).toEqual(['POOL_CONNECTION_LOST', 'pending']);
    mock.flush();
    await read.promise;
    expect(await mock.redis.get('n')).toBe('1');
  });

  test('says which connections there are, when there is no such one', async () => {
    const mock = new MockPool();
    expect(() => mock.killConnection(7)).toThrow(/no connection 7 is open; open are none/);
    await mock.acquire();
    expect(() => mock.killConnection(7)).toThrow(/open are 1/);
  });
});

describe('exhaust()', () => {
  test('takes all connections that are free, until they are given back', async () => {
    const mock = new MockPool({ maxActive: 3, wait: false });
    const lease = await mock.acquire();
    const giveBack = await mock.exhaust();
    expect(mock.stats().inUse).toBe(3);
    await poolErrorOf(mock.acquire(), 'POOL_EXHAUSTED');
    giveBack();
    giveBack();
    lease.release();
    expect(mock.stats()).toMatchObject({ inUse: 0, idle: 3 });
    expect(await mock.use(() => 'served')).toBe('served');
  });

  test('lets callers run into their deadline, and serves the next', async () => {
    const mock = new MockPool({ maxActive: 2 });
    await mock.redis.ping();
    const giveBack = await mock.exhaust();
    const late = [follow(mock.acquire()), follow(mock.redis.get('k'))];
    await mock.advance(5000);
    expect(late.map((one) => one.is)).toEqual(['POOL_ACQUIRE_TIMEOUT', 'POOL_ACQUIRE_TIMEOUT']);
    const next = mock.redis.get('k');
    giveBack();
    expect(await next).toBeNull();
  });

  test('waits for the commands of pool.redis that are under way', async () => {
    const mock = new MockPool({ maxActive: 2 });
    const late = deferred();
    mock.replyOnce('get', () => late.promise.then(() => 'late'));
    const answer = mock.redis.get('k');
    await mock.advance(0);
    const exhausted = mock.exhaust();
    await mock.advance(0);
    expect(mock.stats()).toMatchObject({ inUse: 2, lanes: 1 });
    late.resolve();
    await exhausted;
    expect([await answer, mock.stats()]).toMatchObject(['late', { inUse: 2, lanes: 0, waiting: 0 }]);
  });

  test('takes nothing when it cannot take all', async () => {
    const mock = new MockPool({ maxActive: 2 }).failConnects(down);
    await poolErrorOf(mock.exhaust(), 'POOL_CONNECT_FAILED');
    expect(mock.stats()).toMatchObject({ inUse: 0, total: 0 });
  });
});

test('holdReplies() runs commands and holds their replies until flush(); connects still succeed', async () => {
  const mock = new MockPool().holdReplies();
  const lease = await mock.acquire();
  const held = follow(lease.set('k', 'v'));
  await mock.advance(60_000);
  expect([held.is, mock.commands.map(({ name }) => name)]).toEqual(['pending', ['set']]);
  mock.flush();
  await held.promise;
  expect(await lease.get('k')).toBe('v');
});

test('a lane of pool.redis whose replies are held is given up after replyTimeoutMs', async () => {
  const mock = new MockPool({ replyTimeoutMs: 2000 }).holdReplies();
  const lost = follow(mock.redis.incr('n'));
  await mock.advance(3000);
  expect(lost.is).toBe('POOL_CONNECTION_LOST');
  expect(String(lost.error)).toContain('no reply within 2000 ms');
});
