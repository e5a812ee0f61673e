import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { RedisOptions } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../tools/redis-server.js';
import { causeOf, poolErrorOf, testPool, until, useServer } from '../helpers/redis.ts';
import { mute, type TcpServer, tcpServer } from '../helpers/tcp-server.ts';

const server = useServer(['--requirepass', 'master-secret']);

/** A sentinel that says `reply` when it is asked for the master. */
function sentinel(reply: string): Promise<TcpServer> {
  return tcpServer((socket) => {
    socket.on('data', (data) => {
      for (const command of data.toString().split(/(?=\*\d+\r\n)/)) {
        const words = command.toLowerCase().split('\r\n');
        if (words.includes('get-master-addr-by-name')) socket.write(reply);
        else if (words.includes('sentinels')) socket.write('*0\r\n');
        else socket.write(words.includes('hello') ? "-ERR unknown command 'hello'\r\n" : '+OK\r\n');
      }
    });
  });
}

/** One that knows where the server is. */
function knowing(): Promise<TcpServer> {
  const port = String(server.port);
  return sentinel(`*2\r\n$9\r\n127.0.0.1\r\n$${port.length}\r\n${port}\r\n`);
}

/** A host that is off, as far as can be told: the kernel has no room for another connection, and drops its SYN. */
async function vanished(): Promise<{ port: number }> {
  const script = `const s = require('net').createServer(); s.listen({ port: 0, host: '127.0.0.1', backlog: 1 },
    () => { process.stdout.write(s.address().port + '\\n', () => process.kill(process.pid, 'SIGSTOP')); });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [data] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(data.toString());
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  // Those that find room connect at once; as soon as one does not, nobody will.
  for (let connected = 0; connected === sockets.length; ) {
    const socket = connect(port, '127.0.0.1').on('connect', () => connected++);
    sockets.push(socket.on('error', () => {}));
    for (let i = 0; i < 200 && connected < sockets.length; i++) await turn();
  }
  return { port };
}

const refusing = async (): Promise<{ port: number }> => ({ port: await freePort() });

const ignorant = (): Promise<TcpServer> => sentinel('*-1\r\n');

function options(sentinels: readonly { port: number }[], more: RedisOptions = {}): RedisOptions {
  const all = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  return {
    sentinels: all,
    name: 'mymaster',
    password: 'master-secret',
    sentinelPassword: 'secret-of-sentinels',
    ...more,
  };
}

const BAD: [what: string, make: () => Promise<{ port: number }>, reason: RegExp][] = [
  ["the first sentinel's host is off", vanished, /Command timed out/],
  ['the first sentinel accepts and is mute', () => tcpServer(mute), /Command timed out/],
  ['the first sentinel refuses', refusing, /ECONNREFUSED/],
  ['the first sentinel knows nothing', ignorant, /knows no master 'mymaster'/],
];

describe.each(BAD)('%s', (_, make, reason) => {
  test('the pool connects through the second, and later dials begin with that one', async () => {
    const [bad, good] = [await make(), await knowing()];
    const pool = testPool({ redis: options([bad, good]), connectTimeoutMs: 1500, maxActive: 3 });
    expect(await pool.use((redis) => redis.ping())).toBe('PONG');
    expect(pool.stats()).toMatchObject({ connected: 1, connectFailed: 0 });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    expect(pool.stats()).toMatchObject({ connected: 3, connectFailed: 0 });
    if ('accepted' in bad) expect(bad.accepted).toBe(1);
  });

  test('with nobody else to ask, the error says that it was a sentinel, which, and why, without a secret', async () => {
    const { port } = await make();
    const cause = await causeOf({ redis: options([{ port }]), connectTimeoutMs: 400 });
    expect(cause.message).toContain(`sentinel 127.0.0.1:${port}`);
    expect(cause.message).toMatch(reason);
    expect(cause.message).not.toMatch(/secret|the server closed/);
  });

  test('close() while it is asked resolves at once, and leaves no socket behind', async () => {
    const bad = await make();
    const pool = testPool({ redis: options([bad, await knowing()]), connectTimeoutMs: 60_000 });
    const caller = pool.acquire().then(
      (lease) => lease.release(),
      () => {},
    );
    for (let i = 0; i < 5; i++) await turn();
    await pool.close({ graceMs: 0 });
    await caller;
    expect(pool.stats().total).toBe(0);
    if ('sockets' in bad) await until('it is alone', () => (bad as TcpServer).sockets.size === 0, 1500);
  });
});

test('with all sentinels away the dial has failed as soon as all were asked, and each is named', async () => {
  const all = [await refusing(), await ignorant()];
  const pool = testPool({ redis: options(all), connectTimeoutMs: 60_000, acquireTimeoutMs: 10_000 });
  const { cause } = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  for (const { port } of all) expect(String(cause)).toContain(`127.0.0.1:${port} `);
});

test.each(['connectTimeout', 'sentinelCommandTimeout'])(
  'your own %s counts for sentinels',
  async (option) => {
    const [bad, good] = [
      option === 'connectTimeout' ? await vanished() : await tcpServer(mute),
      await knowing(),
    ];
    const redis = options([bad, good], { [option]: 100 });
    const pool = testPool({ redis, connectTimeoutMs: 30_000, acquireTimeoutMs: 5000 });
    expect(await pool.use((lease) => lease.ping())).toBe('PONG');
  },
);

test.each([Infinity, 600])(
  'your own, if they leave no time for another, leave a share (%d)',
  async (connectTimeoutMs) => {
    const [bad, good] = [await tcpServer(mute), await knowing()];
    const own = { connectTimeout: 500, sentinelCommandTimeout: connectTimeoutMs === 600 ? 60_000 : 300 };
    const pool = testPool({ redis: options([bad, good], own), connectTimeoutMs });
    expect(await pool.use((lease) => lease.ping())).toBe('PONG');
  },
);
