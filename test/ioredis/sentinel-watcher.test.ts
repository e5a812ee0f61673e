import type { Socket } from 'node:net';
import type { RedisOptions } from 'ioredis';
import { expect, test } from 'vitest';
import type { PoolOptions } from '../../src/index.ts';
import { freePort } from '../../tools/redis-server.js';
import { type TestServer, testPool, until, useServer } from '../helpers/redis.ts';
import { mute, type TcpServer, tcpServer } from '../helpers/tcp-server.ts';

const [first, second] = [useServer(), useServer()];

/** A sentinel of the test's own. */
interface FakeSentinel extends TcpServer {
  /** Where it says that the master is. */
  host: string;
  master: TestServer;
  /** It does not answer any more. */
  silent: boolean;
  /** It closes each connection over which it is asked something. */
  rude: boolean;
  /** It allows nobody to subscribe. */
  strict: boolean;
  /** All it was asked. */
  readonly asked: string[];
  /** Those that listen to it. */
  readonly listeners: Set<Socket>;
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

async function fakeSentinel(master: TestServer, host = '127.0.0.1'): Promise<FakeSentinel> {
  const server = await tcpServer((socket) => {
    const answer = ([name = '', ...args]: string[]): string => {
      if (name === 'sentinel' && args[0]?.startsWith('get')) {
        return `*2\r\n${bulk(sentinel.host)}${bulk(String(sentinel.master.port))}`;
      }
      if (name === 'sentinel') return '*0\r\n';
      if (name === 'hello') return "-ERR unknown command 'hello'\r\n";
      if (!name.endsWith('subscribe')) return '+OK\r\n';
      if (sentinel.strict) return `-NOPERM this user has no permissions to run the '${name}' command\r\n`;
      if (name === 'subscribe') sentinel.listeners.add(socket);
      else sentinel.listeners.delete(socket);
      return args.map((channel) => `*3\r\n${bulk(name)}${bulk(channel)}:1\r\n`).join('');
    };
    socket.on('close', () => sentinel.listeners.delete(socket));
    socket.on('data', (data) => {
      if (sentinel.rude) return void socket.destroy();
      for (const command of data.toString().split(/(?=\*\d+\r\n\$)/)) {
        const words = command.toLowerCase().split('\r\n');
        const said = words.filter((_, i) => i > 0 && i % 2 === 0).slice(0, Number(words[0]?.slice(1)));
        sentinel.asked.push(said.join(' '));
        if (!sentinel.silent) socket.write(answer(said));
      }
    });
  });
  const more = {
    host,
    master,
    silent: false,
    rude: false,
    strict: false,
    asked: [] as string[],
    listeners: new Set<Socket>(),
  };
  const sentinel = Object.assign(server, more);
  return sentinel;
}

/** It tells that there is another master. */
function move(sentinel: FakeSentinel, to: TestServer, channel = '+switch-master'): void {
  sentinel.master = to;
  const text = 'mymaster 127.0.0.1 1 127.0.0.1 2';
  for (const socket of sentinel.listeners)
    socket.write(`*3\r\n${bulk('message')}${bulk(channel)}${bulk(text)}`);
}

function poolOf(all: readonly { port: number }[], redis: RedisOptions = {}, more: PoolOptions = {}) {
  const sentinels = all.map(({ port }) => ({ host: '127.0.0.1', port }));
  return testPool({ redis: { sentinels, name: 'mymaster', ...redis }, ...more });
}

const portOf = async (pool: ReturnType<typeof poolOf>): Promise<number | undefined> =>
  pool.use((lease) => lease.config('GET', 'port')).then(([, port]) => Number(port));

test('who it asks is told a password and a name, and nothing that could come between answer and news', async () => {
  const sentinel = await fakeSentinel(first);
  const pool = poolOf([sentinel], { sentinelUsername: 'me', sentinelPassword: 'secret' }, { name: 'mine' });
  expect(await portOf(pool)).toBe(first.port);
  await until('it listens', () => sentinel.listeners.size === 1);
  expect(sentinel.asked.slice(sentinel.asked.findIndex((one) => one.startsWith('unsubscribe')) - 2)).toEqual([
    'auth me secret',
    'client setname mine',
    'unsubscribe +switch-master +promoted-slave',
    'sentinel get-master-addr-by-name mymaster',
    'subscribe +switch-master +promoted-slave',
  ]);
});

test.each(['+switch-master', '+promoted-slave'])(
  'on %s it moves, lanes and leases, without an error',
  async (channel) => {
    const sentinel = await fakeSentinel(first);
    const pool = poolOf([sentinel]);
    expect(await portOf(pool)).toBe(first.port);
    await until('it listens', () => sentinel.listeners.size === 1);
    move(sentinel, second, channel);
    await until('it has left', () => pool.stats().closed.stale === 1);
    expect(await portOf(pool)).toBe(second.port);
    expect(await pool.redis.config('GET', 'port')).toEqual(['port', String(second.port)]);
  },
);

test('one that dies or falls silent is left for the next, one socket at a time, and not asked in a storm', async () => {
  const [one, two] = [await fakeSentinel(first), await fakeSentinel(first)];
  const dead = { port: await freePort() };
  const pool = poolOf([one, two, dead]);
  await portOf(pool);
  await until('the first is heard', () => one.listeners.size === 1);
  for (const socket of one.sockets) socket.destroy();
  await until('the second is heard', () => two.listeners.size === 1);
  two.silent = true;
  // It is found out with the next question; the one after it refuses, so it is the first one's turn.
  await until('the first is heard again', () => one.listeners.size === 1);
  expect(two.sockets.size).toBe(0);
  expect(pool.stats().sentinelConnections).toBe(1);
  for (const sentinel of [one, two]) sentinel.rude = true;
  for (const socket of one.sockets) socket.destroy();
  const [tried, since] = [one.accepted + two.accepted, performance.now()];
  await until('it has tried again and again', () => one.accepted + two.accepted - tried === 6);
  expect(performance.now() - since).toBeGreaterThan(700); // at least 50, 100, 200 and 400, whoever is asked
});

test('what was switched while nobody listened is noticed with the first answer', async () => {
  const [one, two] = [await fakeSentinel(first), await fakeSentinel(first)];
  const pool = poolOf([one, two]);
  await portOf(pool);
  await until('the first is heard', () => one.listeners.size === 1);
  two.master = second;
  for (const socket of one.sockets) socket.destroy();
  await until('it has left', () => pool.stats().closed.stale === 1);
});

test('where no subscription is allowed it asks all the same', async () => {
  const sentinel = await fakeSentinel(first);
  sentinel.strict = true;
  const pool = poolOf([sentinel]);
  await portOf(pool);
  sentinel.master = second;
  await until('it has left', () => pool.stats().closed.stale === 1);
});

test.each([
  ['localhost', '127.0.0.1'],
  ['127.0.0.1', 'localhost'],
])('a master that one sentinel calls %s, and another %s, is the same', async (...names) => {
  const [one, two] = [await fakeSentinel(first, names[0]), await fakeSentinel(first, names[1])];
  const pool = poolOf([one, two]);
  const lease = await pool.acquire();
  await until('the first is heard', () => one.listeners.size === 1);
  for (const socket of one.sockets) socket.destroy();
  await until('the second is heard', () => two.listeners.size === 1);
  for (const socket of two.sockets) socket.destroy();
  await until('the first is heard again', () => one.listeners.size === 1);
  expect(await lease.ping()).toBe('PONG');
  lease.release();
  expect(pool.stats()).toMatchObject({ connected: 1, closed: { stale: 0 } });
});

test('natMap says where a server is, for it as for dials', async () => {
  const sentinel = await fakeSentinel(first, '10.0.0.1');
  const at = (server: TestServer) => [`10.0.0.1:${server.port}`, { host: '127.0.0.1', port: server.port }];
  const pool = poolOf([sentinel], { natMap: Object.fromEntries([at(first), at(second)]) });
  expect(await portOf(pool)).toBe(first.port);
  await until('it listens', () => sentinel.listeners.size === 1);
  expect(pool.stats()).toMatchObject({ idle: 1, closed: { stale: 0 } });
  move(sentinel, second);
  await until('it has left', () => pool.stats().closed.stale === 1);
  expect(await portOf(pool)).toBe(second.port);
});

test('its socket keeps no process alive, whether it is connected or not', async () => {
  const handles = (): number =>
    process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap').length;
  const sentinel = await fakeSentinel(first);
  const pool = poolOf([sentinel], {}, { idleTimeoutMs: 60_000 });
  await portOf(pool);
  await until('it listens', () => sentinel.listeners.size === 1);
  await until('the dial has let go of its sentinel', () => sentinel.sockets.size === 1);
  const before = handles();
  await pool.close();
  await until('nothing is left', () => sentinel.sockets.size === 0);
  // Of what was counted, the connection to Redis and the sentinel's own end of the other.
  expect(before - handles()).toBe(2);
});

test("sentinels with ioredis' failoverDetector get no socket more than without", async () => {
  const sentinel = await fakeSentinel(first);
  const pool = poolOf([sentinel], { failoverDetector: true });
  const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
  await until(
    'one is left, which listens',
    () => sentinel.sockets.size === 1 && sentinel.listeners.size === 1,
  );
  for (const lease of leases) lease.release();
});

test('close() while the sentinel is mute resolves at once', async () => {
  const [good, bad] = [await fakeSentinel(first), await tcpServer(mute)];
  const pool = poolOf([good, bad], { sentinelCommandTimeout: 20_000 }, { connectTimeoutMs: 60_000 });
  await portOf(pool);
  await until('the first is heard', () => good.listeners.size === 1);
  for (const socket of good.sockets) socket.destroy();
  await until('the second is asked', () => bad.sockets.size === 1);
  await pool.close();
  await until('nothing is left', () => bad.sockets.size === 0);
});
