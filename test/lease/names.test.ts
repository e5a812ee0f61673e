import { Command, type Redis, type RedisOptions } from 'ioredis';
import { version } from 'ioredis/package.json';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { newClient, until, useServer } from '../helpers/redis.ts';

const server = useServer();

beforeAll(async () => {
  const { observer } = server;
  await observer.hset('h', { a: '1', b: '2' });
  await observer.zadd('z', 1, 'x', 2.5, 'y');
  await observer.zadd('z2', 1, 'x');
  await observer.xadd('s', '1-1', 'f', 'v');
});

/** What ioredis gives another form, by the name as it is written, and what it does not. */
const COMMANDS: readonly (readonly [name: string, ...args: (string | number)[]])[] = [
  ['hgetall', 'h'],
  ['hrandfield', 'h', 5, 'WITHVALUES'],
  ['zrange', 'z', 0, -1, 'WITHSCORES'],
  ['zrangebyscore', 'z', 0, 5, 'WITHSCORES'],
  ['zrevrange', 'z', 0, -1, 'WITHSCORES'],
  ['zrevrangebyscore', 'z', 5, 0, 'WITHSCORES'],
  ['zdiff', 2, 'z', 'z2', 'WITHSCORES'],
  ['zinter', 2, 'z', 'z2', 'WITHSCORES'],
  ['zunion', 2, 'z', 'z2', 'WITHSCORES'],
  ['zrandmember', 'z', 5, 'WITHSCORES'],
  ['xread', 'STREAMS', 's', '0'],
  ['zscore', 'z', 'y'],
  ['config', 'GET', 'maxmemory'],
  ['get', 'nothing'],
];

const CASES: Record<string, (name: string) => string> = {
  'lower case': (name) => name,
  'upper case': (name) => name.toUpperCase(),
  'mixed case': (name) => `${name[0]?.toUpperCase()}${name.slice(1)}`,
};

type Way = (redis: Redis, name: string, args: (string | number)[]) => Promise<unknown>;
interface Chain {
  call(name: string, ...args: unknown[]): Chain;
  exec(): Promise<unknown>;
}

const WAYS: Record<string, Way> = {
  call: (redis, name, args) => redis.call(name, ...args),
  callBuffer: (redis, name, args) => redis.callBuffer(name, ...args),
  send_command: (redis, name, args) =>
    (redis as unknown as { send_command: Redis['call'] }).send_command(name, ...args),
  sendCommand: (redis, name, args) =>
    redis.sendCommand(new Command(name, args as string[], { replyEncoding: 'utf8' })) as Promise<unknown>,
  pipeline: (redis, name, args) => (redis.pipeline() as unknown as Chain).call(name, ...args).exec(),
  'pipeline over a connection of its own': async (redis, name, args) => {
    const chain = (redis.pipeline() as unknown as Chain).call(name, ...args).call('nosuchcommand');
    return ((await chain.exec()) as unknown[]).slice(0, 1);
  },
  multi: (redis, name, args) => (redis.multi() as unknown as Chain).call(name, ...args).exec(),
  'multi by call': (redis, name, args) =>
    (redis.pipeline() as unknown as Chain)
      .call('MULTI')
      .call(name, ...args)
      .call('EXEC')
      .exec(),
};

const OPTIONS: Record<string, RedisOptions & { protocol?: 2; replyMapping?: string }> = version.startsWith(
  '5',
)
  ? { 'ioredis 5': {} }
  : { RESP3: {}, RESP2: { protocol: 2 }, 'RESP3, mapped': { replyMapping: 'resp3' } };

describe.each(Object.entries(OPTIONS))('%s', (_, options) => {
  test.each(Object.entries(CASES))('names in %s get the reply that a bare client gets', async (_, cased) => {
    const redis = { port: server.port, ...options } as RedisOptions;
    const bare = newClient(redis);
    onTestFinished(() => bare.disconnect());
    const pool = server.pool({ redis });
    const lease = await pool.acquire();
    onTestFinished(() => lease.release());
    for (const [way, call] of Object.entries(WAYS)) {
      for (const [name, ...args] of COMMANDS) {
        const random = name.includes('rand');
        const sorted = (reply: unknown): unknown =>
          random ? [...JSON.stringify(reply)].sort().join('') : reply;
        const of = async (door: Redis): Promise<unknown> => sorted(await call(door, cased(name), args));
        const expected = await of(bare);
        expect([way, name, await of(pool.redis)]).toEqual([way, name, expected]);
        expect([way, name, await of(lease)]).toEqual([way, name, expected]);
      }
    }
  });
});

test('a subscription may be written as one likes, and its end too', async () => {
  await server.pool().use(async (lease) => {
    const heard: unknown[] = [];
    lease.on('message', (...message) => heard.push(message));
    expect(await lease.call('Subscribe', 'c')).toBe(1);
    expect(await lease.call('PSUBSCRIBE', 'p*')).toBe(2);
    await server.observer.publish('c', 'hello');
    await until('it is heard', () => heard.length === 1);
    expect(heard).toEqual([['c', 'hello']]);
    expect(await lease.call('UNSUBSCRIBE', 'c')).toBe(1);
  });
});

test('what blocks in upper case is not waited for when its lease ends', async () => {
  const pool = server.pool();
  const lease = await pool.acquire();
  const blocked = lease.call('BLPOP', 'never', 0);
  blocked.catch(() => {});
  lease.release();
  await new Promise(setImmediate);
  expect(pool.stats().closed.dirty).toBe(1); // at once, or what comes for it meanwhile would be lost
  await expect(blocked).rejects.toThrow();
});
