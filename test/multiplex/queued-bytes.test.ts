import { expect, onTestFinished, test } from 'vitest';
import { poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer();

const MIB = 1 << 20;

function freeze(): void {
  server.freeze();
  onTestFinished(() => server.thaw());
}

/** How many of `work` are refused as too much; the others may end as they like. */
async function refused(work: Promise<unknown>[]): Promise<number> {
  let count = 0;
  for (const one of work) {
    one.catch(({ code }) => {
      if (code === 'POOL_EXHAUSTED') count++;
    });
  }
  await new Promise((resolve) => setImmediate(resolve));
  return count;
}

test('with a server that hangs, at most maxQueuedBytes are queued, and further commands are rejected with that reason', async () => {
  const pool = server.pool({ acquireTimeoutMs: 60_000, replyTimeoutMs: 60_000 });
  await pool.redis.ping();
  freeze();
  const before = process.memoryUsage().arrayBuffers;
  const work: Promise<unknown>[] = [];
  let told: unknown;
  for (let i = 0; i < 600; i++) {
    const one = pool.redis.set(`big:${i}`, Buffer.alloc(MIB, 'x'));
    one.catch((error: unknown) => {
      told ??= error;
    });
    work.push(one);
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const count = await refused(work);
  // What the kernel takes of it is no longer ours.
  expect(600 - count).toBeGreaterThanOrEqual(63);
  expect(600 - count).toBeLessThan(80);
  const { message } = told as Error;
  expect(message).toMatch(/\d+ bytes of arguments are queued already \(maxQueuedBytes 67108864\)/);
  expect(Number(/\d+/.exec(message)?.[0])).toBeGreaterThan(63 * MIB);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(700 * MIB);
  server.thaw();
  const results = await Promise.allSettled(work);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(600 - count);
  expect(await pool.redis.set('again', Buffer.alloc(MIB))).toBe('OK');
});

test('a lane takes no more than its socket does; the rest waits, in order, until it has written', async () => {
  const pool = server.pool({ acquireTimeoutMs: 60_000, replyTimeoutMs: 60_000 });
  await pool.redis.del('rest');
  freeze();
  const pushes = Array.from({ length: 40 }, (_, i) =>
    pool.redis.rpush('rest', `${i}:${'é'.repeat(MIB / 2)}`),
  );
  await until('the socket is full', () => pool.stats().inFlight > 0 && pool.stats().queuedCommands > 20);
  server.thaw();
  expect(await Promise.all(pushes)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  const found = await pool.redis.lrange('rest', 0, -1);
  expect(found.map((one) => Number.parseInt(one, 10))).toEqual(Array.from({ length: 40 }, (_, i) => i));
});

test('a command, or a pipeline, may be larger than maxQueuedBytes if it is alone', async () => {
  const pool = server.pool({ maxQueuedBytes: 1000 });
  const { redis } = pool;
  const value = 'v'.repeat(5000);
  expect(await redis.set('k', value)).toBe('OK');
  const pipeline = () => redis.pipeline().set('a', value).set('b', value).exec();
  expect(await pipeline()).toHaveLength(2);
  expect(await redis.multi().set('a', value).set('b', value).exec()).toHaveLength(2);
  const [first, second] = [pipeline(), pipeline()];
  await poolErrorOf(second, 'POOL_EXHAUSTED');
  expect(await first).toHaveLength(2);
  const small = Array.from({ length: 5 }, (_, i) => redis.set(`s${i}`, 'v'.repeat(298)));
  expect(await refused(small)).toBe(2);
  const [one, large] = [redis.get('k'), redis.set('k', value)];
  await poolErrorOf(large, 'POOL_EXHAUSTED');
  expect(await one).toHaveLength(5000);
  expect(pool.stats().exhausted).toBe(4);
});

test('long text counts with the bytes that it is sent as', async () => {
  const { redis } = server.pool({ maxQueuedBytes: 1000 });
  const work = [redis.set('a', '漢'.repeat(300)), redis.set('b', '漢'.repeat(300))];
  expect(await refused(work)).toBe(1);
  await Promise.allSettled(work);
});

test('commands for dedicated connections count too, while they wait for one', async () => {
  const pool = server.pool({ maxActive: 2, maxQueuedBytes: 1000 });
  const { redis } = pool;
  const long = 'n'.repeat(900);
  const blocked = redis.blpop('nothing', 0);
  await until('it blocks', async () => (await server.info('blocked_clients')) === 1);
  const waiting = redis.blpop(long, 0);
  await until('it waits', () => pool.stats().waiting === 1);
  await poolErrorOf(redis.set('k', 'v'.repeat(200)), 'POOL_EXHAUSTED');
  await server.observer.rpush('nothing', 'x');
  expect(await blocked).toEqual(['nothing', 'x']);
  await until('the other one blocks', async () => (await server.info('blocked_clients')) === 1);
  expect(await redis.set('k', 'v'.repeat(200))).toBe('OK');
  await server.observer.rpush(long, 'y');
  expect(await waiting).toEqual([long, 'y']);
});
