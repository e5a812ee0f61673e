import { channel } from 'node:diagnostics_channel';
import { Pipeline, type Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { canUseLeanPipeline } from '../../src/ioredis/lean-pipeline.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();

test('this ioredis is made as expected', () => {
  expect(canUseLeanPipeline).toBe(true);
});

/** Who makes pipelines. */
const MAKERS: Record<string, () => Promise<Redis>> = {
  'pool.redis': async () => server.pool().redis,
  'a lease': async () => (await server.pool().acquire()) as unknown as Redis,
};

describe.each(Object.entries(MAKERS))('a pipeline of %s', (_, make) => {
  test("is an instance of ioredis' class, and is collected in the young generation", async () => {
    const redis = await make();
    for (const made of [redis.pipeline(), redis.multi()]) {
      expect(made).toBeInstanceOf(Pipeline);
      expect(made.get('a').length).toBe(made.get('b').length - 1);
      expect(Object.hasOwn(made, 'length')).toBe(false); // which V8 would make a class of its own for
      await made.exec();
    }
  });

  test('with a tracer is made by ioredis itself, and does the same', async () => {
    const tracing = channel('tracing:ioredis:batch:start');
    const tracer = (): void => {};
    tracing.subscribe(tracer);
    onTestFinished(() => void tracing.unsubscribe(tracer));
    const redis = await make();
    const made = redis.multi();
    expect(Object.hasOwn(made, 'length')).toBe(true);
    expect(await made.set('k', '1').get('k').exec()).toEqual([
      [null, 'OK'],
      [null, '1'],
    ]);
  });

  test('of a transaction reports the errors, in it and before it, as ioredis does', async () => {
    const redis = await make();
    await redis.set('text', 'x');
    const results = await redis.multi().incr('text').get('text').exec();
    expect(results).toEqual([
      [expect.objectContaining({ message: expect.stringMatching(/not an integer/) })],
      [null, 'x'],
    ]);
    const refused = redis.multi().call('nosuch').exec();
    await expect(refused).rejects.toMatchObject({
      previousErrors: [{ message: expect.stringMatching(/nosuch/) }],
    });
    const calledBack = await new Promise((resolve) =>
      redis
        .multi()
        .get('text')
        .exec((...args) => resolve(args)),
    );
    expect(calledBack).toEqual([null, [[null, 'x']]]);
    const odd = redis.multi().get('text') as unknown as { exec(callback: boolean): unknown };
    expect(await odd.exec(true)).toEqual([[null, 'x']]); // as rate-limiter-flexible calls it
  });
});
