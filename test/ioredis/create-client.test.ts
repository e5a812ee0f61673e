import { once } from 'node:events';
import { Cluster, type Command, Redis, type RedisOptions } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { causeOf, newClient, poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer();

test('createClient makes every connection, each from its own copy of the options', async () => {
  const given: RedisOptions[] = [];
  const pool = server.pool({
    name: 'made',
    createClient: (options) => {
      given.push(options);
      return newClient(options);
    },
  });
  const leases = await Promise.all([pool.acquire(), pool.acquire()]);
  expect(given).toHaveLength(2);
  expect(given[0]).not.toBe(given[1]);
  expect(given[0]).toMatchObject({ port: server.port, lazyConnect: true, connectionName: 'made' });
  for (const lease of leases) lease.release();
});

test('a subclass gets every command, and its methods are on the lease', async () => {
  const seen: string[] = [];
  class Mine extends Redis {
    override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
      seen.push((args[0] as Command).name);
      return super.sendCommand(...args);
    }

    shout(text: string): Promise<string> {
      return this.echo(text.toUpperCase()) as Promise<string>;
    }
  }
  const pool = server.pool({ createClient: (options) => new Mine(options as object) });
  const reply = await pool.use(async (redis) => {
    expect(redis).toBeInstanceOf(Redis);
    await redis.pipeline().set('k', 'v').exec();
    return (redis as unknown as Mine).shout('hey');
  });
  expect(reply).toBe('HEY');
  expect(seen).toEqual(expect.arrayContaining(['info', 'set', 'echo']));
});

test('createClient may take its time, and new credentials each time', async () => {
  await server.observer.call('ACL', 'SETUSER', 'rotating', 'on', '>first', '~*', '+@all');
  const passwords = ['first', 'second'];
  const pool = server.pool({
    createClient: async (options) => {
      await new Promise((resolve) => setImmediate(resolve));
      return newClient({ ...options, username: 'rotating', password: passwords[0] as string });
    },
  });
  expect(await pool.use((redis) => redis.call('ACL', 'WHOAMI'))).toBe('rotating');
  await server.observer.call('ACL', 'SETUSER', 'rotating', '<first', '>second');
  passwords.shift();
  pool.clear();
  expect(await pool.use((redis) => redis.call('ACL', 'WHOAMI'))).toBe('rotating');
  expect(pool.stats()).toMatchObject({ connected: 2, connectFailed: 0 });
});

test('what createClient throws, or rejects with, is the cause', async () => {
  const mine = new Error('the vault is sealed');
  const throwing = [
    () => {
      throw mine;
    },
    () => Promise.reject(mine),
  ];
  for (const createClient of throwing) expect(await causeOf({ redis: server.url, createClient })).toBe(mine);
});

test('a createClient that hangs ends with connectTimeoutMs, and does not blame the server', async () => {
  const createClient = (): Promise<Redis> => new Promise(() => {});
  const cause = await causeOf({ redis: server.url, createClient, connectTimeoutMs: 100 });
  expect(cause).toMatchObject({ code: 'ETIMEDOUT', message: expect.stringContaining('createClient') });
});

test('what is no client is refused', async () => {
  for (const [what, name] of [
    [undefined, 'undefined'],
    [null, 'null'],
    [{}, 'object'],
    [{ ping: () => 'PONG' }, 'object'],
  ] as const) {
    const cause = await causeOf({ redis: server.url, createClient: () => what as never });
    expect(cause.message).toMatch(new RegExp(`createClient must return an ioredis Redis .* got .*${name}`));
  }
});

test('a Cluster is refused, and its sockets are not left behind', async () => {
  const before = (await server.clients()).length;
  const cause = await causeOf({
    redis: server.url,
    createClient: () => {
      const cluster = new Cluster([{ host: '127.0.0.1', port: server.port }]);
      return cluster.on('error', () => {}) as unknown as Redis;
    },
  });
  expect(cause.message).toMatch(/got a Cluster/);
  await until('no socket is left', async () => (await server.clients()).length === before);
});

/** A client that connects by itself, unlike what the pool asks for. */
function eager(): Redis {
  const client = new Redis(server.port, '127.0.0.1', { connectionName: 'eager' });
  onTestFinished(() => client.disconnect());
  return client.on('error', () => {});
}

const noneLeft = (): Promise<unknown> =>
  until('no socket is left', async () => (await server.clients('eager')).length === 0);

test('a client that is connecting already is refused, and its socket is not left behind', async () => {
  const cause = await causeOf({ redis: server.url, createClient: () => eager() });
  expect(cause.message).toMatch(/not connecting yet, got one with status 'connecting'.*lazyConnect/);
  await noneLeft();
});

test('a client that is connected already is refused, and its socket is not left behind', async () => {
  const cause = await causeOf({
    redis: server.url,
    createClient: async () => {
      const client = eager();
      await once(client, 'ready');
      return client;
    },
  });
  expect(cause.message).toMatch(/got one with status 'ready'/);
  await noneLeft();
});

test('a client that comes too late leaves no socket behind, connected or not', async () => {
  let client: Redis | undefined;
  const pool = server.pool({
    connectTimeoutMs: 50,
    createClient: async () => {
      const late = eager();
      await once(late, 'ready');
      await until('it is too late', () => pool.stats().connectFailed === 1);
      client = late;
      return late;
    },
  });
  const { cause } = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  expect(cause).toMatchObject({ code: 'ETIMEDOUT' });
  await until('it came', () => client !== undefined);
  await noneLeft();
});

test('a client made without the options given still becomes one of the pool: its name, its rules', async () => {
  const pool = server.pool({
    name: 'adopted',
    createClient: () => new Redis({ host: '127.0.0.1', port: server.port, lazyConnect: true }),
  });
  const lease = await pool.acquire();
  const id = (await lease.client('ID')) as number;
  await server.killClient(id);
  await until('the lease knows', () => lease.status === 'end');
  await poolErrorOf(lease.get('k'), 'POOL_CONNECTION_LOST');
  lease.release();
  await until('it is gone', () => pool.stats().total === 0);
  const next = await pool.acquire();
  expect(await server.client((await next.client('ID')) as number)).toMatchObject({ name: 'adopted' });
  expect(await server.clients('adopted')).toHaveLength(1);
  next.release();
});

test('a client that was returned before is refused, and stays with its connection', async () => {
  let only: Redis | undefined;
  const createClient = (options: RedisOptions): Redis => {
    only ??= newClient(options);
    return only;
  };
  const pool = server.pool({ maxActive: 2, createClient });
  const other = server.pool({ createClient });
  const lease = await pool.acquire();
  for (const one of [pool, other]) {
    // While a connection stands, a failed dial is told to the first in line.
    const { cause } = await poolErrorOf(one.acquire(), 'POOL_CONNECT_FAILED');
    expect((cause as Error).message).toMatch(/got one that it has returned before/);
  }
  expect(await lease.ping()).toBe('PONG');
  lease.release();
  expect(await pool.use((redis) => redis.ping())).toBe('PONG');
  expect(pool.stats()).toMatchObject({ connected: 1, connectFailed: 1, closed: { broken: 0 } });
});

test('one that comes too late, and belongs to another connection, is left alone', async () => {
  let first: Redis | undefined;
  const pool = server.pool({
    maxActive: 2,
    connectTimeoutMs: 50,
    createClient: async (options) => {
      if (first) await until('the dial is given up', () => pool.stats().connectFailed === 1);
      first ??= newClient(options);
      return first;
    },
  });
  const lease = await pool.acquire();
  await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  await until('its place is free', () => pool.stats().total === 1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await lease.ping()).toBe('PONG');
});

test('a mock of ioredis is refused, with a hint to the mock of a pool', async () => {
  class RedisMock {
    get(): void {}
  }
  class NodeRedis {
    sendCommand(): void {}
    get(): void {}
  }
  const refusal = async (made: object): Promise<string> =>
    (await causeOf({ redis: server.url, createClient: () => made as never })).message;
  expect(await refusal(new RedisMock())).toBe(
    'createClient must return an ioredis Redis that is not connecting yet, got an object of class RedisMock (a mock of ioredis will not do: for tests there is MockPool, of bounded-redis-pool/mock)',
  );
  expect(await refusal(new NodeRedis())).toContain('got an object of class NodeRedis');
  expect(await refusal({})).toMatch(/got an object$/);
});

test('a client that throws when sending rejects that command only, and no slot is lost', async () => {
  class Mine extends Redis {
    override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
      if ((args[0] as Command).name === 'blpop') throw new Error('mine');
      return super.sendCommand(...args);
    }
  }
  const pool = server.pool({ maxActive: 2, createClient: (options) => new Mine(options as object) });
  const [lease, other] = await Promise.all([pool.acquire(), pool.acquire()]);
  const blocking = pool.redis.blpop('empty', 0).catch((error: Error) => error.message);
  await until('it waits', () => pool.stats().waiting === 1);
  expect(() => lease.release()).not.toThrow();
  expect(await blocking).toBe('mine');
  other.release();
  await until('both connections are back', () => pool.stats().inUse === 0, 2000);
});
