import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Connection } from '../../src/core/dependencies.ts';
import { Pool, type PoolOptions } from '../../src/index.ts';
import { checkMaxClientsOnce, mayBeTooMany, type Numbers, whyTooMany } from '../../src/ioredis/maxclients.ts';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { take } from '../helpers/outcomes.ts';
import { testPool, until, useServer } from '../helpers/redis.ts';

const small = useServer(['--maxclients', '20']);
const large = useServer();
const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});

beforeEach(() => void warn.mockClear());
afterEach(() => small.observer.call('ACL', 'SETUSER', 'default', '+@all'));

const warnings = (): string[] => warn.mock.calls.map(([text]) => String(text));

/** Once a pool's first connection stands, and what was sent over it is answered. */
async function connect(options: PoolOptions): Promise<Pool> {
  const pool = testPool({ redis: small.url, ...options });
  await pool.use((redis) => redis.ping());
  await settled();
  return pool;
}

test('a pool that the server has no room for warns once, with the numbers', async () => {
  const pool = await connect({ name: 'greedy', maxActive: 25 });
  const text =
    /^pool greedy: the server allows 20 clients \(maxclients\), but 1 process with maxActive 25 and \d other connections come to \d\d$/;
  expect(warnings()).toEqual([expect.stringMatching(text)]);
  expect(warn.mock.calls[0]?.[1]).toBe('PoolWarning');
  await take(pool, 3);
  pool.clear();
  await pool.use((redis) => redis.ping());
  expect(warnings().length).toBe(1);
});

test('pools of other processes under the same name count with all that they may open', async () => {
  const first = await connect({ name: 'sessions', maxActive: 8 });
  expect(warnings()).toEqual([]);
  await take(first, 8);
  await connect({ name: 'sessions', maxActive: 8 }); // two at least: 16, and the observer
  expect(warnings()).toEqual([]);
  const second = testPool({ redis: small.url, name: 'sessions', maxActive: 8 });
  await take(second, 7);
  warn.mockClear();
  await connect({ name: 'sessions', maxActive: 8 });
  expect(warnings()).toEqual([
    'pool sessions: the server allows 20 clients (maxclients), but 3 processes with maxActive 8 and 1 other connections come to 25',
  ]);
});

test('a usual pool sends nothing at all: the INFO of the dial is enough', async () => {
  const pool = large.pool({ maxActive: 50 });
  await pool.use((redis) => redis.ping());
  const stats = await large.observer.info('commandstats');
  expect(stats).toContain('cmdstat_info:');
  expect(stats).not.toMatch(/cmdstat_(config\|get|client\|list):/);
  expect(warnings()).toEqual([]);
});

test('without permission for the check there is no warning, and the pool connects all the same', async () => {
  await small.observer.call('ACL', 'SETUSER', 'someone', 'on', '>pw', '~*', '+@all', '-client|list');
  const url = `redis://someone:pw@127.0.0.1:${small.port}`;
  await connect({ redis: url, maxActive: 25 });
  await until('it is warned, for its own alone are too many', () => warnings().length === 1);
  warn.mockClear();
  const told = vi.spyOn(console, 'warn').mockImplementation(() => {}); // ioredis skips its ready check
  onTestFinished(() => void told.mockRestore());
  await small.observer.call('ACL', 'SETUSER', 'someone', '-info');
  await connect({ redis: url, maxActive: 25 });
  await connect({ redis: { host: '127.0.0.1', port: small.port, enableReadyCheck: false }, maxActive: 25 });
  expect(warnings()).toEqual([]);
});

test('the first borrower gets its connection before anything is answered', async () => {
  const pool = testPool({ redis: small.url, maxActive: 25 });
  const lease = await pool.acquire();
  const unanswered = lease.raw.commandQueue.length;
  expect(unanswered).toBe(1);
  expect(await lease.ping()).toBe('PONG');
  await until('it is warned', () => warnings().length === 1);
});

test.each<[string, unknown, number]>([
  ['a list, as in RESP2', ['maxclients', '20'], 1],
  ['a map, as in RESP3', { maxclients: '20' }, 1],
  ['nothing, as behind some proxies', [], 0],
  ['an error', new Error('ERR unknown command'), 0],
])(
  'a server that does not tell its limit in INFO is asked for it, and may answer with %s',
  async (_, reply, count) => {
    const config = vi.fn(async () => (reply instanceof Error ? Promise.reject(reply) : reply));
    const client = vi.fn(async () => 'id=1 addr=10.0.0.1:1 name=p age=0');
    const connection = { client: { config, client }, clients: { connected: 3 } } as unknown as Connection;
    checkMaxClientsOnce({ name: 'p', maxActive: 25 }, 'p')(connection);
    expect(config).toHaveBeenCalledWith('GET', 'maxclients');
    await settled();
    expect(warnings().length).toBe(count);
  },
);

test('a list that would be long is not asked for', async () => {
  const client = vi.fn(async () => '');
  const clients = { connected: 1001, max: 1010 };
  const survey = checkMaxClientsOnce({ name: 'p', maxActive: 25 }, 'p');
  survey({ client: { client }, clients } as unknown as Connection);
  await settled();
  expect(client).not.toHaveBeenCalled();
  expect(warnings()).toEqual([expect.stringContaining('1000 other connections come to 1025')]);
});

test('dependencies without the check switch it off', async () => {
  const looked: unknown[] = [];
  const deps = { checkMaxClients: (connection: unknown) => void looked.push(connection) };
  const pool = new (Pool as new (options: PoolOptions, deps: object) => Pool)(
    { redis: small.url, maxActive: 25 },
    deps,
  );
  await pool.use((redis) => redis.ping());
  await until('it is idle', () => pool.stats().idle === 1);
  expect([looked.length, warnings().length]).toEqual([1, 0]);
  await pool.close();
});

test('a pool on connections of another kind checks nothing', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 25_000 });
  await pool.use(() => {});
  expect(redis.dials[0]?.client.log).toEqual([]);
  expect(warnings()).toEqual([]);
  await pool.close();
});

const NUMBERS: Numbers = { connected: 1, maxClients: 100, maxActive: 10, clientName: 'sessions' };

const client = (name: string, address: string, age = 60): string =>
  `id=3 addr=${address}:50001 laddr=10.0.0.1:6379 fd=8 name=${name} age=${age} idle=0 lib-name=ioredis lib-ver=6`;

/** A reply to CLIENT LIST. */
const list = (...clients: string[]): string => `${clients.join('\n')}\n`;

const times = (count: number, line: string): string[] => Array.from({ length: count }, () => line);

test('a pool that has room for itself and its like is told nothing', () => {
  expect(whyTooMany(NUMBERS, undefined)).toBeUndefined();
  expect(whyTooMany({ ...NUMBERS, connected: 91 }, undefined)).toBeUndefined();
  const nine = Array.from({ length: 9 }, (_, i) => client('sessions', `10.0.0.${i}`));
  const others = times(10, client('jobs', '10.0.0.1'));
  expect(whyTooMany(NUMBERS, list(...nine, ...others))).toBeUndefined();
});

test('without a list, what is connected and this pool have to fit', () => {
  expect(whyTooMany({ ...NUMBERS, connected: 92 }, undefined)).toBe(
    'the server allows 100 clients (maxclients), but 1 process with maxActive 10 and 91 other connections come to 101',
  );
});

test('processes at other addresses under the same name count with all that they may open', () => {
  const ten = Array.from({ length: 10 }, (_, i) => client('sessions', `10.0.0.${i}`));
  expect(whyTooMany(NUMBERS, list(...ten))).toBeUndefined();
  expect(whyTooMany(NUMBERS, list(...ten, client('jobs', '10.0.0.1')))).toBe(
    'the server allows 100 clients (maxclients), but 10 processes with maxActive 10 and 1 other connections come to 101',
  );
});

test('more connections from one address than one pool may have are of several processes', () => {
  const twenty = times(20, client('sessions', '10.0.0.1'));
  expect(whyTooMany({ ...NUMBERS, maxClients: 20 }, list(...twenty))).toBeUndefined();
  const more = list(...twenty, client('sessions', '10.0.0.1'));
  expect(whyTooMany({ ...NUMBERS, maxClients: 29 }, more)).toContain('3 processes with maxActive 10');
});

test('young connections without a name do not count: they may be our own dials', () => {
  const young = list(client('sessions', '10.0.0.1'), ...times(4, client('', '10.0.0.1', 0)));
  expect(whyTooMany({ ...NUMBERS, maxClients: 10 }, young)).toBeUndefined();
  const old = list(client('sessions', '10.0.0.1'), client('', '10.0.0.1', 60));
  expect(whyTooMany({ ...NUMBERS, maxClients: 10 }, old)).toContain('1 other connections come to 11');
});

test.each([
  ['IPv6', '[::1]'],
  ['a unix socket', '/tmp/redis.sock'],
])('addresses may be of %s', (_, address) => {
  const one = list(client('sessions', address));
  expect(whyTooMany({ ...NUMBERS, maxClients: 9 }, one)).toContain('1 process with');
  expect(whyTooMany({ ...NUMBERS, maxClients: 10 }, one)).toBeUndefined();
});

test.each(['', 'OK', '\n\n', 'id=1 fd=3'])(
  'of a list that says nothing (%j) this process is left',
  (text) => {
    expect(whyTooMany(NUMBERS, text)).toBeUndefined();
    expect(whyTooMany({ ...NUMBERS, maxClients: 9 }, text)).toContain(
      '1 process with maxActive 10 and 0 other',
    );
  },
);

test('a limit that is not known is no reason', () => {
  expect(whyTooMany({ ...NUMBERS, maxClients: Number.NaN }, undefined)).toBeUndefined();
});

test('there is nothing to look at while each client could be a pool', () => {
  expect(mayBeTooMany(10, 10, 100)).toBe(false);
  expect(mayBeTooMany(11, 10, 100)).toBe(true);
  expect(mayBeTooMany(1, 10, undefined)).toBe(true);
});
