import { Command, type Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { newClient, useServer } from '../helpers/redis.ts';

const server = useServer();

/** What a caller gives, and may use for something else as soon as the call has returned. */
class Given {
  readonly bytes = Buffer.from('AAAA');
  readonly view = this.bytes.subarray(1, 3);
  readonly plain = new Uint8Array([65, 66]);
  readonly words = new Uint16Array([65, 66]);
  readonly object: Record<string, unknown> = { f: this.bytes, g: 'G' };
  readonly map = new Map<string, unknown>([['f', this.bytes]]);
  readonly list: unknown[] = [this.bytes, 'L'];

  reuse(): void {
    this.bytes.fill('Z');
    this.plain.fill(90);
    this.words.fill(90);
    this.object['g'] = 'Z';
    this.object['f'] = 'Z';
    this.map.set('f', 'Z');
    this.list[0] = 'Z';
    this.list.push('Z');
  }
}

type Name =
  | 'set'
  | 'setBuffer'
  | 'call'
  | 'callBuffer'
  | 'hset'
  | 'mset'
  | 'rpush'
  | 'eval'
  | 'mySet'
  | 'exec';
/** A client, or a pipeline, that takes whatever it is given. */
type Loose = Record<Name, (...args: unknown[]) => Promise<unknown>>;
type Way = (redis: Loose, given: Given) => Promise<unknown>;

const SET = { lua: "return redis.call('set', KEYS[1], ARGV[1])", numberOfKeys: 1 };

const WAYS: Record<string, Way> = {
  value: (redis, { bytes }) => redis.set('k', bytes),
  'value of setBuffer': (redis, { bytes }) => redis.setBuffer('k', bytes),
  'key and value': (redis, { bytes }) => redis.set(bytes, bytes, 'EX', 1000),
  'a part of something': (redis, { view }) => redis.set('k', view),
  'a Uint8Array': (redis, { plain }) => redis.set('k', plain),
  'a Uint16Array': (redis, { words }) => redis.set('k', words),
  'by call': (redis, { bytes }) => redis.call('SET', 'k', bytes),
  'by call, in an array': (redis, { bytes }) => redis.call('set', ['k', bytes]),
  'by callBuffer': (redis, { bytes }) => redis.callBuffer('set', 'k', bytes),
  'by sendCommand': (redis, { bytes }) =>
    (redis as unknown as Redis).sendCommand(new Command('set', ['k', bytes])) as Promise<unknown>,
  'with a callback': (redis, { bytes }) => new Promise((done) => redis.set('k', bytes, done)),
  'an object of hset': (redis, { object }) => redis.hset('h', object),
  'a map of hset': (redis, { map }) => redis.hset('h', map),
  'an object of mset': (redis, { object }) => redis.mset(object),
  'a map of mset': (redis, { map }) => redis.mset(map),
  'an array of mset': (redis, { bytes }) => redis.mset(['k', bytes]),
  'an array': (redis, { list }) => redis.rpush('l', list),
  'an array and more': (redis, { list, bytes }) => redis.rpush('l', list, bytes, 'x'),
  'an array in an array': (redis, { list }) => redis.rpush('l', [list, 'x']),
  'a script': (redis, { bytes }) => redis.eval(SET.lua, 1, 'k', bytes),
  'a command of a script': (redis, { bytes }) => {
    (redis as unknown as Redis).defineCommand('mySet', SET);
    return redis.mySet('k', bytes);
  },
  pipeline: (redis, { bytes, object }) => {
    const pipeline = (redis as unknown as Redis).pipeline() as unknown as Loose;
    pipeline.set('k', bytes);
    pipeline.hset('h', object);
    return pipeline.exec();
  },
  'pipeline, what changes before exec': (redis, given) => {
    const pipeline = (redis as unknown as Redis).pipeline() as unknown as Loose;
    pipeline.set('k', given.bytes);
    pipeline.hset('h', given.object);
    pipeline.rpush('l', given.list);
    given.reuse();
    return pipeline.exec();
  },
  'pipeline with a command that nobody knows': (redis, { bytes }) => {
    const pipeline = (redis as unknown as Redis).pipeline() as unknown as Loose;
    pipeline.set('k', bytes);
    pipeline.call('nosuchcommand');
    return pipeline.exec();
  },
  'pipeline of an array': (redis, { bytes }) =>
    (redis as unknown as Redis).pipeline([['set', 'k', bytes]]).exec(),
  transaction: (redis, { bytes, list }) => {
    const multi = (redis as unknown as Redis).multi() as unknown as Loose;
    multi.set('k', bytes);
    multi.rpush('l', list);
    return multi.exec();
  },
};

/** All that is stored. */
async function stored(): Promise<unknown> {
  const { observer } = server;
  const keys = (await observer.keys('*')).sort();
  return Promise.all(keys.map(async (key) => [key, (await observer.dumpBuffer(key))?.toString('latin1')]));
}

/** What is stored in the end by who uses again what was given, as soon as the call has returned. */
async function storedBy(redis: Redis, way: Way, meanwhile?: () => Promise<void>): Promise<unknown> {
  await server.observer.flushall();
  const given = new Given();
  const done = way(redis as unknown as Loose, given);
  given.reuse();
  await meanwhile?.();
  await done;
  return stored();
}

function bareClient(keyPrefix: string): Redis {
  const bare = newClient({ port: server.port, keyPrefix });
  onTestFinished(() => bare.disconnect());
  return bare;
}

describe.each(['', 'p:'])('with the key prefix "%s"', (keyPrefix) => {
  test.each(Object.entries(WAYS))('arguments are taken when the call is made: %s', async (_, way) => {
    const bare = bareClient(keyPrefix);
    await bare.ping();
    const expected = await storedBy(bare, way);
    const pool = server.pool({ redis: { port: server.port, keyPrefix } });
    expect(await storedBy(pool.redis, way), 'before there is a connection').toEqual(expected);
    expect(await storedBy(pool.redis, way), 'with a connection').toEqual(expected);
    expect(await pool.use((lease) => storedBy(lease, way)), 'over a lease').toEqual(expected);
  });
});

test('arguments are taken even if the command waits for a connection', async () => {
  const bare = bareClient('');
  await bare.ping();
  const pool = server.pool({ maxActive: 1 });
  for (const way of ['value', 'an object of hset', 'by call', 'transaction'].map(
    (name) => WAYS[name] as Way,
  )) {
    const expected = await storedBy(bare, way);
    const lease = await pool.acquire();
    const released = async (): Promise<void> => {
      await new Promise(setImmediate);
      lease.release();
    };
    expect(await storedBy(pool.redis, way, released)).toEqual(expected);
  }
});
