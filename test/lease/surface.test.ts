import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lease, Pool } from '../../src/index.ts';
import { type RunningServer, startServer } from '../../tools/redis-server.js';

let server: RunningServer;
let pool: Pool;

beforeAll(async () => {
  server = await startServer();
  const scripts = { twice: { lua: 'return ARGV[1] .. ARGV[1]', numberOfKeys: 0 } };
  pool = new Pool({ redis: { port: server.port, keyPrefix: 'p:', scripts }, maxActive: 2 });
});

afterAll(async () => {
  await pool.close();
  await server.stop();
});

test('a lease has the whole command surface of ioredis', async () => {
  await pool.use(async (redis) => {
    expect(await redis.set('k', 'v')).toBe('OK');
    expect(await redis.getBuffer('k')).toEqual(Buffer.from('v'));
    expect(await redis.call('GET', 'k')).toBe('v');
    await redis.hset('h', { a: 1, b: 2 });
    expect(await redis.hgetall('h')).toEqual({ a: '1', b: '2' });
    expect(await new Promise((resolve) => redis.get('k', (error, value) => resolve([error, value])))).toEqual(
      [null, 'v'],
    );
  });
});

test('pipelines and transactions go over the lease, written both ways', async () => {
  await pool.use(async (redis) => {
    expect(await redis.pipeline().set('k', '1').incr('k').exec()).toEqual([
      [null, 'OK'],
      [null, 2],
    ]);
    expect(await redis.pipeline([['get', 'k']]).exec()).toEqual([[null, '2']]);
    expect(await redis.multi().incr('k').get('k').exec()).toEqual([
      [null, 3],
      [null, '3'],
    ]);
    await redis.multi({ pipeline: false });
    expect(await redis.incr('k')).toBe('QUEUED');
    expect(await redis.exec()).toEqual([[null, 4]]);
    expect(await redis.pipeline().exec()).toEqual([]);
  });
});

test('scripts of the options, and those a borrower defines, which stay its own', async () => {
  type Scripted = Lease & Record<'twice' | 'mine', (...args: string[]) => Promise<string>>;
  await pool.use(async (lease) => {
    const redis = lease as Scripted;
    expect(await redis.twice('ab')).toBe('abab');
    redis.defineCommand('mine', { lua: 'return KEYS[1]', numberOfKeys: 1 });
    expect(await redis.mine('k')).toBe('p:k');
    const pipeline = redis.pipeline() as unknown as Scripted & { exec(): Promise<unknown> };
    pipeline.twice('c');
    pipeline.mine('k');
    expect(await pipeline.exec()).toEqual([
      [null, 'cc'],
      [null, 'p:k'],
    ]);
  });
  await pool.use((redis) => expect('mine' in redis).toBe(false));
});

test('scan streams walk over the lease', async () => {
  await pool.use(async (redis) => {
    await redis.mset({ 'scan:1': 1, 'scan:2': 2 });
    const keys: string[] = [];
    for await (const batch of redis.scanStream({ match: 'p:scan:*' })) keys.push(...batch);
    expect(keys.sort()).toEqual(['p:scan:1', 'p:scan:2']);
  });
});

test('a lease passes for an ioredis client', async () => {
  await pool.use(async (redis) => {
    expect(redis).toBeInstanceOf(Redis);
    expect(redis.constructor).toBe(new Redis({ lazyConnect: true }).constructor);
    expect([redis.status, redis.mode, redis.isCluster, redis.options.keyPrefix]).toEqual([
      'ready',
      'normal',
      false,
      'p:',
    ]);
    expect('then' in redis).toBe(false);
    await expect(redis.connect()).rejects.toThrow('already');
  });
});

test('methods of the subclass that createClient makes are there, and go over the lease', async () => {
  class Greeter extends Redis {
    greet(name: string): Promise<string | null> {
      return this.set('name', name).then(() => this.get('name'));
    }
  }
  await using own = new Pool({
    redis: server.url,
    createClient: (options) => new Greeter(options),
  });
  const lease = (await own.acquire()) as Lease & Greeter;
  expect(await lease.greet('you')).toBe('you');
  lease.release();
  await expect(lease.greet('you')).rejects.toMatchObject({ code: 'POOL_LEASE_RELEASED' });
});

test('what would open a connection outside the bound is refused', async () => {
  await pool.use(async (redis) => {
    expect(() => redis.duplicate()).toThrow('acquire() another');
    await expect(redis.monitor()).rejects.toThrow('outside the pool');
  });
});

test('using and await using give the lease back, and so do sync callbacks, throws and thenables in use()', async () => {
  {
    using redis = await pool.acquire();
    expect(await redis.ping()).toBe('PONG');
  }
  {
    await using redis = await pool.acquire();
    expect(await redis.ping()).toBe('PONG');
  }
  expect(await pool.use(() => 7)).toBe(7);
  const failing = pool.use(() => {
    throw new Error('at once');
  });
  await expect(failing).rejects.toThrow('at once');
  // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
  const thenable = { then: (resolve: (value: string) => void) => resolve('later') };
  expect(await pool.use(() => thenable as PromiseLike<string>)).toBe('later');
  expect(pool.stats()).toMatchObject({ inUse: 0, idle: 1, total: 1 });
});

test('an application error does not cost the connection', async () => {
  const { connectionId } = await pool.use((redis) => redis);
  await pool.use((redis) => redis.set('text', 'x'));
  await expect(pool.use((redis) => redis.lpush('text', 'y'))).rejects.toThrow('WRONGTYPE');
  expect(await pool.use((redis) => redis.connectionId)).toBe(connectionId);
});
