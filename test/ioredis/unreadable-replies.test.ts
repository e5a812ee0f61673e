import { Command } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { isPoolError } from '../../src/index.ts';
import { Middle } from '../helpers/middle.ts';
import { expectBalanced, poolErrorOf, testPool, until, useServer } from '../helpers/redis.ts';

const server = useServer();

const nested = (levels: number): string => `local t={} for i=1,${levels} do t={t} end return t`;

/** How many lists a reply has, one within the other. */
function levelsOf(reply: unknown): number {
  let levels = 0;
  for (let list = reply; Array.isArray(list); list = list[0]) levels++;
  return levels;
}

/** What is thrown where nobody catches it. */
function uncaught(): unknown[] {
  const all: unknown[] = [];
  const hear = (one: unknown): void => void all.push(one);
  process.on('uncaughtException', hear).on('unhandledRejection', hear);
  onTestFinished(() => void process.off('uncaughtException', hear).off('unhandledRejection', hear));
  return all;
}

test('a reply that is nested too deep is refused to who asked for it, and to nobody else', async () => {
  const thrown = uncaught();
  const pool = server.pool({ maxLanes: 1 });
  await pool.redis.set('k', 'v');
  for (const levels of [4500, 6000, 7000]) {
    const [before, deep, after, piped] = await Promise.allSettled([
      pool.redis.get('k'),
      pool.redis.eval(nested(levels), 0),
      pool.redis.strlen('k'),
      pool.redis.pipeline().get('k').eval(nested(levels), 0).get('k').exec(),
    ]);
    expect(before).toMatchObject({ value: 'v' });
    expect(deep).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringMatching(/lists, one within/) },
    });
    expect(after).toMatchObject({ value: 1 });
    const [first, second, third] = (piped as PromiseFulfilledResult<[Error | null, unknown][]>).value;
    expect([first, third]).toEqual([
      [null, 'v'],
      [null, 'v'],
    ]);
    expect(second?.[0]).toBeInstanceOf(Error);
  }
  await pool.use(async (redis) => {
    const [deep, after] = await Promise.allSettled([redis.eval(nested(6000), 0), redis.get('k')]);
    expect(deep.status).toBe('rejected');
    expect(after).toMatchObject({ value: 'v' });
  });
  expect(pool.stats()).toMatchObject({ connected: 1, closed: { broken: 0 } });
  expect(thrown).toEqual([]);
});

test('as deep as ioredis itself reads, a reply is what it is', async () => {
  const pool = server.pool();
  for (const levels of [1, 31, 32, 33, 63, 64, 65, 500]) {
    expect(levelsOf(await pool.redis.eval(nested(levels - 1), 0))).toBe(levels);
    expect(levelsOf(await pool.use((redis) => redis.eval(nested(levels - 1), 0)))).toBe(levels);
  }
});

test('the same through a network that tears replies to pieces', async () => {
  const middle = await Middle.to(server.port);
  const pool = testPool({ redis: middle.url, maxLanes: 1 });
  await pool.redis.set('k', 'v');
  middle.inPieces = 100;
  const results = await Promise.allSettled([
    pool.redis.get('k'),
    pool.redis.eval(nested(300), 0),
    pool.redis.eval(nested(5000), 0),
    pool.redis.get('k'),
  ]);
  const [before, fine, deep, after] = results;
  expect(before).toMatchObject({ value: 'v' });
  expect(levelsOf((fine as PromiseFulfilledResult<unknown>).value)).toBe(301);
  expect(deep.status).toBe('rejected');
  // What ioredis has the beginning of cannot be taken back; then all that is owed is rejected.
  if (after.status === 'rejected') expect(isPoolError(after.reason, 'POOL_CONNECTION_LOST')).toBe(true);
  else expect(after.value).toBe('v');
  middle.inPieces = 0;
  expect(await pool.redis.get('k')).toBe('v');
});

test('an unreadable reply closes the connection: its pending commands reject with the reason, and the next connection works', async () => {
  const thrown = uncaught();
  const middle = await Middle.to(server.port);
  const pool = testPool({ redis: middle.url, maxLanes: 1 });
  await pool.redis.set('k', 'v');
  for (const send of [() => pool.redis.incr('n'), () => pool.use((redis) => redis.incr('n'))]) {
    middle.change = () => Buffer.from('secret reply of someone\r\n');
    const error = await poolErrorOf(send(), 'POOL_CONNECTION_LOST');
    middle.change = (reply) => reply;
    expect(error.cause).toMatchObject({ message: expect.stringMatching(/^protocol error/) });
    expect(JSON.stringify([error.message, error.cause, Object.entries(error.cause as Error)])).not.toMatch(
      /secret/,
    );
    expect(await pool.redis.get('k')).toBe('v');
  }
  expect(pool.stats().closed.broken).toBe(2);
  expectBalanced(pool.stats());
  expect(thrown).toEqual([]);
});

for (const hook of ['resolve', 'reject'] as const) {
  for (const error of [false, true]) {
    test(`a command whose ${hook} throws, ${error ? 'with an error' : 'with a value'} as reply, keeps nobody else waiting`, async () => {
      const thrown = uncaught();
      const pool = server.pool({ maxActive: 3, name: 'hooked' });
      await pool.redis.set('k', 'v');
      const others = [];
      const command = new Command(error ? 'hget' : 'get', error ? ['k', 'f'] : ['k'], {
        replyEncoding: 'utf8',
      });
      command.promise.catch(() => {});
      command[hook] = () => {
        throw new Error('of mine');
      };
      others.push(pool.redis.incr('n'), pool.redis.get('k'));
      pool.redis.sendCommand(command);
      others.push(pool.redis.incr('n'), pool.redis.get('k'), pool.redis.hget('k', 'f'));
      for (const result of await Promise.allSettled(others)) {
        if (result.status === 'fulfilled') expect(result.value).toSatisfy((one) => one === 'v' || one > 0);
        else
          expect(result.reason).toSatisfy(
            (one) => isPoolError(one, 'POOL_CONNECTION_LOST') || /WRONGTYPE/.test(String(one)),
          );
      }
      expect(await pool.redis.get('k')).toBe('v');
      await until('all rest', () => pool.stats().inUse === 0);
      expect(thrown).toEqual([]);
      expectBalanced(pool.stats());
    });
  }
}

for (const hook of ['resolve', 'reject'] as const) {
  test(`a command that is alone, and whose ${hook} throws, does not keep its place`, async () => {
    const thrown = uncaught();
    const pool = server.pool({ maxActive: 2 });
    await pool.redis.set('k', 'v');
    for (let i = 0; i < 3; i++) {
      const command = new Command(
        hook === 'resolve' ? 'object' : 'blpop',
        hook === 'resolve' ? ['help'] : ['k', '1'],
        {
          replyEncoding: 'utf8',
        },
      );
      if (hook === 'resolve') command.name = 'json.get';
      command.promise.catch(() => {});
      command.reject = () => {
        throw new Error('of mine');
      };
      pool.redis.sendCommand(command);
      await until('its connection is closed', () => pool.stats().closed.broken > i);
      await until('it came back', () => pool.stats().inUse === 0);
    }
    expect(await Promise.all([pool.redis.get('k'), pool.use((redis) => redis.get('k'))])).toEqual(['v', 'v']);
    expect(thrown).toEqual([]);
  });
}

test('a dead connection rejects all that it owes, though one of them throws at that', async () => {
  const thrown = uncaught();
  const middle = await Middle.to(server.port);
  const pool = testPool({ redis: middle.url, maxLanes: 1 });
  await pool.redis.get('k');
  const command = new Command('incr', ['n'], { replyEncoding: 'utf8' });
  command.reject = () => {
    throw new Error('of mine');
  };
  // The line goes dead with the first reply.
  middle.change = () => {
    for (const client of middle.clients) client.destroy();
    return Buffer.alloc(0);
  };
  pool.redis.sendCommand(command);
  const others = [
    pool.redis.incr('n'),
    pool.redis.pipeline().incr('n').incr('n').exec(),
    pool.redis.incr('n'),
  ];
  const [one, two, three] = await Promise.allSettled(others);
  expect(one).toMatchObject({ reason: { code: 'POOL_CONNECTION_LOST' } });
  expect(two).toMatchObject({
    value: [[{ code: 'POOL_CONNECTION_LOST' }], [{ code: 'POOL_CONNECTION_LOST' }]],
  });
  expect(three).toMatchObject({ reason: { code: 'POOL_CONNECTION_LOST' } });
  expect(thrown).toEqual([]);
});

test('a transformer of replies that throws rejects its command alone', async () => {
  const thrown = uncaught();
  Command.setReplyTransformer('strlen', () => {
    throw new Error('of mine');
  });
  onTestFinished(() => Command.setReplyTransformer('strlen', (reply: unknown) => reply));
  const pool = server.pool();
  await pool.redis.set('k', 'v');
  const results = await Promise.allSettled([
    pool.redis.get('k'),
    pool.redis.strlen('k'),
    pool.redis.get('k'),
  ]);
  expect(results).toMatchObject([{ value: 'v' }, { reason: { message: 'of mine' } }, { value: 'v' }]);
  const leased = await pool.use((redis) => Promise.allSettled([redis.strlen('k'), redis.get('k')]));
  expect(leased).toMatchObject([{ reason: { message: 'of mine' } }, { value: 'v' }]);
  expect(pool.stats().closed.broken).toBe(0);
  expect(thrown).toEqual([]);
});
