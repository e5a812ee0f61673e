import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { Lease, Pool } from '../../src/index.ts';
import { Middle } from '../helpers/middle.ts';
import { expectBalanced, until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** A pool whose way to the server can be cut while the server has answered and no reply has arrived. */
async function behind(options = {}): Promise<{ pool: Pool; cut(inFlight: () => unknown): Promise<unknown> }> {
  await server.observer.flushall();
  await server.observer.mset('k', 'v', 'n', '1');
  const middle = await Middle.to(server.port);
  const pool = server.pool({ redis: middle.url, ...options });
  const cut = async (inFlight: () => unknown): Promise<unknown> => {
    middle.drops = 'replies';
    const commands = await server.info('total_commands_processed');
    const result = inFlight();
    await until('the server has run it', async () => {
      return (await server.info('total_commands_processed')) > commands + 1;
    });
    middle.drops = 'nothing';
    await middle.cut();
    return result;
  };
  return { pool, cut };
}

test.each<[string, (lease: Lease) => Promise<unknown>, unknown]>([
  ['a GET', (lease) => lease.get('k'), 'v'],
  ['a GET of bytes', (lease) => lease.getBuffer('k'), Buffer.from('v')],
  ['a GET by another name', (lease) => lease.call('get', 'k'), 'v'],
  ['a GET with a key of bytes', (lease) => lease.get(Buffer.from('k')), 'v'],
  ['several reads', (lease) => Promise.all([lease.get('k'), lease.mget('k', 'n')]), ['v', ['v', '1']]],
  [
    'a pipeline of reads',
    (lease) => lease.pipeline().get('k').exists('k').exec(),
    [
      [null, 'v'],
      [null, 1],
    ],
  ],
])('%s in flight on a lease whose connection is lost is answered over another', async (_, read, reply) => {
  const { pool, cut } = await behind();
  const done = pool.use(async (lease) => {
    await lease.set('n', 2); // what is done leaves nothing
    await lease.set('n', 1);
    return (await cut(() => read(lease))) as unknown;
  });
  expect(await done).toEqual(reply);
  expectBalanced(pool.stats());
  expect(pool.stats().errors.POOL_CONNECTION_LOST).toBe(0);
});

test.each<[string, (lease: Lease) => Promise<unknown>]>([
  ['a write', (lease) => lease.incr('n')],
  ['a read beside a write', (lease) => Promise.all([lease.get('k'), lease.incr('n')])],
  ['a transaction', (lease) => lease.multi().get('k').exec()],
  ['a read under WATCH', (lease) => Promise.all([lease.watch('k'), lease.get('k')])],
  ['a read in another db', (lease) => Promise.all([lease.select(1), lease.get('k')])],
  ['a read with the raw client', (lease) => (lease.raw as Redis).get('k')],
])('%s in flight is not sent again: it rejects with POOL_CONNECTION_LOST', async (_, work) => {
  const { pool, cut } = await behind();
  const done = pool.use((lease) => cut(() => work(lease)));
  await expect(done).rejects.toMatchObject({ code: 'POOL_CONNECTION_LOST' });
  expect(await server.observer.get('n')).toBe(_.includes('write') ? '2' : '1');
});

test('the lease itself is lost: what is sent over it afterwards was not sent', async () => {
  const { pool, cut } = await behind();
  const lease = await pool.acquire();
  expect(await cut(() => lease.get('k'))).toBe('v');
  await expect(lease.get('k')).rejects.toMatchObject({ code: 'POOL_CONNECTION_LOST' });
  lease.release();
  expect(await pool.use((next) => next.get('k'))).toBe('v');
});

test('with one connection in all, it is answered when the lease has given up its place', async () => {
  const { pool, cut } = await behind({ maxActive: 1 });
  const done = pool.use((lease) => cut(() => lease.get('k')));
  expect(await done).toBe('v');
});
