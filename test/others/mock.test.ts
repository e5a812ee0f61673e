import { createRequire } from 'node:module';
import { FlowProducer, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MockPool } from '../../src/integrations/mock/index.ts';
import { errorOf } from '../helpers/outcomes.ts';

const require = createRequire(import.meta.url);

describe('BullMQ as a producer runs on MockPool', () => {
  function make(): { mock: MockPool; queue: Queue } {
    const mock = new MockPool();
    const queue = new Queue('mail', { connection: mock.redis as Redis });
    onTestFinished(async () => {
      await queue.close();
      await mock.close();
    });
    return { mock, queue };
  }

  test('it adds jobs: now, later, first, many, once; and counts and finds them', async () => {
    const { mock, queue } = make();
    const job = await queue.add('welcome', { to: 'alice', text: 'é☃' });
    await queue.add('later', { to: 'bob' }, { delay: 5000 });
    await queue.add('urgent', { to: 'carol' }, { priority: 1 });
    await queue.addBulk([1, 2, 3].map((n) => ({ name: 'bulk', data: { n } })));
    await queue.add('once', {}, { jobId: 'one' });
    await queue.add('once', {}, { jobId: 'one' });
    expect(await queue.getJobCounts('waiting', 'delayed', 'prioritized')).toEqual({
      waiting: 5,
      delayed: 1,
      prioritized: 1,
    });
    expect((await queue.getJob(job.id ?? ''))?.data).toEqual({ to: 'alice', text: 'é☃' });
    expect((await queue.getWaiting()).map(({ name }) => name)).toEqual([
      ...['welcome', 'bulk', 'bulk', 'bulk', 'once'],
    ]);
    expect(await mock.redis.xlen('bull:mail:events')).toBeGreaterThan(5);
    await job.remove();
    expect(await queue.getWaitingCount()).toBe(4);
    mock.assertNoLeaks();
  });

  test('it pauses, goes on, drains and obliterates; makes a parent wait for children', async () => {
    const { mock, queue } = make();
    await queue.add('a', {});
    await queue.pause();
    expect(await queue.isPaused()).toBe(true);
    await queue.resume();
    await queue.drain();
    expect(await queue.count()).toBe(0);
    const flow = new FlowProducer({ connection: mock.redis as Redis });
    const tree = await flow.add({
      name: 'parent',
      queueName: 'mail',
      children: [{ name: 'child', queueName: 'mail', data: { n: 1 } }],
    });
    expect(await tree.job.getState()).toBe('waiting-children');
    await queue.upsertJobScheduler('every', { every: 60_000 }, { name: 'tick' });
    expect(await queue.getJobSchedulers()).toHaveLength(1);
    await queue.obliterate({ force: true });
    expect(await queue.count()).toBe(0);
    await flow.close();
  });
});

interface Lock {
  readonly value: string;
  unlock?(): Promise<unknown>;
  release?(): Promise<unknown>;
  extend(ttl: number): Promise<Lock>;
}
type Redlock = new (
  clients: Redis[],
  settings: object,
) => {
  acquire(resources: string[], ttl: number): Promise<Lock>;
  on(event: string, listener: () => void): void;
};

const majors: [name: string, Redlock: Redlock][] = [
  ['redlock 4.2.0', require('redlock')],
  ['redlock 5 beta', require('redlock5').default],
];

test.each(majors)('%s locks, extends, releases, and lets time run out on MockPool', async (_, Redlock) => {
  const mock = new MockPool();
  const redlock = new Redlock([mock.redis as Redis], { retryCount: 0 });
  redlock.on('clientError', () => {});
  redlock.on('error', () => {});
  const release = async (lock: Lock): Promise<unknown> => lock.release?.() ?? lock.unlock?.();
  const lock = await redlock.acquire(['a', 'b'], 10_000);
  expect(await mock.redis.get('a')).toBe(lock.value);
  expect((await errorOf(redlock.acquire(['b', 'c'], 10_000))) as Error).toMatchObject({
    name: expect.stringMatching(/^(LockError|ExecutionError)$/),
  });
  const longer = await lock.extend(20_000);
  expect(await mock.redis.pttl('b')).toBe(20_000);
  await release(longer);
  expect(await mock.redis.exists('a', 'b')).toBe(0);
  await redlock.acquire(['a'], 1000);
  await mock.advance(1001);
  await release(await redlock.acquire(['a'], 1000));
  mock.assertClean();
});
