import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { another, isPoolError, PoolError } from '../../src/api/errors.ts';
import type { PoolStats } from '../../src/api/stats.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';

/** Another copy of the library, as CJS beside ESM is one, or another version in the same process. */
async function anotherCopy(): Promise<typeof import('../../src/api/errors.ts')> {
  vi.resetModules();
  return import('../../src/api/errors.ts');
}

test('a PoolError is an Error with a name, a code, a message and a stack', () => {
  const error = new PoolError('POOL_CLOSED', 'the pool is closed');
  expect(error).toBeInstanceOf(Error);
  expect(String(error)).toBe('PoolError: the pool is closed');
  expect(error.code).toBe('POOL_CLOSED');
  expect(error.stack).toContain('errors.test.ts');
});

test('it carries the pool, its numbers and the cause, and has no cause where there was none', () => {
  const cause = new Error('connect ECONNREFUSED');
  const stats = { waiting: 7 } as PoolStats;
  const error = new PoolError('POOL_CONNECT_FAILED', 'cannot connect', { pool: 'sessions', stats, cause });
  expect(error.pool).toBe('sessions');
  expect(error.stats).toBe(stats);
  expect(error.cause).toBe(cause);
  const bare = new PoolError('POOL_CLOSED', 'closed');
  expect([bare.pool, bare.stats, 'cause' in bare]).toEqual([undefined, undefined, false]);
});

test('isPoolError knows the errors of this copy, and their codes', () => {
  const error: unknown = new PoolError('POOL_EXHAUSTED', 'none free');
  expect(isPoolError(error)).toBe(true);
  expect(isPoolError(error, 'POOL_EXHAUSTED')).toBe(true);
  expect(isPoolError(error, 'POOL_CLOSED')).toBe(false);
});

test('isPoolError knows the errors of another copy, which instanceof does not', async () => {
  const other = await anotherCopy();
  const theirs = new other.PoolError('POOL_CLOSED', 'closed');
  expect(theirs).not.toBeInstanceOf(PoolError);
  expect(isPoolError(theirs)).toBe(true);
  expect(isPoolError(theirs, 'POOL_CLOSED')).toBe(true);
  expect(isPoolError(theirs, 'POOL_EXHAUSTED')).toBe(false);
  expect(other.isPoolError(new PoolError('POOL_CLOSED', 'closed'), 'POOL_CLOSED')).toBe(true);
});

test('isPoolError knows an error that comes out of another realm', () => {
  const error: unknown = runInNewContext(
    "Object.assign(new Error('x'), { code: 'POOL_CLOSED', [Symbol.for('bounded-redis-pool.PoolError')]: true })",
  );
  expect(error).not.toBeInstanceOf(Error);
  expect(isPoolError(error, 'POOL_CLOSED')).toBe(true);
});

test('isPoolError takes nothing else for one, and never throws', () => {
  const lookalike = Object.assign(new Error('x'), { name: 'PoolError', code: 'POOL_CLOSED' });
  for (const other of [
    ...[lookalike, { code: 'POOL_CLOSED' }, new Error('x'), Object.create(null)],
    ...[undefined, null, '', 'POOL_CLOSED', 0, true, Symbol('x'), () => {}],
  ]) {
    expect(isPoolError(other)).toBe(false);
    expect(isPoolError(other, 'POOL_CLOSED')).toBe(false);
  }
});

test('what marks a PoolError does not show when it is logged or turned into JSON', () => {
  const error = new PoolError('POOL_CLOSED', 'closed', { pool: 'p' });
  const told = { name: 'PoolError', code: 'POOL_CLOSED', pool: 'p', message: 'closed' };
  expect(JSON.parse(JSON.stringify(error))).toEqual(told);
  expect(JSON.parse(JSON.stringify({ ...error }))).toEqual({
    name: 'PoolError',
    code: 'POOL_CLOSED',
    pool: 'p',
  });
  expect(Object.getOwnPropertySymbols({ ...error })).toEqual([]);
});

test("a pool's errors have its name, and its numbers of that moment", async () => {
  const pool = new FakeRedis().pool({ name: 'sessions', maxActive: 1, wait: false });
  const lease = await pool.acquire();
  const error: unknown = await pool.acquire().catch((reason: unknown) => reason);
  lease.release();
  if (!isPoolError(error, 'POOL_EXHAUSTED')) throw error;
  expect(error.message).toContain('[sessions]');
  expect(error.pool).toBe('sessions');
  expect(error.stats).toMatchObject({ maxActive: 1, inUse: 1, idle: 0, exhausted: 1 });
});

test('its numbers do not show when it is printed, and are there for who asks', async () => {
  const pool = new FakeRedis().pool({ name: 'sessions', maxActive: 1, wait: false });
  const lease = await pool.acquire();
  const error = (await pool.acquire().catch((reason: unknown) => reason)) as PoolError;
  lease.release();
  expect(error.stats?.maxActive).toBe(1);
  const printed = inspect(error);
  expect(printed).not.toContain('maxIdle');
  expect(printed.split('\n').length).toBeLessThan(25);
  for (const part of ['PoolError: ', "code: 'POOL_EXHAUSTED'", "pool: 'sessions'"])
    expect(printed).toContain(part);
});

test('JSON contains the cause too, and survives a cause and properties that refer back to the error', () => {
  const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  const error = new PoolError('POOL_CONNECTION_LOST', 'lost', { pool: 'p', cause });
  Object.assign(cause, { error });
  Object.assign(error, { previousErrors: [error] });
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    ...{ name: 'PoolError', code: 'POOL_CONNECTION_LOST', pool: 'p', message: 'lost' },
    cause: { name: 'Error', message: 'read ECONNRESET', code: 'ECONNRESET' },
  });
  expect(structuredClone(error)).toMatchObject({ message: 'lost', cause: { message: 'read ECONNRESET' } });
});

test('another error is of the same class and says the same, and what is written on it stays with it', () => {
  const cause = new Error('why');
  for (const error of [
    new PoolError('POOL_CLOSED', 'closed', { pool: 'p', cause }),
    new TypeError('no text', { cause }),
    Object.assign(new Error('plain', { cause }), { code: 'X' }),
  ]) {
    const copy = another(error) as Error & { code?: string };
    expect(copy).not.toBe(error);
    expect(Object.getPrototypeOf(copy)).toBe(Object.getPrototypeOf(error));
    expect(copy).toMatchObject({ message: error.message, name: error.name, cause });
    expect(copy.code).toBe((error as { code?: string }).code);
    copy.message = 'changed';
    expect(error.message).not.toBe('changed');
  }
  expect(another('no error')).toBe('no error');
});

test('the message of an error says what to do', async () => {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1, wait: false });
  const lease = await pool.acquire();
  const messageOf = async (work: PromiseLike<unknown>): Promise<string> => {
    const error: unknown = await Promise.resolve(work).catch((reason: unknown) => reason);
    return isPoolError(error) ? error.message : String(error);
  };
  expect(await messageOf(pool.acquire())).toMatch(/; shed load \[/);
  lease.release();
  expect(await messageOf(lease.get('k'))).toMatch(/; await all work before release\(\) \[/);
  expect(await messageOf(pool.redis.watch('k'))).toMatch(/: use pool\.use\(\) or pool\.acquire\(\) \[/);
  await pool.close();
  expect(await messageOf(pool.acquire())).toMatch(/; make a new pool \[/);
  const other = new FakeRedis();
  other.dial = 'fails';
  expect(await messageOf(other.pool().acquire())).toMatch(/^cannot connect: .*; see its cause \[/);
});
