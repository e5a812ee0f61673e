import { expect, test } from 'vitest';
import { until, useServer } from '../helpers/redis.ts';

const server = useServer();
const renamed = useServer(['--rename-command', 'APPEND', 'X.APPEND']);

test('what one tick sends arrives in that order, whatever the lanes, single or in pipelines', async () => {
  const { redis } = server.pool({ maxLanes: 4 });
  const load = Array.from({ length: 50 }, async (_, caller) => {
    for (let round = 0; round < 40; round++) {
      const key = `order:${caller}`;
      const sent = [
        redis.set(key, `${round}`),
        redis.append(key, 'a'),
        redis.pipeline().append(key, 'b').append(key, 'c').exec(),
        redis.append(key, 'd'),
        redis.multi().append(key, 'e').append(key, 'f').exec(),
        redis.get(key),
      ];
      expect((await Promise.all(sent)).at(-1)).toBe(`${round}abcdef`);
    }
  });
  await Promise.all(load);
});

test('order holds too when one tick sends more than a lane may have in flight', async () => {
  const pool = server.pool({ maxLanes: 4, maxInFlight: 10 });
  await pool.redis.del('list');
  const pushes = Array.from({ length: 500 }, (_, i) => pool.redis.rpush('list', i));
  expect(await Promise.all(pushes)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  expect(await pool.redis.lrange('list', 0, -1)).toEqual(Array.from({ length: 500 }, (_, i) => `${i}`));
});

test('with one lane order is total, across ticks, and across a replaced connection', async () => {
  const pool = server.pool({ maxLanes: 1 });
  await pool.redis.del('total');
  const pushes: Promise<number>[] = [];
  for (let i = 0; i < 200; i++) {
    pushes.push(pool.redis.rpush('total', i));
    if (i % 50 === 25) pool.clear();
    if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await Promise.all(pushes)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  expect(pool.stats().connected).toBeGreaterThan(1);
});

test('a group that is larger than a lane goes when the lane is empty, and whole', async () => {
  const pool = server.pool({ maxLanes: 1, maxInFlight: 4, maxQueuedCommands: 40 });
  const singles = Array.from({ length: 7 }, (_, i) => pool.redis.echo(`${i}`));
  const pipeline = pool.redis.pipeline();
  for (let i = 0; i < 9; i++) pipeline.echo(`p${i}`);
  const replies = pipeline.exec();
  const after = pool.redis.echo('after');
  expect(await Promise.all(singles)).toEqual(['0', '1', '2', '3', '4', '5', '6']);
  expect((await replies)?.map(([, reply]) => reply)).toEqual(Array.from({ length: 9 }, (_, i) => `p${i}`));
  expect(await after).toBe('after');
  await until('the lane rests', () => pool.stats().lanes === 0);
});

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what is deleted a tick after it was written, the write not awaited, is gone, whatever the size', async () => {
  const pool = server.pool();
  const value = 'v'.repeat(20_000);
  await pool.redis.set('beside', Buffer.alloc(1 << 20));
  const work: Promise<unknown>[] = [];
  for (let i = 0; i < 3000; i++) {
    work.push(pool.redis.set(`session:${i}`, value));
    if (i % 20 === 0) work.push(pool.redis.getBuffer('beside'));
    await tick();
    work.push(pool.redis.del(`session:${i}`));
  }
  await Promise.all(work);
  expect(await pool.redis.keys('session:*')).toEqual([]);
});

test('lists that are pushed to without waiting are in order, beside readers of large values', async () => {
  const pool = server.pool();
  const { redis } = pool;
  const lists = ['a', 'b', 'c'];
  for (let i = 0; i < 40; i++) await redis.set(`wide:${i}`, 'w'.repeat(60_000));
  await redis.del(...lists);
  let over = false;
  let most = 0;
  const readers = Array.from({ length: 40 }, async (_, i) => {
    while (!over) expect(await redis.get(`wide:${i}`)).toHaveLength(60_000);
  });
  const pushes: Promise<unknown>[] = [];
  for (let i = 0; i < 1500; i++) {
    const list = lists[i % 3] as string;
    if (i % 5 === 0) pushes.push(redis.pipeline().rpush(list, i).exec());
    else if (i % 7 === 0) pushes.push(redis.multi().rpush(list, i).exec());
    else if (i % 11 === 0) pushes.push(redis.eval("redis.call('RPUSH', KEYS[1], ARGV[1])", 1, list, i));
    else pushes.push(redis.rpush(list, i));
    most = Math.max(most, pool.stats().lanes);
    await tick();
  }
  await Promise.all(pushes);
  over = true;
  await Promise.all(readers);
  for (const [at, list] of lists.entries()) {
    const expected = Array.from({ length: 500 }, (_, i) => `${i * 3 + at}`);
    expect(await redis.lrange(list, 0, -1)).toEqual(expected);
  }
  expect(most).toBeGreaterThan(1); // or nothing was tried
});

test('commands that ioredis does not know keep their order with all others', async () => {
  const { redis } = renamed.pool();
  const append = "redis.call('SET', KEYS[1], redis.call('GET', KEYS[1]) .. ARGV[1])";
  for (let round = 0; round < 50; round++) {
    const replies = [
      redis.set('u', `${round}`),
      redis.call('X.APPEND', 'u', 'a'),
      redis.call('X.APPEND', 'u', 'b'),
      redis.eval(append, 1, 'u', 'c'),
      redis.pipeline().eval(append, 1, 'u', 'd').call('X.APPEND', 'u', 'e').exec(),
      redis.get('u'),
    ];
    if (round % 2) await tick();
    replies.push(redis.call('X.APPEND', 'u', 'f'), redis.get('u'));
    const all = await Promise.all(replies);
    expect([all[5], all[7]]).toEqual([`${round}abcde`, `${round}abcdef`]);
  }
});

test('a command that may block starts when earlier ones with its key, or with unknown ones, took effect', async () => {
  const { redis } = server.pool();
  for (let round = 0; round < 50; round++) {
    void redis.del('jobs', 'big');
    void redis.rpush('jobs', 'one');
    if (round % 2) await tick();
    expect(await redis.blpop('jobs', 1)).toEqual(['jobs', 'one']);
    void redis.rpush('jobs', 'two');
    void redis.flushdb();
    const popped = redis.blpop('jobs', 1);
    await until('it blocks', async () => (await server.info('blocked_clients')) === 1);
    await redis.rpush('jobs', 'three');
    expect(await popped).toEqual(['jobs', 'three']);
  }
});
