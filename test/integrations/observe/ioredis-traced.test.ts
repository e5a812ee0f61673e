import { Command, type Redis, type RedisOptions } from 'ioredis';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { newClient, useServer } from '../../helpers/redis.ts';
import { inSpan, instrument, replies, told, uninstrument } from '../../helpers/tracing.ts';

const server = useServer();
const unhandled = vi.fn();
process.on('unhandledRejection', unhandled);

beforeEach(async () => {
  await server.observer.flushall();
  await server.observer.mset({ text: 'x', large: 'y'.repeat(100_000) });
  replies.length = 0;
  told();
});

afterEach(async () => {
  await new Promise(setImmediate);
  expect(unhandled).not.toHaveBeenCalled();
  unhandled.mockClear();
});

const caught = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: Error) => error.message.replace(/0x\w+/, ''));

/** What somebody does within a request. */
const WORK: Record<string, (redis: Redis) => Promise<unknown>> = {
  'a reply': (redis) => redis.get('text'),
  'a reply in bytes': (redis) => redis.getBuffer('text'),
  'a large reply': (redis) => redis.get('large'),
  'no value': (redis) => redis.get('nothing'),
  'an error reply': (redis) => caught(redis.incr('text')),
  'a write': (redis) => redis.set('k', 'v', 'EX', 100),
  'bytes written': (redis) => redis.set('k', Buffer.from('v')),
  'an object': (redis) => redis.hset('h', { a: 1, b: 2 }).then(() => redis.hgetall('h')),
  'a callback': (redis) =>
    new Promise((resolve) => redis.get('text', (error, value) => resolve([error, value]))),
  'a callback that is told an error': (redis) =>
    new Promise((resolve) => redis.incr('text', (error) => resolve(error?.message))),
  'by call': (redis) => redis.call('GET', 'text'),
  'by sendCommand': (redis) =>
    redis.sendCommand(new Command('get', ['text'], { replyEncoding: 'utf8' })) as Promise<unknown>,
  'a command that nobody knows': (redis) => caught(redis.call('nosuchcommand')),
  'a blocking command': (redis) => redis.rpush('l', 'x').then(() => redis.blpop('l', 1)),
  'a pipeline': (redis) => redis.pipeline().set('k', '1').incr('k').get('nothing').exec(),
  'a pipeline with an error': async (redis) => {
    const results = await redis.pipeline().incr('text').get('text').exec();
    return results?.map(([error, value]) => [error?.message, value]);
  },
  'a transaction': (redis) => redis.multi().set('k', '1').incr('k').exec(),
  'a transaction that is refused': (redis) => caught(redis.multi().call('nosuchcommand').exec()),
  'an own command': async (redis) => {
    redis.defineCommand('give', { lua: 'return ARGV[1]', numberOfKeys: 0 });
    const { give } = redis as unknown as { give(text: string): Promise<string> };
    return [await give.call(redis, 'a'), await give.call(redis, 'b')];
  },
};

function bareClient(): Redis {
  const bare = newClient({ host: '127.0.0.1', port: server.port });
  onTestFinished(() => bare.disconnect());
  return bare;
}

/** What becomes of `work` in a request, what is told of it, and what its hook was given. */
async function traced(redis: Redis, work: (redis: Redis) => Promise<unknown>): Promise<unknown> {
  const result = await inSpan('request', () => work(redis));
  const seen = {
    result,
    spans: told(),
    replies: replies.map((one) => (one instanceof Buffer ? [one.toString()] : one)),
  };
  replies.length = 0;
  return seen;
}

describe.each(Object.entries(WORK))('of %s', (_, work) => {
  test('the spans are those of a bare client, over each door', async () => {
    const bare = bareClient();
    await bare.ping();
    const expected = await traced(bare, work);
    const reset = (): Promise<unknown> => server.observer.del('k', 'h', 'l');
    const pool = server.pool();
    await reset();
    expect(await traced(pool.redis, work), 'the first command of all').toEqual(expected);
    await reset();
    expect(await traced(pool.redis, work), 'the second').toEqual(expected);
    await reset();
    expect(await traced(pool.redis.duplicate(), work), 'a duplicate').toEqual(expected);
    await reset();
    const lease = await pool.acquire();
    expect(await traced(lease, work), 'a lease').toEqual(expected);
    lease.release();
  });
});

test("each command of one tick belongs to its caller's span", async () => {
  const three = async (redis: Redis): Promise<unknown> => {
    await Promise.all([
      inSpan('first', () => redis.get('text')),
      inSpan('second', () => redis.pipeline().get('text').get('large').exec()),
      redis.get('nothing'),
      inSpan('third', () => redis.set('k', 'v')),
      inSpan('fourth', () => redis.multi().get('text').exec()),
      inSpan('fifth', () => redis.blpop('l', 0.01)),
    ]);
    return told().filter(({ name }) => name !== 'blpop');
  };
  const bare = bareClient();
  await bare.ping();
  const expected = await three(bare);
  const pool = server.pool();
  expect(await three(pool.redis)).toEqual(expected);
  expect(await three(pool.redis)).toEqual(expected);
});

test("a command that waits for a connection belongs to its caller's span", async () => {
  const pool = server.pool({ maxActive: 1 });
  const lease = await pool.acquire();
  const waiting = [inSpan('a', () => pool.redis.get('text')), inSpan('b', () => pool.redis.get('text'))];
  await new Promise(setImmediate);
  inSpan('who releases', () => lease.release());
  await Promise.all(waiting);
  expect(told().map(({ name, parent }) => [name, parent])).toEqual([
    ['get', 'a'],
    ['get', 'b'],
  ]);
});

test('a killed connection ends the spans of all that was sent over it, once each', async () => {
  const clients: Redis[] = [];
  const createClient = (options: RedisOptions): Redis => {
    const client = newClient(options);
    clients.push(client);
    return client;
  };
  const pool = server.pool({ createClient });
  await pool.redis.ping();
  server.freeze();
  const work = inSpan('request', () => [
    caught(pool.redis.set('k', 'v')),
    caught(pool.redis.get('text')),
    caught(pool.redis.pipeline().incr('k').exec() as Promise<unknown>),
  ]);
  await new Promise(setImmediate);
  clients[0]?.stream.destroy();
  server.thaw();
  await Promise.all(work);
  expect(told().map(({ name, parent, failed }) => [name, parent, failed])).toEqual([
    ['set', 'request', true],
    ['incr', 'request', true],
    ['get', 'request', false], // it only reads, and so was sent again
  ]);
});

test('what a lease leaves behind is undone in nobody’s name', async () => {
  const pool = server.pool();
  const redis = await pool.acquire();
  await inSpan('request', async () => {
    await redis.watch('k');
    redis.release();
  });
  await pool.redis.ping();
  expect(told().map(({ name }) => name)).toEqual(['watch']);
});

test('instrumentation may come and go while a pool is used', async () => {
  const pool = server.pool();
  const names = async (): Promise<string[]> => {
    await inSpan('request', () => Promise.all([pool.redis.get('text'), pool.redis.call('get', 'text')]));
    return told().map(({ name }) => name);
  };
  onTestFinished(instrument);
  expect(await names()).toEqual(['get', 'get']);
  uninstrument();
  expect(await names()).toEqual([]);
  instrument();
  expect(await names()).toEqual(['get', 'get']);
  uninstrument();
  const late = inSpan('request', () => {
    const untold = pool.redis.get('text');
    instrument();
    return [untold, pool.redis.get('text')];
  });
  await Promise.all(late);
  expect(told().map(({ name }) => name)).toEqual(['get']);
});
