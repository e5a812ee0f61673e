import { describe, expect, test } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { deferred, errorOf } from '../../helpers/outcomes.ts';

describe('reply()', () => {
  test('answers with a value, or with what a function makes of the arguments', async () => {
    const mock = new MockPool();
    mock.reply('get', (key) => `value of ${key}`).reply('DBSIZE', 7);
    expect(await mock.redis.get('snowman ☃')).toBe('value of snowman ☃');
    expect(await mock.use((lease) => lease.get('b'))).toBe('value of b');
    expect(await mock.redis.dbsize()).toBe(7);
    expect(await mock.redis.multi().get('c').set('d', 1).exec()).toEqual([
      [null, 'value of c'],
      [null, 'OK'],
    ]);
  });

  test.each([
    ['null', null, null],
    ['a number', 12, 12],
    ['a fraction', 1.5, '1.5'],
    ['true', true, 1],
    ['a list', ['a', 1, [null]], ['a', 1, [null]]],
    ['bytes', Buffer.from('é'), 'é'],
    ['a bigint', 7n, 7],
  ])('takes %s', async (_, answer, seen) => {
    const mock = new MockPool().reply('echo', () => answer);
    expect(await mock.redis.echo('x')).toEqual(seen);
  });

  test('takes an object where Redis answers with fields and values', async () => {
    const mock = new MockPool().reply('hgetall', { name: 'Zoë', age: '7' });
    expect(await mock.redis.hgetall('user')).toEqual({ name: 'Zoë', age: '7' });
  });

  test('rejects with what is thrown, with ERR before it where it has no code', async () => {
    const mock = new MockPool();
    mock.reply('get', () => {
      throw new Error('OOM command not allowed');
    });
    mock.reply('set', async () => new Error('no luck'));
    await expect(mock.redis.get('k')).rejects.toThrow(/^OOM command not allowed/);
    await expect(mock.redis.set('k', 'v')).rejects.toThrow(/^ERR no luck/);
    expect((await errorOf(mock.redis.get('k'))) as Error).toMatchObject({ name: 'ReplyError' });
  });

  test('leaves to the store what it answers with undefined', async () => {
    const mock = new MockPool();
    mock.reply('get', (key) => (key === 'odd' ? 'answered' : undefined));
    await mock.redis.set('k', 'stored');
    expect(await mock.redis.mget('k')).toEqual(['stored']);
    expect([await mock.redis.get('k'), await mock.redis.get('odd')]).toEqual(['stored', 'answered']);
  });

  test('that takes its time holds up its connection, and keeps the order', async () => {
    const mock = new MockPool();
    const late = deferred();
    mock.replyOnce('get', () => late.promise.then(() => 'late'));
    const order: string[] = [];
    const first = mock.redis.get('a').then((value) => order.push(`first ${value}`));
    const second = mock.redis.set('b', 1).then(() => order.push('second'));
    await mock.advance(0);
    expect(order).toEqual([]);
    late.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual(['first late', 'second']);
  });

  test('answers commands that the mock does not have', async () => {
    const mock = new MockPool();
    await expect(mock.redis.call('FT.SEARCH', 'index', 'query')).rejects.toThrow(
      /unknown command 'ft\.search'.*mock\.reply\('ft\.search'/,
    );
    mock.reply('ft.search', (index, query) => [0, index, query]);
    expect(await mock.redis.call('FT.SEARCH', 'index', 'query')).toEqual([0, 'index', 'query']);
    expect(await mock.use((lease) => lease.multi().call('FT.SEARCH', 'a', 'b').exec())).toEqual([
      [null, [0, 'a', 'b']],
    ]);
  });

  test('refuses what is no name of a command', () => {
    expect(() => new MockPool().reply('', 1)).toThrow(/takes the name of a command/);
    expect(() => new MockPool().replyOnce('get key', 1)).toThrow(/replyOnce\(\) takes the name.*got get key/);
  });
});

test('replyOnce() answers one command each, before what reply() answers', async () => {
  const mock = new MockPool()
    .reply('get', 'always')
    .replyOnce('get', 'first')
    .replyOnce('get', new Error('second'));
  const answers = [1, 2, 3, 4].map(() => mock.redis.get('k').catch((error) => error.message));
  expect(await Promise.all(answers)).toEqual(['first', 'ERR second', 'always', 'always']);
  mock.replyOnce('ft.info', 'known');
  expect(await mock.redis.call('FT.INFO')).toBe('known');
  await expect(mock.redis.call('FT.INFO')).rejects.toThrow(/unknown command/);
});

describe('Lua', () => {
  test('is answered as eval, whether sent as its text, its SHA-1 or a defined command', async () => {
    const mock = new MockPool();
    const seen: string[][] = [];
    mock.reply('eval', (...args) => {
      seen.push(args);
      return 'answered';
    });
    const sha = String(await mock.redis.script('LOAD', 'return 1'));
    mock.redis.defineCommand('twice', { numberOfKeys: 1, lua: 'return 2' });
    const { twice } = mock.redis as unknown as { twice(...args: unknown[]): Promise<unknown> };
    expect(await mock.redis.eval('return 1', 1, 'key', 'arg')).toBe('answered');
    expect(await mock.redis.evalsha(sha, 1, 'key', 'arg')).toBe('answered');
    for (let i = 0; i < 2; i++) expect(await twice.call(mock.redis, 'k', 'a')).toBe('answered');
    expect(seen).toEqual([
      ...[1, 2].map(() => ['return 1', '1', 'key', 'arg']),
      ...[1, 2].map(() => ['return 2', '1', 'k', 'a']),
    ]);
  });
});
