import { expect, test } from 'vitest';
import type { Lease } from '../../src/index.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();

type Scripted = Record<'twice' | 'keyed', (...args: string[]) => Promise<string>> & {
  twiceBuffer(text: string): Promise<Buffer>;
};
const twice = { lua: 'return ARGV[1] .. ARGV[1]', numberOfKeys: 0 };
const keyed = { lua: 'return KEYS[1]', numberOfKeys: 1 };

test('a command that is defined on pool.redis is there on every lease from then on, alone and in pipelines', async () => {
  const pool = server.pool({ redis: { port: server.port, keyPrefix: 'p:' } });
  await pool.use((redis) => redis.ping()); // leases were made before
  pool.redis.defineCommand('twice', twice);
  for (let i = 0; i < 2; i++) {
    await pool.use(async (lease) => {
      const redis = lease as Lease & Scripted;
      expect(await redis.twice('ab')).toBe('abab');
      expect(await redis.twiceBuffer('ab')).toEqual(Buffer.from('abab'));
      const chain = redis.multi() as unknown as Scripted & { exec(): Promise<unknown> };
      chain.twice('c');
      expect(await chain.exec()).toEqual([[null, 'cc']]);
    });
  }
  pool.redis.defineCommand('keyed', keyed);
  await pool.use(async (lease) => {
    const redis = lease as Lease & Scripted;
    expect([await redis.keyed('k'), await redis.twice('x')]).toEqual(['p:k', 'xx']);
    redis.release();
    await expect(redis.twice('x')).rejects.toMatchObject({ code: 'POOL_LEASE_RELEASED' });
  });
});

test('one that is defined before the first lease is there too, and one of a duplicate is not', async () => {
  const pool = server.pool();
  pool.redis.defineCommand('twice', twice);
  pool.redis.duplicate().defineCommand('keyed', keyed);
  await pool.use(async (lease) => {
    expect(await (lease as Lease & Scripted).twice('ab')).toBe('abab');
    expect('keyed' in lease).toBe(false);
  });
});

test('a script is sent whole once on each connection, and by its digest afterwards', async () => {
  const pool = server.pool();
  pool.redis.defineCommand('twice', twice);
  const work = () => pool.use((lease) => (lease as Lease & Scripted).twice('x'));
  await work();
  await server.observer.config('RESETSTAT');
  for (let i = 0; i < 3; i++) expect(await work()).toBe('xx');
  expect(await server.observer.info('commandstats')).toMatch(/cmdstat_evalsha:calls=3,/);
});

test('a command called release, of option scripts or defined, leaves a lease its own', async () => {
  const release = { lua: 'return 1', numberOfKeys: 0 };
  const pool = server.pool({ redis: { port: server.port, scripts: { release } }, maxActive: 1 });
  pool.redis.defineCommand('destroy', release);
  for (let i = 0; i < 3; i++) await pool.use((redis) => redis.ping());
  expect(pool.stats()).toMatchObject({ inUse: 0, idle: 1 });
});

test('a definition takes the place of a command of the same name, and leaves all others as they are', async () => {
  const pool = server.pool();
  pool.redis.defineCommand('getdel', { lua: "return 'mine'", numberOfKeys: 0 });
  await pool.use(async (redis) => {
    const { getdel } = redis as unknown as { getdel(): Promise<string> };
    expect(await getdel.call(redis)).toBe('mine');
    await redis.set('k', 'v');
    expect(await redis.get('k')).toBe('v');
    expect(await redis.multi().get('k').exec()).toEqual([[null, 'v']]);
  });
});
