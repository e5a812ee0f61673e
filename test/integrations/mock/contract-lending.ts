import { expect, test } from 'vitest';
import type { Lease } from '../../../src/api/lease.ts';
import { isPoolError, type PoolOptions } from '../../../src/index.ts';
import { expectBalanced, poolErrorOf } from '../../helpers/redis.ts';
import type { World } from './contract.ts';

/** What becomes of each: `done`, or the code or message of its error. */
const settledAll = (work: Promise<unknown>[]): Promise<string[]> =>
  Promise.all(
    work.map((one) =>
      one.then(
        () => 'done',
        (error: { code?: string; message: string }) => error.code ?? error.message,
      ),
    ),
  );

/** What a lease is, and what becomes of it. */
export function leases(makeWorld: () => World): void {
  test('a lease has the commands of ioredis, and its connection goes on to the next one', async () => {
    const pool = makeWorld().pool();
    const lease = await pool.acquire();
    expect(await lease.set('k', 'v', 'EX', 100)).toBe('OK');
    expect(await lease.get('k')).toBe('v');
    expect(await lease.getBuffer('k')).toEqual(Buffer.from('v'));
    expect(await lease.pipeline().incr('n').get('n').exec()).toEqual([
      [null, 1],
      [null, '1'],
    ]);
    expect(await lease.multi().incr('n').get('k').exec()).toEqual([
      [null, 2],
      [null, 'v'],
    ]);
    lease.release();
    lease.release();
    const next = await pool.acquire();
    expect([next.connectionId, pool.stats().connected]).toEqual([lease.connectionId, 1]);
  });

  test('after its release a lease reaches nobody', async () => {
    const pool = makeWorld().pool();
    const lease = await pool.acquire();
    lease.release();
    await poolErrorOf(lease.set('k', 'late'), 'POOL_LEASE_RELEASED');
    expect(await pool.use((next) => next.get('k'))).toBeNull();
  });

  test('destroy() costs the connection', async () => {
    const world = makeWorld();
    const pool = world.pool();
    (await pool.acquire()).destroy();
    await world.until('it is closed', () => pool.stats().total === 0);
    expect(pool.stats().closed).toMatchObject({ destroyed: 1 });
    expect((await pool.acquire()).connectionId).toBe(2);
  });

  test('use() gives the connection back, whatever becomes of its work', async () => {
    const pool = makeWorld().pool({ maxActive: 1 });
    expect(await pool.use(() => 7)).toBe(7);
    await expect(
      pool.use(() => {
        throw new Error('mine');
      }),
    ).rejects.toThrow('mine');
    await expect(
      pool.use(async (lease) => {
        await lease.set('s', 'text');
        await lease.lpush('s', 'x');
      }),
    ).rejects.toThrow(/^WRONGTYPE/);
    expect(pool.stats()).toMatchObject({ inUse: 0, idle: 1, connected: 1, acquired: 3 });
  });

  test('using gives it back too', async () => {
    const pool = makeWorld().pool();
    {
      using lease = await pool.acquire();
      expect(await lease.ping()).toBe('PONG');
      expect(pool.stats().inUse).toBe(1);
    }
    expect(pool.stats().inUse).toBe(0);
  });
}

/** What is never exceeded. */
export function bounds(makeWorld: () => World): void {
  test('there are never more connections than maxActive, however many ask', async () => {
    const pool = makeWorld().pool({ maxActive: 3 });
    let most = 0;
    pool.on('connecting', ({ stats }) => {
      most = Math.max(most, stats.total);
    });
    const work = Array.from({ length: 40 }, (_, i) => pool.use((lease) => lease.set(`k${i}`, i)));
    expect(await settledAll(work)).toEqual(work.map(() => 'done'));
    expect([most, pool.stats().connected]).toEqual([3, 3]);
    expectBalanced(pool.stats());
  });

  test('what comes back above maxIdle is closed', async () => {
    const world = makeWorld();
    const pool = world.pool({ maxActive: 3, maxIdle: 1 });
    const all = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of all) lease.release();
    await world.until('two are closed', () => pool.stats().total === 1);
    expect(pool.stats().closed).toMatchObject({ excess: 2 });
  });

  test('with wait: false one too many is refused at once, with numbers', async () => {
    const pool = makeWorld().pool({ maxActive: 2, wait: false, name: 'sessions' });
    await Promise.all([pool.acquire(), pool.acquire()]);
    const error = await poolErrorOf(pool.acquire(), 'POOL_EXHAUSTED');
    expect(error).toMatchObject({ pool: 'sessions', stats: { maxActive: 2, inUse: 2, exhausted: 1 } });
    expect(error.message).toContain('maxActive 2: 2 in use, 0 idle, 0 connecting; 0 waiting');
  });

  test('maxWaiting bounds the line', async () => {
    const pool = makeWorld().pool({ maxActive: 1, maxWaiting: 2 });
    const held = await pool.acquire();
    const line = [pool.use(() => {}), pool.use(() => {})];
    await poolErrorOf(pool.acquire(), 'POOL_EXHAUSTED');
    held.release();
    expect(await settledAll(line)).toEqual(['done', 'done']);
  });

  test('a wrong option is refused by name, with what is allowed', () => {
    const world = makeWorld();
    expect(() => world.pool({ maxActive: 0 })).toThrow(/maxActive must be an integer of at least 1, got 0/);
    expect(() => world.pool({ maxactive: 1 } as PoolOptions)).toThrow(/did you mean `maxActive`/);
  });
}

/** How callers wait. */
export function waiting(makeWorld: () => World): void {
  test('first come, first served', async () => {
    const pool = makeWorld().pool({ maxActive: 1 });
    const held = await pool.acquire();
    const order: number[] = [];
    const line = [0, 1, 2, 3].map((i) => pool.use(() => void order.push(i)));
    expect(pool.stats().waiting).toBe(4);
    held.release();
    await Promise.all(line);
    expect(order).toEqual([0, 1, 2, 3]);
    expect(pool.stats()).toMatchObject({ waiting: 0, waits: 4 });
  });

  test('a caller that waits for too long is rejected, with numbers, and no slot stays occupied', async () => {
    const world = makeWorld();
    const pool = world.pool({ maxActive: 1 });
    await pool.acquire();
    const late = world.during(pool.acquire({ timeoutMs: 30 }));
    const error = await poolErrorOf(late, 'POOL_ACQUIRE_TIMEOUT');
    expect(error.message).toContain(
      'no connection within 30 ms (maxActive 1: 1 in use, 0 idle, 0 connecting',
    );
    expect(pool.stats()).toMatchObject({ waiting: 0, timedOut: 1 });
  });

  test('who gives up is rejected with the reason of its signal', async () => {
    const pool = makeWorld().pool({ maxActive: 1 });
    const held = await pool.acquire();
    const controller = new AbortController();
    const waits = pool.acquire({ signal: controller.signal });
    controller.abort(new Error('changed my mind'));
    await expect(waits).rejects.toThrow('changed my mind');
    held.release();
    expect(pool.stats()).toMatchObject({ waiting: 0, aborted: 1, inUse: 0 });
  });
}

/** What callers are told when Redis fails them. */
export function failures(makeWorld: () => World): void {
  test('a failed connect rejects callers with the real reason, and ready() too', async () => {
    const world = makeWorld();
    world.refuse();
    const pool = world.pool();
    const error = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
    await poolErrorOf(pool.ready(), 'POOL_CONNECT_FAILED');
    await poolErrorOf(pool.redis.get('k'), 'POOL_CONNECT_FAILED');
    expect(pool.stats()).toMatchObject({ total: 0, connectFailed: 1 });
  });

  test('a connection that dies under a lease rejects its commands, and is replaced', async () => {
    const world = makeWorld();
    const pool = world.pool({ maxActive: 2 });
    const lease = await pool.acquire();
    const blocked = lease.blpop('never', 0);
    blocked.catch(() => {});
    await world.kill(pool, lease);
    const error = await poolErrorOf(blocked, 'POOL_CONNECTION_LOST');
    expect(error.message).toContain('may have run');
    await poolErrorOf(lease.get('k'), 'POOL_CONNECTION_LOST');
    lease.release();
    expect(await pool.use((next) => next.ping())).toBe('PONG');
    expect(pool.stats().closed).toMatchObject({ broken: 1 });
  });

  test('the errors are known by their brand', async () => {
    const pool = makeWorld().pool();
    await pool.close();
    const error = await poolErrorOf(pool.acquire(), 'POOL_CLOSED');
    expect([
      isPoolError(error),
      isPoolError(error, 'POOL_CLOSED'),
      isPoolError(error, 'POOL_EXHAUSTED'),
    ]).toEqual([true, true, false]);
  });
}

/** What a borrower leaves behind. */
export function cleanliness(makeWorld: () => World): void {
  test('a borrower finds neither the MULTI, the WATCH nor the db of the one before', async () => {
    const pool = makeWorld().pool({ maxActive: 1 });
    const leave = async (work: (lease: Lease) => unknown): Promise<void> => {
      const lease = await pool.acquire();
      await work(lease);
      lease.release();
    };
    await leave((lease) => lease.select(2));
    await leave((lease) => lease.set('k', 'in db 0'));
    await leave((lease) => lease.call('multi'));
    expect(await pool.use((lease) => lease.get('k'))).toBe('in db 0');
    await leave((lease) => lease.watch('k'));
    await pool.use((lease) => lease.set('k', 'changed'));
    expect(await pool.use((lease) => lease.multi().get('k').exec())).toEqual([[null, 'changed']]);
    expect(pool.stats()).toMatchObject({ connected: 1, idle: 1 });
  });

  test('WATCH sees what others change', async () => {
    const pool = makeWorld().pool({ maxActive: 2 });
    await pool.redis.set('stock', 5);
    await pool.use(async (lease) => {
      await lease.watch('stock');
      await pool.redis.decr('stock');
      expect(await lease.multi().set('stock', 4).exec()).toBeNull();
      await lease.watch('stock');
      expect(await lease.multi().set('stock', 3).exec()).toEqual([[null, 'OK']]);
    });
  });

  test('a subscriber gets messages, and its connection is not lent again', async () => {
    const world = makeWorld();
    const pool = world.pool({ maxActive: 2 });
    const lease = await pool.acquire();
    await lease.subscribe('news');
    const heard = lease.messages();
    await pool.redis.publish('news', 'hello');
    expect((await heard.next()).value).toMatchObject({ kind: 'message', channel: 'news', message: 'hello' });
    lease.release();
    await world.until('it is closed', () => pool.stats().closed.dirty === 1);
  });
}
