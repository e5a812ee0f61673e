import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { PoolError } from '../../src/index.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { poolErrorOf, testPool, until, useServer } from '../helpers/redis.ts';

const server = useServer();

test('a command that leaves state on its connection, or refers to it, is refused with an alternative', async () => {
  const pool = server.pool();
  const { redis } = pool;
  const refused: Record<string, () => Promise<unknown>> = {
    WATCH: () => redis.watch('k'),
    UNWATCH: () => redis.unwatch(),
    'MULTI without a pipeline': () => redis.multi({ pipeline: false }) as unknown as Promise<unknown>,
    MULTI: () => redis.call('MULTI'),
    EXEC: () => redis.exec(),
    DISCARD: () => redis.discard(),
    SELECT: () => redis.select(1),
    SUBSCRIBE: () => redis.subscribe('c'),
    PSUBSCRIBE: () => redis.psubscribe('c'),
    UNSUBSCRIBE: () => redis.unsubscribe('c'),
    MONITOR: () => redis.monitor(),
    AUTH: () => redis.auth('secret'),
    HELLO: () => redis.hello(3),
    RESET: () => redis.reset(),
    QUIT: () => redis.call('quit'),
    CLIENT: () => redis.client('SETNAME', 'x'),
    WAIT: () => redis.wait(1, 100),
    WAITAOF: () => redis.call('WAITAOF', 1, 0, 100),
    SCRIPT: () => redis.script('DEBUG', 'NO'),
  };
  for (const [name, send] of Object.entries(refused)) {
    const { message } = await poolErrorOf(send(), 'POOL_STATEFUL_COMMAND');
    expect(message).toContain(`${name} belongs to one connection`);
    expect(message).toContain('pool.use()');
  }
  expect(pool.stats()).toMatchObject({ connected: 0, total: 0 });
  expect(await redis.client('ID')).toBeGreaterThan(0);
  expect(await redis.script('EXISTS', 'x')).toEqual([0]);
});

test('one refused command rejects the whole pipeline, and nothing of it is sent', async () => {
  const { redis } = server.pool();
  await redis.set('untouched', '1');
  const pipelines = [
    redis.pipeline().incr('untouched').watch('k').incr('untouched'),
    redis.pipeline([
      ['incr', 'untouched'],
      ['select', '1'],
    ]),
    redis.pipeline().incr('untouched').subscribe('c'),
    redis.multi().incr('untouched').client('SETNAME', 'x'),
    redis.multi([
      ['incr', 'untouched'],
      ['wait', '1', '0'],
    ]),
    redis.pipeline().call('MULTI').incr('untouched'),
  ];
  for (const pipeline of pipelines) await poolErrorOf(pipeline.exec(), 'POOL_STATEFUL_COMMAND');
  const told: unknown[] = [];
  const calls = redis.pipeline().incr('untouched', (error) => told.push(error));
  const error = await new Promise((resolve) => void calls.watch('k').exec((reason) => resolve(reason)));
  expect(error).toMatchObject({ code: 'POOL_STATEFUL_COMMAND' });
  expect(told).toEqual([error]);
  expect(await redis.get('untouched')).toBe('1');
  expect(await redis.pipeline().get('untouched').exec()).toEqual([[null, '1']]);
});

test('blocking commands use a dedicated connection, and the commands that they wait for can be sent', async () => {
  const pool = server.pool({ maxActive: 3 });
  const { redis } = pool;
  const popped = [
    redis.blpop('q', 0),
    redis.call('BRPOP', 'q', 0),
    redis.blmove('q', 'r', 'LEFT', 'LEFT', 0),
  ];
  await until('two are blocked', async () => (await server.info('blocked_clients')) === 2);
  expect(pool.stats()).toMatchObject({ inUse: 2, acquired: 2 });
  expect(await redis.get('k')).toBeNull();
  await redis.rpush('q', '1', '2', '3');
  const got = await Promise.all(popped);
  expect(
    got
      .flat()
      .filter((one) => one !== 'q')
      .sort(),
  ).toEqual(['1', '2', '3']);
  await until('their connections rest', () => pool.stats().inUse === 0);
  expect(pool.stats()).toMatchObject({ acquired: 3, leaked: 0 });
});

test('XREAD and XREADGROUP use a dedicated connection only with BLOCK', async () => {
  const pool = server.pool();
  const { redis } = pool;
  await redis.xadd('s', '*', 'a', '1');
  await redis.xgroup('CREATE', 's', 'g', '0');
  expect(await redis.xread('COUNT', 1, 'STREAMS', 's', '0')).toHaveLength(1);
  expect(await redis.xreadgroup('GROUP', 'g', 'streams', 'STREAMS', 's', '>')).toHaveLength(1);
  expect(pool.stats().acquired).toBe(0);
  expect(await redis.xread('BLOCK', 1, 'STREAMS', 's', '$')).toBeNull();
  expect(await redis.call('XREADGROUP', 'GROUP', 'g', 'streams', 'block', 1, 'STREAMS', 's', '>')).toBeNull();
  await until('their connection rests', () => pool.stats().inUse === 0);
  expect(pool.stats().acquired).toBe(2);
});

test('a pipeline with a blocking command uses a dedicated connection; a transaction does not block', async () => {
  const pool = server.pool();
  const { redis } = pool;
  const pipeline = redis.pipeline().set('a', '1').blpop('w', 0).get('a').exec();
  await until('it waits', async () => (await server.info('blocked_clients')) === 1);
  expect(await redis.lpush('w', 'x')).toBe(1);
  expect(await pipeline).toEqual([
    [null, 'OK'],
    [null, ['w', 'x']],
    [null, '1'],
  ]);
  expect(pool.stats().acquired).toBe(1);
  expect(await redis.multi().blpop('w', 0).exec()).toEqual([[null, null]]);
  await until('it rests', () => pool.stats().inUse === 0);
  expect(pool.stats().acquired).toBe(1);
});

test('with one connection, blocking commands are refused, and unknown ones are not', async () => {
  const pool = server.pool({ maxActive: 1 });
  const { redis } = pool;
  const { message } = await poolErrorOf(redis.blpop('q', 0), 'POOL_STATEFUL_COMMAND');
  expect(message).toMatch(/BLPOP may block the only connection \(maxActive is 1\)/);
  await poolErrorOf(redis.pipeline().get('k').blpop('q', 0).exec(), 'POOL_STATEFUL_COMMAND');
  await expect(redis.call('some.module', 'x')).rejects.toThrow(/unknown command/);
  await until('it rests', () => pool.stats().inUse === 0);
  expect(pool.stats().acquired).toBe(1);
});

test('blocking commands beyond the limit wait in a line with a bound and a deadline', async () => {
  const clock = new FakeClock();
  const pool = server.pool({ maxActive: 2, maxWaiting: 1, acquireTimeoutMs: 50 }, clock);
  const { redis } = pool;
  const first = redis.blpop('none', 0);
  const second = poolErrorOf(redis.blpop('none', 0), 'POOL_ACQUIRE_TIMEOUT');
  const { message } = await poolErrorOf(redis.blpop('none', 0), 'POOL_EXHAUSTED');
  expect(message).toMatch(/1 connections run commands that may block, and 1 wait/);
  await until('the first blocks', async () => (await server.info('blocked_clients')) === 1);
  await clock.advance(50);
  await second;
  await redis.lpush('none', 'x');
  expect(await first).toEqual(['none', 'x']);
  await until('it rests', () => pool.stats().inUse === 0);
  expect(pool.stats()).toMatchObject({ timedOut: 1, exhausted: 1 });
});

test('a blocked command is rejected when the pool is closed, with that as the reason', async () => {
  const pool = server.pool();
  const lost = poolErrorOf((pool.redis as Redis).blpop('never', 0), 'POOL_CONNECTION_LOST');
  await until('it waits', async () => (await server.info('blocked_clients')) === 1);
  await pool.close({ graceMs: 20 });
  await lost;
});

test('commands that are refused together, also those for dedicated connections, are counted once', async () => {
  const pool = testPool({ redis: { host: '127.0.0.1', port: 1 } });
  const redis = pool.redis as Redis;
  await poolErrorOf(redis.get('k'), 'POOL_CONNECT_FAILED');
  const codes = await Promise.all(
    [
      redis.blpop('none', 1),
      redis.get('a'),
      redis.pipeline().get('b').set('c', '1').exec(),
      redis.call('NOBODY.KNOWS'),
      redis.multi().get('d').exec(),
      redis.pipeline().get('e').exec(),
    ].map((work) =>
      Promise.resolve(work).then(
        (replies) => (replies as [PoolError][])[0]?.[0].code,
        (error: PoolError) => error.code,
      ),
    ),
  );
  expect(new Set(codes)).toEqual(new Set(['POOL_CONNECT_FAILED']));
  expect(pool.stats().queuedCommands).toBe(0);
  expect(await redis.quit()).toBe('OK');
});

test('a listener that closes the pool while commands are sent leaves none of them unsettled', async () => {
  const pool = server.pool({ maxLanes: 4 });
  pool.on('connecting', () => void pool.close());
  const { redis } = pool;
  const work: Promise<unknown>[] = [];
  for (let i = 0; i < 3; i++) {
    work.push(redis.get('a'), redis.blpop('none', 1), redis.pipeline().get('b').exec());
    work.push(Promise.resolve((redis as Redis).call('NOBODY.KNOWS')), redis.multi().get('b').exec());
  }
  await Promise.allSettled(work);
  await pool.close();
  expect(pool.stats()).toMatchObject({ queuedCommands: 0, total: 0 });
});
