import { Command, type Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { TestServer } from '../helpers/redis.ts';

const server = new TestServer(() => []);
beforeAll(() => server.start());
afterAll(() => server.stop());

const tables = Reflect.get(Command, '_transformer') as Record<'argument', Record<string, unknown>>;
afterEach(() => {
  delete tables.argument['lpush'];
});

/** There is no text of it. */
const textless = Object.create(null) as string;

/** How a command with such an argument may come. */
const WAYS: Record<string, (redis: Redis) => Promise<unknown>> = {
  'by its method': (redis) => redis.get(textless),
  'by call': (redis) => redis.call('get', textless) as Promise<unknown>,
  'with a callback': (redis) => redis.get(textless, () => {}),
  'if it may block': (redis) => redis.blpop(textless, 0),
  'in a pipeline': (redis) => redis.pipeline().set('k', 'piped').get(textless).exec(),
  'in a transaction': (redis) => redis.multi().set('k', 'multi').get(textless).exec(),
};

test.each(Object.entries(WAYS))(
  'an argument without a text is refused %s, and harms nobody',
  async (_, way) => {
    const { redis } = server.pool();
    await redis.set('k', 'before');
    const work = way(redis).catch((error: unknown) => error); // ioredis answers one with a callback by both
    const others = Promise.all([redis.get('k'), redis.pipeline().get('k').exec(), redis.call('get', 'k')]);
    expect(await work).toBeInstanceOf(TypeError);
    expect(await others).toEqual(['before', [[null, 'before']], 'before']);
    expect(await redis.get('k')).toBe('before');
  },
);

test('arguments that their transformer throws at are not sent', async () => {
  const { redis } = server.pool();
  const broken = new Error('broken');
  Command.setArgumentTransformer('lpush', () => {
    throw broken;
  });
  await expect(redis.lpush('l', 'a')).rejects.toBe(broken);
  await expect(redis.call('lpush', 'l', 'a')).rejects.toBe(broken);
  await expect(redis.pipeline().lpush('l', 'a').exec()).rejects.toThrow('lpush');
  expect(await redis.exists('l')).toBe(0);
});

test('of a group with one command that cannot be written, nothing is sent', async () => {
  const { redis } = server.pool();
  const { toWritable } = Command.prototype;
  const spy = vi.spyOn(Command.prototype, 'toWritable').mockImplementation(function (this: Command, socket) {
    if (this.name === 'append') throw new RangeError('Invalid string length'); // as of texts beyond 512 MB
    return toWritable.call(this, socket);
  });
  onTestFinished(() => spy.mockRestore());
  const group = redis.multi().set('whole', '1').append('whole', '2').exec();
  const others = [redis.echo('a'), redis.echo('b')];
  await expect(group).rejects.toThrow('Invalid string length');
  expect(await Promise.all(others)).toEqual(['a', 'b']);
  expect(await redis.exists('whole')).toBe(0);
});
