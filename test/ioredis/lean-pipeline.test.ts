import { channel } from 'node:diagnostics_channel';
import { Command, Pipeline, type Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { canUseLeanPipeline } from '../../src/ioredis/lean-pipeline.ts';
import { newClient, useServer } from '../helpers/redis.ts';

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

type Chain = Record<string, (...args: unknown[]) => Chain> & { exec(...args: unknown[]): Promise<unknown> };

/** Pipelines and transactions; what each comes to must be the same as with a bare client. */
const WRITTEN: Record<string, (redis: Redis) => Promise<unknown>> = {
  'text and Buffers, converted replies, nulls': (redis) =>
    redis.multi().hset('h', { f: 'ä' }).hgetall('h').getBuffer('k').mget('k', 'none').get('none').exec(),
  'all kinds in a pipeline': (redis) =>
    redis
      .pipeline()
      .set('k', 1.5)
      .getBuffer('k')
      .hgetall('h')
      .zadd('z', '1', 'a')
      .zrange('z', '0', '-1')
      .exec(),
  'no commands': async (redis) => [await redis.multi().exec(), await redis.pipeline().exec()],
  'an error of Redis among replies': (redis) => redis.multi().set('t', 'x').incr('t').get('t').exec(),
  'an error of Redis in a pipeline': (redis) => redis.pipeline().set('t', 'x').incr('t').get('t').exec(),
  'a command that is refused before EXEC': (redis) => redis.multi().set('k', '1').call('set', 'k').exec(),
  'a transaction in a pipeline, between others': (redis) => {
    const pipeline = (redis.pipeline().set('a', '1') as unknown as Redis)
      .multi()
      .incr('a')
      .hgetall('h') as unknown as Chain;
    void pipeline.exec(); // adds EXEC
    return (pipeline['get'] as Chain['get'])?.('a').exec() as Promise<unknown>;
  },
  'callbacks of commands and of exec': (redis) =>
    new Promise((resolve) => {
      const told: unknown[] = [];
      const note = (...args: unknown[]): void => void told.push(args);
      const multi = redis.multi().set('k', 'v', note).get('k', note) as unknown as Chain;
      void multi.exec((...args: unknown[]) => resolve([told, args]));
    }),
  'exec twice': async (redis) => {
    const pipeline = redis.pipeline().incr('twice');
    return [await pipeline.exec(), await pipeline.exec(), await redis.get('twice')];
  },
  'a script and a list of commands': (redis) => {
    redis.defineCommand('both', { numberOfKeys: 1, lua: 'return {KEYS[1], ARGV[1]}' });
    const commands = [
      ['set', 's', 'v'],
      ['both', 's', 'x'],
      ['get', 's'],
    ];
    return redis.multi(commands).exec();
  },
  'replies that come in pieces': async (redis) => {
    await redis.set('large', 'ü'.repeat(300_000));
    return redis.multi().get('large').getBuffer('large').hgetall('h').get('k').exec();
  },
};

/** What came of it; of an error, what a caller can see. */
async function cameTo(run: Promise<unknown>): Promise<unknown> {
  const seen = (value: unknown): unknown => {
    if (value instanceof Error) {
      const { name, message, previousErrors } = value as Error & { previousErrors?: unknown };
      return { name, message, previousErrors: seen(previousErrors) };
    }
    return Array.isArray(value) ? value.map(seen) : value;
  };
  return seen(await run.catch((error: unknown) => ({ thrown: seen(error) })));
}

const BY_MAKER = Object.entries(MAKERS).flatMap(([who, make]) =>
  Object.entries(WRITTEN).map(([what, run]) => ({ who, make, what, run })),
);

test.each(BY_MAKER)('of $who comes to the same as with a bare client: $what', async ({ make, run }) => {
  const bare = newClient({ port: server.port });
  onTestFinished(() => bare.disconnect());
  await server.observer.flushall();
  const expected = await cameTo(run(bare));
  await server.observer.flushall();
  expect(await cameTo(run(await make()))).toEqual(expected);
});

test('a reply transformer that somebody has set for EXEC is given what ioredis gives it', async () => {
  const table = Reflect.get(Command, '_transformer') as { reply: Record<string, unknown> };
  const given: unknown[] = [];
  Command.setReplyTransformer('exec', (reply) => {
    given.push(reply);
    return reply;
  });
  onTestFinished(() => void delete table.reply['exec']);
  const { redis } = server.pool();
  expect(await redis.multi().set('k', 'v').get('k').exec()).toEqual([
    [null, 'OK'],
    [null, 'v'],
  ]);
  expect(given).toHaveLength(1);
});

test.each([
  ['set', 'before'],
  ['exec', 'before'],
  ['exec', 'while it is filled'],
] as const)("somebody replaces ioredis' %s of pipelines %s: that is called", async (method, when) => {
  const { redis } = server.pool();
  const methods = Pipeline.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
  const replaced = methods[method] as (...args: unknown[]) => unknown;
  const own = Object.hasOwn(methods, method);
  let calls = 0;
  const replace = (): void => {
    methods[method] = function (this: unknown, ...args: unknown[]) {
      calls++;
      return replaced.apply(this, args);
    };
  };
  onTestFinished(() => {
    if (own) methods[method] = replaced;
    else delete methods[method];
  });
  if (when === 'before') replace();
  const pipeline = redis.pipeline().set('k', 'v').get('k');
  if (when !== 'before') replace();
  expect(await pipeline.exec()).toEqual([
    [null, 'OK'],
    [null, 'v'],
  ]);
  expect(calls).toBe(1);
});

test.each(Object.entries(MAKERS))(
  'a command in a pipeline of %s has a promise for who asks for it, before and after its reply',
  async (_, make) => {
    const redis = await make();
    await redis.set('text', 'x');
    const pipeline = redis.pipeline().get('text').incr('text');
    const queue = Reflect.get(pipeline, '_queue') as Command[];
    const early = queue[0]?.promise;
    expect(Object.hasOwn(queue[0] as object, 'promise')).toBe(false); // ioredis' own commands make one each
    await pipeline.exec();
    expect([await early, await queue[0]?.promise]).toEqual(['x', 'x']);
    await expect(queue[1]?.promise).rejects.toThrow(/not an integer/);
  },
);
