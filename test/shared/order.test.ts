import { expect, test } from 'vitest';
import { until, useServer } from '../helpers/redis.ts';

const server = useServer();

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
