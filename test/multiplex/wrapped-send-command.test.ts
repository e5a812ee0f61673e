import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import { Command, Redis, type RedisOptions } from 'ioredis';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { PoolOptions } from '../../src/index.ts';
import { newClient, until, useServer } from '../helpers/redis.ts';

const server = useServer();
const request = new AsyncLocalStorage<string>();
/** What somebody was told who has put something around ioredis. */
let told: unknown[] = [];

beforeEach(async () => {
  await server.observer.flushall();
  await server.observer.mset({ text: 'x', large: 'y'.repeat(100_000) });
  told = [];
});

type Send = (this: Redis, command: Command, stream?: never) => unknown;
type Wrap = (send: Send) => Send;

const shown = (reply: unknown): unknown => (reply instanceof Buffer ? `bytes of ${reply}` : reply);
/** What is put around sendCommand. */
const WRAPS: Record<string, Wrap> = {
  'one that watches the promise, in a context of its own, as dd-trace does': (send) =>
    function (command, ...rest) {
      const parent = request.getStore();
      const resource = new AsyncResource('wrapper');
      return resource.runInAsyncScope(() => {
        told.push(['start', command.name, command.args.map(String), parent, this.options.port]);
        const end = resource.bind((error?: Error) => {
          told.push(['end', command.name, parent, error?.message?.slice(0, 9)]);
        });
        command.promise.then(() => end(), end);
        return send.call(this, command, ...rest);
      });
    },
  'one that returns a promise of its own': (send) =>
    function (command, ...rest) {
      told.push(['start', command.name, request.getStore()]);
      const sent = send.call(this, command, ...rest) as Promise<unknown>;
      return sent.then((reply) => (command.name === 'get' ? `wrapped ${reply}` : reply));
    },
  'one that returns a promise that fails otherwise': (send) =>
    function (command, ...rest) {
      const sent = send.call(this, command, ...rest) as Promise<unknown>;
      return sent.catch((error: Error) => {
        throw new Error(`wrapped ${error.message.slice(0, 9)}`);
      });
    },
  'one that replaces resolve and reject, and calls those of the command unbound': (send) =>
    function (command, ...rest) {
      const sent = send.call(this, command, ...rest);
      const { resolve, reject } = command;
      const parent = request.getStore();
      command.resolve = (reply) => {
        told.push(['resolved', command.name, parent, shown(reply)?.toString().slice(0, 20)]);
        return (resolve as (reply: unknown) => never)(reply);
      };
      command.reject = (error) => {
        told.push(['rejected', command.name, parent, error.message.slice(0, 9)]);
        reject(error);
      };
      return sent;
    },
};

/** Where it is put. Each takes it away again with the test, where that is needed. */
type Place = (wrap: Wrap) => Pick<PoolOptions, 'createClient' | 'onConnect'>;
const onPrototype: Place = (wrap) => {
  const { prototype } = Redis as unknown as { prototype: { sendCommand: Send } };
  const { sendCommand } = prototype;
  prototype.sendCommand = wrap(sendCommand);
  onTestFinished(() => {
    prototype.sendCommand = sendCommand;
  });
  return {};
};
const wrapOne = (client: Redis, wrap: Wrap): Redis => {
  const one = client as unknown as { sendCommand: Send };
  one.sendCommand = wrap(one.sendCommand);
  return client;
};
const PLACES: Record<string, Place> = {
  'Redis.prototype': onPrototype,
  'each client that is made': (wrap) => ({ createClient: (options) => wrapOne(newClient(options), wrap) }),
  'each client, later than its first commands': (wrap) => ({
    createClient: (options) => {
      const client = newClient(options);
      client.once('ready', () => wrapOne(client, wrap));
      return client;
    },
  }),
  'a subclass': (wrap) => {
    class Own extends Redis {}
    const { sendCommand } = Redis.prototype;
    Object.defineProperty(Own.prototype, 'sendCommand', { value: wrap(sendCommand as unknown as Send) });
    return { createClient: (options: RedisOptions) => new Own(options as never) as unknown as Redis };
  },
};

const caught = (work: Promise<unknown>): Promise<unknown> => work.catch((error: Error) => error.message);

/** What three requests do in one tick, and some more. */
async function work(redis: Redis): Promise<unknown> {
  told = [];
  const own = redis as unknown as Record<'refuse', (...args: unknown[]) => Promise<unknown>>;
  redis.defineCommand('refuse', { lua: "return redis.error_reply('REFUSED it')", numberOfKeys: 0 });
  const withCallback = (call: (done: (error?: Error | null, reply?: unknown) => void) => unknown) =>
    new Promise((resolve) => void call((error, reply) => resolve([error?.message, reply])));
  const results = await Promise.all([
    request.run('first', () => redis.get('text')),
    request.run('second', () => caught(redis.incr('text'))),
    request.run('third', async () => String(await redis.getBuffer('large')).length),
    request.run('fourth', async () => (await redis.pipeline().incr('text').get('text').exec())?.map(String)),
    request.run('fifth', () => redis.multi().set('k', Buffer.from('v')).get('k').exec()),
    request.run('sixth', () => caught(own.refuse())),
    request.run('seventh', () => withCallback((done) => redis.get('text', done))),
    request.run('eighth', () => caught(redis.call('nosuchcommand'))),
  ]);
  const calledBack = await Promise.all([
    request.run('ninth', () => withCallback((done) => redis.get('nothing', done))),
    request.run('tenth', () => withCallback((done) => redis.incr('text', done))),
  ]);
  await new Promise(setImmediate);
  const names = /^(info|hello|client|select|ping)$/;
  const ofCommands = told.filter((one) => !names.test(String((one as unknown[])[1])));
  return { results, calledBack, told: ofCommands.map((one) => JSON.stringify(one)).sort() };
}

const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));

async function compare(options: PoolOptions): Promise<void> {
  const redis = { host: '127.0.0.1', port: server.port };
  const { createClient = newClient, ...more } = options;
  const { signal } = new AbortController();
  const bare = (await createClient({ ...redis } as never, { signal })) as Redis;
  onTestFinished(() => bare.disconnect());
  await bare.ping();
  const expected = await work(bare);
  await new Promise(setImmediate);
  unhandled.length = 0; // a bare client may have some
  const pool = server.pool({ redis, ...(options.createClient ? { createClient } : {}), ...more });
  expect(await work(pool.redis), 'first').toEqual(expected);
  expect(await work(pool.redis), 'again').toEqual(expected);
  expect(await pool.use((lease) => work(lease)), 'over a lease').toEqual(expected);
  await pool.close();
  await new Promise(setImmediate);
  expect(unhandled).toEqual([]);
}

describe.each(Object.entries(PLACES))('around the sendCommand of %s', (_, place) => {
  test.each(Object.entries(WRAPS))('%s: all is as with a bare client', async (_name, wrap) => {
    await compare(place(wrap));
  });
});

test("subscribers of ioredis' tracing channels get the same as from a plain client", async () => {
  const steps = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];
  for (const what of ['command', 'batch']) {
    for (const step of steps) {
      const one = channel(`tracing:ioredis:${what}:${step}`);
      const listen = (message: unknown): void => {
        const { error, result, ...context } = message as Record<string, unknown>;
        told.push([
          `${what} ${step}`,
          context['command'],
          context,
          request.getStore(),
          shown(result),
          String(error),
        ]);
      };
      one.subscribe(listen);
      onTestFinished(() => void one.unsubscribe(listen));
    }
  }
  await compare({});
});

test('who puts something around what makes a promise of each command, as Elastic does, finds each', async () => {
  const { prototype } = Command as unknown as { prototype: { initPromise(): void } };
  const { initPromise } = prototype;
  const names: string[] = [];
  prototype.initPromise = function (this: Command) {
    initPromise.call(this);
    names.push(this.name);
    const { resolve } = this;
    this.resolve = (reply) => {
      told.push(['resolved', this.name, shown(reply)?.toString().slice(0, 20)]);
      return resolve.call(this, reply);
    };
  };
  onTestFinished(() => {
    prototype.initPromise = initPromise;
  });
  await compare({});
  expect(names.filter((name) => name === 'incr')).toHaveLength(12);
});

test('a command that is sent twice is observed twice', async () => {
  const wrap = WRAPS['one that returns a promise of its own'] as Wrap;
  const { redis } = server.pool(PLACES['Redis.prototype']?.(wrap));
  await redis.ping();
  told = [];
  const command = new Command('get', [Buffer.from('text')], { replyEncoding: 'utf8' });
  expect(await redis.sendCommand(command)).toBe('wrapped x');
  void redis.sendCommand(command);
  await until('it is told again', () => told.length === 2);
});

test('a caller that passes a callback to a defined command gets an error there, and nowhere else', async () => {
  const wrap = WRAPS['one that returns a promise that fails otherwise'] as Wrap;
  const { redis } = server.pool(PLACES['Redis.prototype']?.(wrap));
  redis.defineCommand('refuse', { lua: "return redis.error_reply('REFUSED it')", numberOfKeys: 0 });
  const { refuse } = redis as unknown as { refuse(done: (error?: Error) => void): void };
  unhandled.length = 0;
  const error = await new Promise<Error | undefined>((resolve) => refuse.call(redis, resolve));
  await new Promise(setImmediate);
  expect([error?.message, unhandled]).toEqual(['REFUSED it', []]);
});

test('a sendCommand that sends later is waited for, and its connection is nobody else’s until then', async () => {
  const createClient = (options: RedisOptions): Redis =>
    wrapOne(
      newClient(options),
      (send) =>
        async function (command, ...rest) {
          const early = this.status !== 'ready';
          if (!early) await new Promise(setImmediate);
          return send.call(this, command, ...rest);
        },
    );
  const pool = server.pool({
    createClient,
    maxActive: 1,
    redis: { port: server.port, disableClientInfo: true },
  });
  const { redis } = pool;
  const lent = pool.redis.get('text').then(() => pool.acquire());
  const replies = await Promise.all([
    redis.get('text'),
    caught(redis.incr('text')),
    redis.pipeline().set('k', '1').incr('k').exec(),
    redis.multi().incr('k').exec(),
  ]);
  const error = 'ERR value is not an integer or out of range';
  expect(replies).toEqual([
    'x',
    error,
    [
      [null, 'OK'],
      [null, 2],
    ],
    [[null, 3]],
  ]);
  const lease = await lent;
  lease.release();
  const waiting = redis.get('text');
  await new Promise(setImmediate);
  expect(pool.stats()).toMatchObject({ inUse: 1, lanes: 1 });
  expect(await waiting).toBe('x');
  await until('it rests', () => pool.stats().idle === 1);
});

test('commands that were passed to a sendCommand that sends later keep their order with later ones', async () => {
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  let clients = 0;
  const createClient = (options: RedisOptions): Redis => {
    const first = ++clients === 1;
    return wrapOne(
      newClient(options),
      (send) =>
        async function (command, ...rest) {
          if (first && this.status === 'ready') await gate;
          return send.call(this, command, ...rest);
        },
    );
  };
  const pool = server.pool({ createClient, redis: { port: server.port, disableClientInfo: true } });
  await pool.use(() => {});
  await server.observer.del('k');
  const replies = [pool.redis.set('k', 'first')];
  await until('it is given to a lane', () => pool.stats().inFlight === 1);
  await pool.use(() => {}); // another connection is there
  replies.push(pool.redis.set('k', 'second'));
  await until('that too', () => pool.stats().queuedCommands === 0);
  expect(await server.observer.get('k')).toBe(null);
  open();
  await Promise.all(replies);
  expect(await server.observer.get('k')).toBe('second');
});

test('what throws in the place of sendCommand rejects that command alone, and keeps no place', async () => {
  const createClient = (options: RedisOptions): Redis =>
    wrapOne(
      newClient(options),
      (send) =>
        function (command, ...rest) {
          if (command.args[0] === 'bad') throw new Error('mine');
          return send.call(this, command, ...rest);
        },
    );
  const pool = server.pool({ createClient });
  const all = [pool.redis.get('bad'), pool.redis.get('text'), pool.redis.blpop('bad', 1)].map(caught);
  expect(await Promise.all(all)).toEqual(['mine', 'x', 'mine']);
  await new Promise(setImmediate);
  expect(pool.stats().inUse).toBe(0);
});
