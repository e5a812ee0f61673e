import { connect, type Socket } from 'node:net';
import type { Redis, RedisOptions } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { PoolOptions } from '../../src/index.ts';
import { newClient, poolErrorOf, timed, until, useServer } from '../helpers/redis.ts';
import { mute, tcpServer } from '../helpers/tcp-server.ts';

const server = useServer();

/** Something in the life of a connection that never ends, as long as `ill` says so. */
class Hang {
  ill = true;
  /** How often it has hung. */
  begun = 0;
  /** Ends what hangs, late. */
  readonly ends: (() => void)[] = [];

  /** Never settles while all is ill; `late` is what it comes to when it is ended after all. */
  hang<T>(well: () => T, late: () => T = well): T | Promise<T> {
    if (!this.ill) return well();
    this.begun++;
    return new Promise((resolve) => this.ends.push(() => resolve(late())));
  }
}

/** A connector of the user's own, as for a tunnel. */
function connectorOf(hang: Hang, sockets: Socket[]): NonNullable<RedisOptions['Connector']> {
  class Own {
    connect(): Promise<Socket> {
      const dial = (): Socket => {
        const socket = connect(server.port, '127.0.0.1');
        sockets.push(socket);
        return socket;
      };
      return Promise.resolve(hang.hang(dial));
    }
    disconnect(): void {
      for (const socket of sockets) socket.end();
    }
    check(): boolean {
      return true;
    }
  }
  return Own as unknown as NonNullable<RedisOptions['Connector']>;
}

/** What can hang while a connection is made. Each ignores whatever signal it is given. */
const DIALS: [what: string, blamed: RegExp, make: (hang: Hang) => PoolOptions | Promise<PoolOptions>][] = [
  ['createClient', /createClient/, (hang) => ({ createClient: (o) => hang.hang(() => newClient(o)) })],
  ['onConnect', /onConnect/, (hang) => ({ onConnect: () => hang.hang(() => {}) })],
  [
    "a Connector's connect()",
    /did not answer/,
    (hang) => ({ redis: { port: server.port, Connector: connectorOf(hang, []) } }),
  ],
  [
    'a sentinel that accepts and is mute',
    /no sentinel told .* sentinel 127\.0\.0\.1:\d+ (did not answer|because Command timed out)/,
    async (hang) => {
      const silent = await tcpServer((socket) => {
        mute(socket);
        hang.begun++;
      });
      return {
        redis: {
          ...{ port: server.port, name: 'mymaster', sentinels: [{ host: '127.0.0.1', port: silent.port }] },
          sentinelCommandTimeout: 60_000,
        },
        // Once all is well the sentinel is of no concern: another way leads to the server.
        createClient: (o) => newClient(hang.ill ? o : { ...o, sentinels: null as never, port: server.port }),
      };
    },
  ],
];

describe.each(DIALS)('while %s never ends', (_, blamed, make) => {
  const small = { maxActive: 2, acquireTimeoutMs: 3000, connectTimeoutMs: 100 };

  test('dials fail in time, no place is lost, and when all is well again the pool serves', async () => {
    const hang = new Hang();
    const pool = server.pool({ ...small, redis: server.url, ...(await make(hang)) });
    for (let i = 0; i < 4; i++) {
      const { cause } = await poolErrorOf(
        until('the back-off is over', () => pool.stats().total === 0).then(async () => {
          const { connectFailed } = pool.stats();
          for (;;) {
            const error = await pool.acquire().catch((reason: unknown) => reason);
            if (pool.stats().connectFailed > connectFailed) throw error;
          }
        }),
        'POOL_CONNECT_FAILED',
      );
      expect(String(cause)).toMatch(blamed);
      await until('its place is free', () => pool.stats().total === 0);
    }
    expect(pool.stats()).toMatchObject({ closing: 0, connecting: 0, connected: 0 });
    hang.ill = false;
    await until('it serves again', () => pool.use((redis) => redis.ping()).catch(() => false as const));
    for (const end of hang.ends) end();
    await until('what came too late is gone', async () => (await server.clients()).length === 1);
  });

  test.each([
    [0, 30_000],
    [50, 30_000],
    [0, Infinity],
    [50, Infinity],
  ])('close() with graceMs %d and connectTimeoutMs %d resolves', async (graceMs, connectTimeoutMs) => {
    const hang = new Hang();
    const pool = server.pool({ ...small, redis: server.url, ...(await make(hang)), connectTimeoutMs });
    const caller = poolErrorOf(pool.acquire(), 'POOL_CLOSED');
    await until('it hangs', () => hang.begun > 0);
    const { ms } = await timed(() => pool.close({ graceMs }));
    await caller;
    expect(ms).toBeLessThan(20_000);
    expect(pool.stats()).toMatchObject({ total: 0, closing: 0 });
    for (const end of hang.ends) end();
    await until('what came too late is gone', async () => (await server.clients()).length === 0);
  });

  test('an acquire ends at its deadline, be there no limit for the dial', async () => {
    const hang = new Hang();
    const made = await make(hang);
    const pool = server.pool({ ...small, redis: server.url, ...made, connectTimeoutMs: Infinity });
    await poolErrorOf(pool.acquire({ timeoutMs: 60 }), 'POOL_ACQUIRE_TIMEOUT');
    await pool.close();
    expect(pool.stats().total).toBe(0);
  });
});

test('a socket that a Connector comes up with too late is destroyed before anything is sent over it', async () => {
  const hang = new Hang();
  const sockets: Socket[] = [];
  const told: string[] = [];
  const listening = await tcpServer((socket) => void socket.on('data', (data) => told.push(data.toString())));
  const Connector = connectorOf(hang, sockets);
  const pool = server.pool({
    redis: { port: listening.port, Connector, password: 'secret' },
    connectTimeoutMs: 50,
  });
  await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  await until('its place is free', () => pool.stats().total === 0);
  for (const end of hang.ends) end();
  await until('the socket came', () => sockets.length === 1);
  await until('and is gone', () => sockets.every(({ destroyed }) => destroyed));
  expect(told).toEqual([]);
});

test("createClient has a signal, aborted when the dial is over: with the dial's own error, or by close()", async () => {
  const signals: AbortSignal[] = [];
  const pool = server.pool({
    connectTimeoutMs: 60,
    createClient: (_, { signal }) => {
      signals.push(signal);
      return new Promise<Redis>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  });
  const { cause } = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  expect(signals[0]?.reason).toBe(cause);
  const closed = server.pool({
    createClient: (_, { signal }) => {
      signals.push(signal);
      return new Promise<Redis>(() => {});
    },
  });
  const caller = poolErrorOf(closed.acquire(), 'POOL_CLOSED');
  await until('it is asked', () => signals.length === 2);
  expect(signals[1]?.aborted).toBe(false);
  await closed.close();
  await caller;
  expect(signals[1]?.aborted).toBe(true);
});

test('what createClient comes up with too late is ended, whatever it is', async () => {
  for (const late of [undefined, null, {}, { disconnect: () => expect.fail('it throws') }]) {
    const hang = new Hang();
    const pool = server.pool({
      connectTimeoutMs: 50,
      createClient: () => hang.hang<Redis>(() => late as never),
    });
    await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
    for (const end of hang.ends) end();
    await pool.close();
  }
});

test.each([
  ['time-outs are off', Infinity],
  ['they are not', 100],
])('a testOnBorrow that never ends holds no place for good, where %s', async (_, connectTimeoutMs) => {
  const hang = new Hang();
  const options = { maxActive: 1, connectTimeoutMs, acquireTimeoutMs: 300 };
  const pool = server.pool({ ...options, testOnBorrow: () => hang.hang(() => {}) });
  await pool.use((redis) => redis.ping());
  await pool.acquire({ timeoutMs: 50 }).then(
    () => expect.fail('it was lent'),
    () => {},
  );
  expect(hang.begun).toBe(1);
  hang.ill = false;
  expect(await pool.use((redis) => redis.ping())).toBe('PONG');
  hang.ill = true;
  const caller = poolErrorOf(pool.acquire(), 'POOL_CLOSED');
  await until('it hangs', () => hang.begun === 2);
  await pool.close({ graceMs: 0 });
  await caller;
});
