import { type ChainableCommander, Redis, type RedisOptions } from 'ioredis';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { until, useServer } from '../helpers/redis.ts';

const server = useServer();
beforeEach(() => server.observer.flushall());

type Scripted = Record<'twice' | 'twiceBuffer' | 'keyed', (...args: unknown[]) => Promise<unknown>>;

/** Commands are written and replies are read by us where that is safe, and by ioredis where it is not. */
const WAYS: Record<string, RedisOptions> = {
  'the short way': {},
  'the long way, since ioredis has to time each command': { commandTimeout: 60_000 },
  'numbers as strings, which ioredis decodes': { stringNumbers: true },
  'friendly error stacks': { showFriendlyErrorStack: true },
};

describe.each(Object.entries(WAYS))('%s', (_, options) => {
  const redisOf = (more: RedisOptions = {}): Redis =>
    server.pool({ redis: { port: server.port, ...options, ...more } }).redis;
  const number = (n: number): unknown => (options.stringNumbers ? String(n) : n);

  test('commands, their Buffers, callbacks, call() and arguments of all kinds', async () => {
    const redis = redisOf();
    expect(await redis.set('k', 'välue')).toBe('OK');
    expect(await redis.get('k')).toBe('välue');
    expect(await redis.getBuffer('k')).toEqual(Buffer.from('välue'));
    expect(await redis.get('nothing')).toBeNull();
    const bytes = Buffer.from([0, 255, 13, 10, 36]);
    expect(await redis.set(Buffer.from('b'), bytes, 'EX', 100)).toBe('OK');
    expect(await redis.getBuffer('b')).toEqual(bytes);
    expect(await redis.mget(['k', 'nothing'])).toEqual(['välue', null]);
    expect(await redis.hset('h', { a: 1, b: null })).toEqual(number(2));
    expect(await redis.hgetall('h')).toEqual({ a: '1', b: '' });
    expect(await redis.mset(new Map([['m', '1']]))).toBe('OK');
    expect(await redis.call('GET', 'm')).toBe('1');
    expect(await redis.callBuffer('get', 'm')).toEqual(Buffer.from('1'));
    expect(await redis.zadd('z', 1.5, 'x')).toEqual(number(1));
    expect(await redis.zrange('z', '0', '-1', 'WITHSCORES')).toEqual(['x', '1.5']);
    expect(await new Promise((resolve) => redis.incr('m', (error, n) => resolve([error, n])))).toEqual([
      null,
      number(2),
    ]);
    await expect(redis.incr('k')).rejects.toMatchObject({ name: 'ReplyError', command: { name: 'incr' } });
    await expect(redis.call('nosuchcommand')).rejects.toThrow(/unknown command/);
  });

  test('pipelines and transactions, written in each way, and nested', async () => {
    const redis = redisOf();
    await redis.set('n', '1');
    expect(await redis.pipeline().incr('n').getBuffer('n').exec()).toEqual([
      [null, number(2)],
      [null, Buffer.from('2')],
    ]);
    expect(await redis.pipeline([['get', 'n']]).exec()).toEqual([[null, '2']]);
    expect(await redis.pipeline().exec()).toEqual([]);
    expect(await redis.multi().incr('n').get('n').exec()).toEqual([
      [null, number(3)],
      [null, '3'],
    ]);
    expect(await redis.multi([['incr', 'n']]).exec()).toEqual([[null, number(4)]]);
    const chain = redis.pipeline().get('n') as ChainableCommander & { multi(): ChainableCommander };
    const nested = chain.multi().incr('n').exec() as unknown as ChainableCommander;
    const results = await nested.get('n').exec();
    expect(results?.map(([, reply]) => reply)).toEqual(['4', 'OK', 'QUEUED', [number(5)], '5']);
    expect(
      await new Promise((resolve) =>
        redis
          .pipeline()
          .get('n')
          .exec((e, all) => resolve([e, all])),
      ),
    ).toEqual([null, [[null, '5']]]);
    const failed = await redis.pipeline().incr('n').lpush('n', 'x').exec();
    expect(failed?.[1]?.[0]?.message).toMatch(/WRONGTYPE/);
    await expect(redis.multi().call('nosuchcommand').exec()).rejects.toMatchObject({
      message: expect.stringMatching(/EXECABORT/),
      previousErrors: [expect.objectContaining({ message: expect.stringMatching(/unknown command/) })],
    });
  });

  test('scripts of the options and defined ones, also in pipelines, and after SCRIPT FLUSH', async () => {
    const redis = redisOf({
      scripts: { twice: { lua: 'return ARGV[1] .. ARGV[1]', numberOfKeys: 0 } },
    }) as Redis & Scripted;
    redis.defineCommand('keyed', { lua: 'return KEYS[1]', numberOfKeys: 1 });
    expect(await redis.twice('ab')).toBe('abab');
    expect(await redis.twiceBuffer('ab')).toEqual(Buffer.from('abab'));
    expect(await redis.keyed('k')).toBe('k');
    const pipeline = () => redis.pipeline() as unknown as Scripted & ChainableCommander;
    const chain = pipeline();
    chain.twice('c');
    chain.keyed('k');
    expect(await chain.exec()).toEqual([
      [null, 'cc'],
      [null, 'k'],
    ]);
    await redis.script('FLUSH');
    expect(await Promise.all(Array.from({ length: 20 }, () => redis.twice('d')))).toEqual(
      Array(20).fill('dd'),
    );
    await redis.script('FLUSH');
    const late = pipeline();
    late.twice('e');
    expect(await late.exec()).toEqual([[null, 'ee']]);
  });

  test('scan streams, and a key prefix', async () => {
    const redis = redisOf({ keyPrefix: 'p:' });
    await redis.mset({ a: '1', b: '2' });
    expect(await server.observer.get('p:a')).toBe('1');
    const seen: string[] = [];
    for await (const keys of redis.scanStream({ match: 'p:*' })) seen.push(...keys);
    expect(seen.sort()).toEqual(['p:a', 'p:b']);
    expect(await redis.pipeline().get('a').exec()).toEqual([[null, '1']]);
  });

  test('texts in all alphabets, among many that are ASCII', async () => {
    const redis = redisOf();
    const texts = Array.from({ length: 2000 }, (_, i) => (i % 7 === 0 ? `${i} – välue 値 🙂` : `value ${i}`));
    const ascii = texts.map((text) => text.slice(0, 2));
    for (const all of [ascii, texts, ascii, texts]) {
      expect(await Promise.all(all.map((text) => redis.echo(text)))).toEqual(all);
    }
    await redis.rpush('list', ...texts);
    expect(await redis.lrange('list', 0, -1)).toEqual(texts);
    expect((await redis.lrangeBuffer('list', 0, -1)).map(String)).toEqual(texts);
  });

  test('large values and many replies at once come back whole', async () => {
    const redis = redisOf();
    const large = 'xyz\r\n'.repeat(300_000);
    const all = await Promise.all([
      redis.set('large', large),
      redis.get('large'),
      redis.getBuffer('large'),
      redis.mget('large', 'nothing'),
      ...Array.from({ length: 5000 }, (_, i) => redis.echo(`${i}`)),
    ]);
    const [set, text, bytes, many] = all;
    expect(set).toBe('OK');
    expect(text === large && Buffer.from(large).equals(bytes as Buffer)).toBe(true);
    expect(JSON.stringify(many)).toBe(JSON.stringify([large, null]));
    expect(all.slice(4)).toEqual(Array.from({ length: 5000 }, (_, i) => `${i}`));
  });
});

test('a script runs on every lane, and on one that has it in its memory though the server has not', async () => {
  const pool = server.pool({ maxLanes: 4 });
  const redis = pool.redis as Redis & Scripted;
  redis.defineCommand('twice', { lua: 'return ARGV[1] .. ARGV[1]', numberOfKeys: 0 });
  for (let round = 0; round < 3; round++) {
    // Each on another connection, since the others are lent meanwhile.
    const leases = [];
    for (let i = 0; i < 3; i++) {
      expect(await redis.twice('x')).toBe('xx');
      leases.push(await pool.acquire());
    }
    await leases[0]?.script('FLUSH');
    for (const lease of leases) {
      lease.release();
      expect(await redis.twice('x')).toBe('xx');
    }
  }
});

test('after SCRIPT FLUSH a script is sent once, and again by its digest', async () => {
  const redis = server.pool().redis as Redis & Scripted;
  redis.defineCommand('twice', { lua: 'return ARGV[1] .. ARGV[1]', numberOfKeys: 0 });
  await redis.twice('x');
  await server.observer.script('FLUSH');
  await redis.twice('x');
  await server.observer.config('RESETSTAT');
  for (let i = 0; i < 3; i++) await redis.twice('x');
  const stats = await server.observer.info('commandstats');
  expect(stats).toContain('cmdstat_evalsha:calls=3,');
  expect(stats).not.toContain('cmdstat_eval:');
});

test('it passes for an ioredis client where one is expected', async () => {
  const pool = server.pool({ redis: { port: server.port, db: 3 } });
  const { redis } = pool;
  expect(pool.redis).toBe(redis);
  expect(redis).toBeInstanceOf(Redis);
  expect(redis.isCluster).toBe(false);
  expect(redis.mode).toBe('normal');
  expect(redis.options).toMatchObject({ port: server.port, db: 3 });
  expect(redis.constructor.name).not.toMatch(/^(Commander|Cluster)$/);
  expect(redis.status).toBe('ready');
  expect(await redis.connect()).toBeUndefined();
  expect('then' in redis).toBe(false);
  expect('scanIterator' in redis || 'masters' in redis).toBe(false);
  expect((redis as unknown as Record<string, unknown>)['rateLimit']).toBeUndefined();
  await redis.set('here', '1');
  expect(await server.observer.get('here')).toBeNull(); // it is in db 3
});

test('a duplicate is another view of the same pool: listeners, scripts and end of its own', async () => {
  const pool = server.pool();
  const other = pool.redis.duplicate() as Redis & Partial<Scripted>;
  const heard: string[] = [];
  for (const event of ['close', 'end']) other.on(event, () => heard.push(event));
  other.defineCommand('twice', { lua: 'return 1', numberOfKeys: 0 });
  expect((pool.redis as Partial<Scripted>).twice).toBeUndefined();
  expect(pool.redis.listenerCount('end')).toBe(0);
  await Promise.all([other.set('k', '1'), pool.redis.get('k')]);
  expect(pool.stats().connected).toBe(1);
  expect(await other.quit()).toBe('OK');
  await until('its end is told', () => heard.length === 2);
  expect(heard).toEqual(['close', 'end']);
  expect(other.status).toBe('end');
  await expect(other.get('k')).rejects.toThrow('Connection is closed.');
  expect(await pool.redis.get('k')).toBe('1');
  const prefixed = pool.redis.duplicate({ keyPrefix: 'd:' });
  await prefixed.set('k', '2');
  expect(await server.observer.get('d:k')).toBe('2');
  expect(() => pool.redis.duplicate({ db: 5 })).toThrow(/cannot change db/);
  expect(() => pool.redis.duplicate({ db: 0, port: server.port })).not.toThrow();
});

test('a borrower of the short way may still be a subclass, or instrumented, and then takes the long way', async () => {
  const names: string[] = [];
  class Traced extends Redis {
    override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
      names.push(args[0].name);
      return super.sendCommand(...args);
    }
  }
  const { redis } = server.pool({ createClient: (options) => new Traced(options) as unknown as Redis });
  expect(await redis.get('traced')).toBeNull();
  expect(await redis.pipeline().set('traced', '1').get('traced').exec()).toEqual([
    [null, 'OK'],
    [null, '1'],
  ]);
  expect(names.filter((name) => name === 'get' || name === 'set')).toEqual(['get', 'set', 'get']);
});

test("ioredis' own tracing sees multiplexed commands", async () => {
  const { tracingChannel } = await import('node:diagnostics_channel');
  const traced: unknown[] = [];
  const start = (context: unknown): void => void traced.push((context as { command: string }).command);
  const channel = tracingChannel('ioredis:command');
  channel.start.subscribe(start);
  onTestFinished(() => void channel.start.unsubscribe(start));
  const { redis } = server.pool();
  await redis.get('k');
  await redis.pipeline().get('k').get('l').exec();
  expect(traced.filter((name) => name === 'get')).toHaveLength(3);
});
