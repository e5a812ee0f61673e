import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Pool, PoolOptions } from '../../src/index.ts';
import { detour } from '../helpers/detour.ts';
import { expectBalanced, newClient, testPool, until, useServer } from '../helpers/redis.ts';
import type { TcpServer } from '../helpers/tcp-server.ts';

const first = useServer(['--repl-diskless-sync-delay', '0']);
const second = useServer(['--repl-diskless-sync-delay', '0']);
/** Where the name of the master leads. */
let name: { port: number };
let way: TcpServer;

beforeEach(async () => {
  name = { port: first.port };
  way = await detour(name);
});
afterEach(async () => {
  for (const { observer } of [first, second]) {
    await observer.replicaof('NO', 'ONE');
    await observer.config('SET', 'replica-serve-stale-data', 'yes');
    await observer.flushall();
  }
});

/** Makes the first one a replica of the second, without a word to its clients. */
async function demote(): Promise<void> {
  await first.observer.replicaof('127.0.0.1', second.port);
}

/** A failover as managed services do it: the name leads to the new master, and old connections live on. */
async function failOver(): Promise<void> {
  name.port = second.port;
  await demote();
}

const poolTo = (options: PoolOptions = {}): Pool => testPool({ redis: { port: way.port }, ...options });

describe('a master that has become a replica behind its name', () => {
  test('is left by pool.redis, and no write fails nor is lost', async () => {
    const pool = poolTo({ name: 'shared' });
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => pool.redis.set(key, 'old')));
    await failOver();
    await Promise.all(keys.map((key) => pool.redis.set(key, 'new')));
    expect(await second.observer.mget(keys)).toEqual(keys.map(() => 'new'));
    await until('the old one is left', async () => (await first.clients('shared')).length === 0);
    expect(pool.stats().closed).toMatchObject({ cleared: 0, broken: 0 });
    expect(pool.stats().closed.stale).toBeGreaterThan(0);
    expectBalanced(pool.stats());
  });

  test('is left once one lease has met it: idle connections too', async () => {
    const pool = poolTo({ maxActive: 4 });
    const leases = await Promise.all([1, 2, 3].map(() => pool.acquire()));
    const [held] = leases;
    for (const lease of leases.slice(1)) lease.release();
    await failOver();
    await expect(pool.use((redis) => redis.set('k', 'v'))).rejects.toThrow(/^READONLY/);
    expect(await pool.use((redis) => redis.set('k', 'v'))).toBe('OK');
    expect(await second.observer.get('k')).toBe('v');
    await until('the idle ones are closed', () => pool.stats().closed.stale === 2);
    held?.release();
    expect(pool.stats().closed.stale).toBe(3);
  });

  const script = "return redis.call('SET', KEYS[1], 'v')";
  test.each<[string, (pool: Pool) => Promise<unknown>]>([
    [
      'a pipeline',
      (pool) => pool.use(async (redis) => (await redis.pipeline().get('k').set('k', 1).exec())?.[1]?.[0]),
    ],
    ['a transaction', (pool) => pool.use((redis) => redis.multi().set('k', 1).exec())],
    ['a script', (pool) => pool.use((redis) => redis.eval(script, 1, 'k'))],
    ['a script in a transaction', (pool) => pool.use((redis) => redis.multi().eval(script, 1, 'k').exec())],
    ['a command with a connection of its own', (pool) => pool.redis.blpop('k', 1)],
  ])('is left when %s of one connection tells of it', async (_, write) => {
    const pool = poolTo();
    await pool.redis.ping();
    await failOver();
    await write(pool).catch(() => {});
    await until('it is stale', () => pool.stats().closed.stale === 1);
    expect(await pool.use((redis) => redis.set('k', 'v'))).toBe('OK');
  });

  test('is not well, until the name leads to a master', async () => {
    const pool = poolTo();
    expect(await pool.health()).toMatchObject({ ok: true });
    await demote();
    await until('it is a replica', async () => /role:slave/.test(await first.observer.info()));
    expect(await pool.health()).toMatchObject({ ok: true }); // nobody knows yet
    await expect(pool.use((redis) => redis.set('k', 'v'))).rejects.toThrow(/^READONLY/);
    expect(await pool.health()).toMatchObject({
      ok: false,
      error: 'Redis refuses writes: READONLY, it is a replica',
    });
    name.port = second.port;
    await until('it is well again', async () => (await pool.health()).ok);
    expect(await pool.use((redis) => redis.set('k', 'v'))).toBe('OK');
  });

  test('is looked away from no more than ten times a second, and reads go on', async () => {
    const pool = poolTo({ maxActive: 10, acquireTimeoutMs: 1000 });
    await pool.redis.set('k', 'v');
    await demote();
    await until('it has the data of the other one', async () =>
      /master_link_status:up/.test(await first.observer.info()),
    );
    const since = performance.now();
    const before = way.accepted;
    const errors = new Set<string>();
    let read = 0;
    const write = pool.redis.set('k', 'w').catch((error: Error) => errors.add(error.message));
    while (performance.now() - since < 2500) {
      await Promise.all(
        Array.from({ length: 10 }, () =>
          pool.use((redis) => redis.set('k', 'w')).catch((error: Error) => errors.add(error.message)),
        ),
      );
      await pool.redis.get('other').then(() => read++);
    }
    await write;
    const seconds = (performance.now() - since) / 1000;
    expect(way.accepted - before).toBeLessThanOrEqual(10 + 10 * Math.ceil(seconds));
    expect(read).toBeGreaterThan(0);
    expect([...errors]).toEqual([expect.stringMatching(/^READONLY/)]);
    expectBalanced(pool.stats());
  });
});

describe('a pool whose server is meant to be a replica', () => {
  test.each<[string, (pool: Pool) => Promise<unknown>]>([
    ['pool.redis', (pool) => pool.redis.set('k', 'v')],
    ['a lease', (pool) => pool.use((redis) => redis.set('k', 'v'))],
  ])('with readOnly keeps its connections, and tells at once, over %s', async (_, write) => {
    await demote();
    const pool = testPool({ redis: { port: way.port, readOnly: true } });
    await pool.redis.get('k');
    await expect(write(pool)).rejects.toThrow(/^READONLY/);
    await expect(write(pool)).rejects.toThrow(/^READONLY/);
    expect(pool.stats()).toMatchObject({ connected: 1, closed: { stale: 0 } });
    expect(await pool.health()).toMatchObject({ ok: true });
  });

  test('though it does not say so, tells at once of a write: no master was ever seen there', async () => {
    await demote();
    const pool = poolTo();
    await expect(pool.redis.set('k', 'v')).rejects.toThrow(/^READONLY/);
    expect(pool.stats().queuedCommands).toBe(0);
    expect((await pool.health()).ok).toBe(false);
    // It may have come up in the midst of a failover.
    name.port = second.port;
    await until('it is well', async () => (await pool.health()).ok);
    expect(await pool.redis.set('k', 'v')).toBe('OK');
  });
});

describe('over pool.redis, a write that met a replica', () => {
  test('goes whole if it is a transaction, with bytes and scripts in it', async () => {
    const pool = poolTo();
    await pool.redis.set('n', 1);
    await failOver();
    const made = pool.redis
      .multi()
      .incr('n')
      .set('b', Buffer.of(255))
      .get('n')
      .eval("return redis.call('INCR', 'n')", 1, 'n');
    expect(await made.exec()).toEqual([
      [null, 1],
      [null, 'OK'],
      [null, '1'],
      [null, 2],
    ]);
    expect(await second.observer.getBuffer('b')).toEqual(Buffer.of(255));
    await failBack();
    const piped = pool.redis.pipeline([['multi'], ['set', 'x', 1], ['get', 'x'], ['exec'], ['set', 'y', 2]]);
    expect(await piped.exec()).toEqual([
      [null, 'OK'],
      [null, 'QUEUED'],
      [null, 'QUEUED'],
      [null, ['OK', '1']],
      [null, 'OK'],
    ]);
    expect(await first.observer.mget('x', 'y')).toEqual(['1', '2']);
  });

  test('of a pipeline that has read already stays what it is', async () => {
    const pool = poolTo();
    await pool.redis.ping();
    await failOver();
    const [get, set] = (await pool.redis.pipeline().get('k').set('k', 1).exec()) ?? [];
    expect(get).toEqual([null, null]);
    expect(set?.[0]?.message).toMatch(/^READONLY/);
    expect(await second.observer.exists('k')).toBe(0);
  });

  test('runs as a script of its own name, with a callback, and where sendCommand is wrapped', async () => {
    const sent: string[] = [];
    const pool = poolTo({
      createClient: (options) => {
        const client = newClient(options);
        const { sendCommand } = client;
        client.sendCommand = (...args) => {
          sent.push(args[0].name);
          return sendCommand.apply(client, args);
        };
        return client;
      },
    });
    pool.redis.defineCommand('bump', { lua: "return redis.call('INCR', KEYS[1])", numberOfKeys: 1 });
    const bump = (): Promise<number> =>
      (pool.redis as unknown as { bump(key: string): Promise<number> }).bump('n');
    expect(await bump()).toBe(1);
    await failOver();
    expect(await bump()).toBe(1);
    const called = new Promise((resolve) =>
      pool.redis.set('k', 'v', (error, reply) => resolve(error ?? reply)),
    );
    expect(await called).toBe('OK');
    expect(sent.filter((one) => /^eval/.test(one)).length).toBeGreaterThanOrEqual(3);
    expect(await second.observer.mget('n', 'k')).toEqual(['1', 'v']);
  });

  test('is reported once to whoever wraps sendCommand of all clients, as OpenTelemetry does', async () => {
    const told: string[] = [];
    const { sendCommand } = Redis.prototype;
    Redis.prototype.sendCommand = function (this: Redis, command, ...rest) {
      const sent = sendCommand.call(this, command, ...rest);
      if (command.name === 'set') {
        told.push('start');
        command.promise.then(
          () => told.push('end'),
          () => told.push('error'),
        );
      }
      return sent;
    };
    onTestFinished(() => {
      Redis.prototype.sendCommand = sendCommand;
    });
    const pool = poolTo();
    await pool.redis.ping();
    await failOver();
    expect(await pool.redis.set('k', 'v')).toBe('OK');
    expect(await second.observer.get('k')).toBe('v');
    expect(told.filter((one) => one !== 'start')).toEqual(['end']);
    expect(told[0]).toBe('start');
  });

  test('gets what Redis said when the name still leads there as its time is over', async () => {
    const pool = poolTo({ acquireTimeoutMs: 700 });
    await pool.redis.ping();
    await demote();
    const since = performance.now();
    await expect(pool.redis.set('k', 'v')).rejects.toThrow(/^READONLY/);
    expect(performance.now() - since).toBeGreaterThanOrEqual(690);
    expect(pool.stats()).toMatchObject({ queuedCommands: 0, timedOut: 0 });
  });

  test('waits until the name leads to the new master', async () => {
    const pool = poolTo();
    await pool.redis.ping();
    await demote();
    const write = pool.redis.set('k', 'v');
    await until('it was tried over a new connection', () => pool.stats().connected > 1);
    name.port = second.port;
    expect(await write).toBe('OK');
    expect(await second.observer.get('k')).toBe('v');
  });

  test('is not lost under load, on both doors, once it was acknowledged', async () => {
    const pool = poolTo({ maxActive: 5 });
    const acknowledged: string[] = [];
    let over = false;
    let failedShared = 0;
    const write = async (key: string, send: () => Promise<unknown>): Promise<boolean> => {
      try {
        await send();
        acknowledged.push(key);
        return true;
      } catch {
        return false;
      }
    };
    const load = Array.from({ length: 10 }, async (_, caller) => {
      for (let i = 0; !over; i++) {
        const key = `${caller}:${i}`;
        if (caller % 2 === 0) failedShared += Number(!(await write(key, () => pool.redis.set(key, 1))));
        else await write(key, () => pool.use((redis) => redis.set(key, 1)));
      }
    });
    await until('there is load', () => acknowledged.length > 500);
    // As a managed failover does it: the new master has all that the old one acknowledged, and then takes over.
    await first.observer.client('PAUSE', 60_000, 'WRITE');
    const before = acknowledged.length;
    const keys = await first.observer.keys('*');
    await second.observer.mset(keys.flatMap((key) => [key, '1']));
    name.port = second.port;
    await first.observer.replicaof('127.0.0.1', second.port);
    await first.observer.client('UNPAUSE');
    await until('there is load again', () => acknowledged.length > before + 500);
    over = true;
    await Promise.all(load);
    expect(failedShared).toBe(0);
    expect(await second.observer.exists(...acknowledged)).toBe(acknowledged.length);
    expectBalanced(pool.stats());
  });
});

/** And back again. */
async function failBack(): Promise<void> {
  await first.observer.replicaof('NO', 'ONE');
  name.port = first.port;
  await second.observer.replicaof('127.0.0.1', first.port);
}

describe('what a user says with reconnectOnError', () => {
  test.each([true, 1, 2])(
    '%s makes the connection stale of which it was asked, and a lease keeps its error',
    async (verdict) => {
      const asked: Error[] = [];
      const reconnectOnError = (error: Error) => {
        asked.push(error);
        return verdict as true | 1 | 2;
      };
      const pool = testPool({ redis: { port: way.port, reconnectOnError } });
      await first.observer.set('text', 'x');
      await pool.use(async (redis) => {
        await expect(redis.incr('text')).rejects.toThrow(/not an integer/);
        await pool.use((other) => other.ping());
        expect(await redis.ping()).toBe('PONG');
      });
      expect(asked).toEqual([expect.objectContaining({ command: { name: 'incr', args: ['text'] } })]);
      expect(pool.stats()).toMatchObject({ connected: 2, idle: 1, closed: { stale: 1 } });
    },
  );

  test('2 has pool.redis send the command again over another connection, until its time is over', async () => {
    let asked = 0;
    const reconnectOnError = (): 2 => {
      asked++;
      return 2;
    };
    const pool = testPool({ redis: { port: way.port, reconnectOnError } });
    await first.observer.set('text', 'x');
    const counted = pool.redis.incr('text');
    await until('it was sent once', () => asked > 0);
    await first.observer.set('text', '1');
    expect(await counted).toBe(2);
    expect(pool.stats().closed.stale).toBeGreaterThanOrEqual(1);
    await first.observer.set('text', 'x');
    const impatient = testPool({ redis: { port: way.port, reconnectOnError }, acquireTimeoutMs: 300 });
    await expect(impatient.redis.incr('text')).rejects.toThrow(/not an integer/);
  });

  test('and throws hurts nobody', async () => {
    const warned: string[] = [];
    const listen = (warning: Error): void => void warned.push(warning.message);
    process.on('warning', listen);
    onTestFinished(() => void process.off('warning', listen));
    const reconnectOnError = (): false => {
      throw new Error('oh');
    };
    const pool = testPool({ redis: { port: way.port, reconnectOnError } });
    await first.observer.set('text', 'x');
    await expect(pool.redis.incr('text')).rejects.toThrow(/not an integer/);
    expect(await pool.redis.get('text')).toBe('x');
    expect(pool.stats()).toMatchObject({ connected: 1, closed: { stale: 0 } });
    await until('it is told', () => warned.some((one) => /reconnectOnError threw/.test(one)));
  });

  test('as a promise means nothing, as to ioredis', async () => {
    const reconnectOnError = (async () => {
      throw new Error('oh');
    }) as unknown as () => boolean;
    const pool = testPool({ redis: { port: way.port, reconnectOnError } });
    await expect(pool.redis.call('GET')).rejects.toThrow(/wrong number/);
    await pool.use((redis) => redis.ping());
    expect(pool.stats().closed.stale).toBe(0);
  });

  test('of a client that createClient makes counts, and of a dial nothing', async () => {
    const asked: string[] = [];
    const pool = testPool({
      redis: { port: way.port },
      createClient: (options) =>
        newClient({ ...options, reconnectOnError: ({ message }) => asked.push(message) > 0 }),
    });
    await expect(pool.redis.call('GET')).rejects.toThrow(/wrong number/);
    await until('its connection is closed', () => pool.stats().closed.stale === 1);
    expect(asked).toHaveLength(1);
  });

  test('always is no storm of dials', async () => {
    const pool = testPool({ redis: { port: way.port, reconnectOnError: () => true } });
    await first.observer.set('text', 'x');
    const since = performance.now();
    while (performance.now() - since < 1500) {
      await pool.redis.incr('text').catch(() => {});
      await pool.use((redis) => redis.incr('text')).catch(() => {});
    }
    expect(way.accepted).toBeLessThanOrEqual(10 + 10 * ((performance.now() - since) / 1000));
  });
});
