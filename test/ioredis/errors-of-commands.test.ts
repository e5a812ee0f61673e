import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { type Pool, PoolError, type PoolOptions } from '../../src/index.ts';
import { errorOf } from '../helpers/outcomes.ts';
import { newClient, testPool, until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** All commands of `pool.redis` that are in flight are lost, since the server closes their connection. */
async function killAll(name: string): Promise<void> {
  await until('they are in flight', async () => (await server.clients(name)).length > 0);
  for (const { id = '' } of await server.clients(name)) await server.observer.client('KILL', 'ID', id);
}

const rejections = async (replies: readonly Promise<unknown>[]): Promise<PoolError[]> =>
  (await Promise.all(replies.map(errorOf))) as PoolError[];

/** None is another, each can be written upon, printed and sent off. */
function expectOwn(errors: readonly PoolError[], code: string): void {
  expect(errors.length).toBeGreaterThan(1);
  expect(new Set(errors).size).toBe(errors.length);
  for (const error of errors) {
    expect(error).toBeInstanceOf(PoolError);
    expect(error.code).toBe(code);
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({
      code,
      pool: error.pool,
      message: error.message,
    });
    expect(JSON.parse(JSON.stringify({ ...error }))).toMatchObject({ code, pool: error.pool });
    expect(structuredClone(error).message).toBe(error.message);
    expect(inspect(error).split('\n').length).toBeLessThan(40);
  }
}

/** A pool whose server is stopped while its commands are in flight. */
async function frozen(options: PoolOptions, send: (pool: Pool) => Promise<unknown>[]): Promise<PoolError[]> {
  const pool = server.pool(options);
  await pool.redis.ping();
  server.freeze();
  try {
    return await rejections(send(pool));
  } finally {
    server.thaw();
  }
}

test('commands whose lane the server closes have an error each, and it says who closed', async () => {
  const pool = server.pool({ name: 'closed', maxLanes: 1 });
  await pool.redis.ping();
  await server.observer.client('PAUSE', 10_000, 'WRITE');
  const replies = [
    pool.redis.incr('a'),
    pool.redis.incr('b'),
    pool.redis.multi().incr('a').incr('b').exec(),
  ].map(errorOf);
  await killAll('closed');
  await server.observer.client('UNPAUSE');
  const errors = (await Promise.all(replies)) as PoolError[];
  expectOwn(errors, 'POOL_CONNECTION_LOST');
  for (const { cause } of errors)
    expect(cause).toMatchObject({ message: 'the server closed the connection' });
});

test('the commands of a pipeline that is lost have an error each', async () => {
  const pool = server.pool({ name: 'pipeline' });
  await pool.redis.ping();
  await server.observer.client('PAUSE', 10_000, 'WRITE');
  const results = pool.redis.pipeline().incr('a').incr('b').exec();
  await killAll('pipeline');
  await server.observer.client('UNPAUSE');
  const errors = ((await results) ?? []).map(([error]) => error as PoolError);
  expectOwn(errors, 'POOL_CONNECTION_LOST');
});

test('commands whose reply is overdue have an error each, whose cause says so', async () => {
  const errors = await frozen({ replyTimeoutMs: 50 }, ({ redis }) => [redis.incr('a'), redis.incr('b')]);
  expectOwn(errors, 'POOL_CONNECTION_LOST');
  for (const { cause } of errors) {
    expect(cause).toMatchObject({ code: 'ETIMEDOUT', message: 'no reply within 50 ms (replyTimeoutMs)' });
  }
});

test('commands that are refused together have an error each', async () => {
  const nobody = testPool({ redis: { host: '127.0.0.1', port: 1 } });
  const errors = await rejections([
    nobody.redis.get('a'),
    nobody.redis.get('b'),
    nobody.redis.multi().get('a').exec(),
  ]);
  const results = await nobody.redis.pipeline().get('a').get('b').exec();
  errors.push(...(results ?? []).map(([error]) => error as PoolError));
  expectOwn(errors, 'POOL_CONNECT_FAILED');
  for (const { cause } of errors) expect(cause).toMatchObject({ code: 'ECONNREFUSED' });
});

test('commands in flight on a lease report why they were lost', async () => {
  const pool = server.pool({ name: 'leases' });
  const lost = async (end: (id: number) => unknown): Promise<unknown[]> => {
    const lease = await pool.acquire();
    const id = (await lease.client('ID')) as number;
    const errors = [lease.blpop('never', 0), lease.incr('a')].map(errorOf);
    await until('it blocks', async () => (await server.client(id))['flags'] === 'b');
    await end(id);
    if (end.length === 0) lease.destroy();
    const seen = (await Promise.all(errors)) as PoolError[];
    expectOwn(seen, 'POOL_CONNECTION_LOST');
    if (end.length > 0) {
      seen.push((await errorOf(lease.get('a'))) as PoolError); // not sent
      lease.destroy();
    }
    return seen.map(({ cause }) => (cause as Error).message);
  };
  const closed = await lost((id) => server.killClient(id));
  expect(new Set(closed)).toEqual(new Set(['the server closed the connection']));
  const destroyed = await lost(() => {});
  expect(new Set(destroyed)).toEqual(new Set(['the pool closed the connection: destroyed']));
});

test('a connection that breaks reports the error of its socket', async () => {
  const pool = server.pool({
    createClient: (options) => newClient(options),
    onConnect: (redis) => void sockets.push(redis),
  });
  const sockets: { stream: { destroy(error: Error): void } }[] = [];
  await pool.redis.ping();
  await server.observer.client('PAUSE', 10_000, 'WRITE');
  const errors = [pool.redis.incr('a'), pool.redis.incr('b')].map(errorOf);
  await until('they are in flight', () => pool.stats().inFlight === 2);
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
  sockets[0]?.stream.destroy(reset);
  await server.observer.client('UNPAUSE');
  for (const error of await Promise.all(errors)) expect((error as PoolError).cause).toMatchObject(reset);
});

test('with showFriendlyErrorStack every lost command has the stack of its own caller', async () => {
  const pool = server.pool({
    name: 'friendly',
    redis: { host: '127.0.0.1', port: server.port, showFriendlyErrorStack: true },
  });
  const callerOne = () => pool.redis.incr('a');
  const callerTwo = () => pool.redis.incr('b');
  await pool.redis.ping();
  await server.observer.client('PAUSE', 10_000, 'WRITE');
  const replies = [callerOne(), callerTwo()].map(errorOf);
  await killAll('friendly');
  await server.observer.client('UNPAUSE');
  const [one, two] = (await Promise.all(replies)) as PoolError[];
  expect(one?.stack).toContain('callerOne');
  expect(one?.stack).not.toContain('callerTwo');
  expect(two?.stack).toContain('callerTwo');
  expect(one?.stack?.startsWith(`PoolError: ${one.message}\n`)).toBe(true);
});
