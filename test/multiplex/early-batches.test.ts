import { Command, Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import type { Pool } from '../../src/index.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);

/** 900 callers, each of whom asks 50 times, for what is so long that replies come in many pieces, all read in one tick. */
async function goRound(pool: Pool): Promise<void> {
  const long = 'x'.repeat(1000);
  await pool.redis.set('long', long);
  const caller = async (): Promise<void> => {
    for (let round = 0; round < 50; round++) expect(await pool.redis.get('long')).toBe(long);
  };
  await Promise.all(Array.from({ length: 900 }, caller));
}

test('a tick with many commands is sent in parts, in order, before it has ended', async () => {
  const pool = server.pool({ maxLanes: 1 });
  await pool.redis.ping();
  const sent = numbers(600).map((i) => pool.redis.rpush('list', i));
  expect(pool.stats()).toMatchObject({ inFlight: 512, queuedCommands: 88 });
  expect(await Promise.all(sent)).toEqual(numbers(600).map((i) => Number(i) + 1));
  expect(await pool.redis.lrange('list', 0, -1)).toEqual(numbers(600));
  expect(pool.stats()).toMatchObject({ inFlight: 0, queuedCommands: 0, lanes: 0, inUse: 0 });
});

test('of callers whose replies came together, the first half is sent while the other one still asks', async () => {
  const pool = server.pool({ maxLanes: 1 });
  await pool.redis.ping();
  let asked = 0;
  const inFlight: number[] = [];
  const caller = async (i: string): Promise<void> => {
    await pool.redis.echo(i);
    const reply = pool.redis.echo(i);
    asked++;
    inFlight.push(pool.stats().inFlight);
    expect(await reply).toBe(i);
  };
  await Promise.all(numbers(200).map(caller));
  expect(asked).toBe(200);
  // All replies came together, or in parts: the half of what was left at last is sent early.
  expect(inFlight.at(-1)).toBeGreaterThan(0);
});

test('without a connection at hand, commands wait for the end of the tick: nothing is dialled within a call', async () => {
  const pool = server.pool();
  const sent = numbers(600).map((i) => pool.redis.echo(i));
  expect(pool.stats()).toMatchObject({ inFlight: 0, queuedCommands: 600, total: 0 });
  expect(await Promise.all(sent)).toEqual(numbers(600));
});

test('a lane that is full takes no more, and the bounds hold as if nothing had been sent before the end of the tick', async () => {
  const pool = server.pool({ maxLanes: 1, maxInFlight: 100, maxQueuedCommands: 1000 });
  await pool.redis.ping();
  const sent = numbers(1200).map((i) => pool.redis.echo(i));
  expect(pool.stats()).toMatchObject({ inFlight: 100, queuedCommands: 900 });
  const results = await Promise.allSettled(sent);
  expect(results.slice(0, 1000).map((one) => 'value' in one && one.value)).toEqual(numbers(1000));
  expect(results.slice(1000).map((one) => 'reason' in one && one.reason.code)).toEqual(
    Array(200).fill('POOL_EXHAUSTED'),
  );
});

test('callers who go on for long within one tick are not counted again and again', async () => {
  const pool = server.pool({ maxQueuedCommands: 950 });
  await goRound(pool);
  expect(pool.stats().exhausted).toBe(0);
});

test('a transaction that is not complete yet is not torn by commands that come meanwhile', async () => {
  const pool = server.pool({ maxLanes: 1 });
  const redis = pool.redis as Redis & {
    sendCommand: (command: Command, stream?: object) => Promise<unknown>;
  };
  await redis.set('n', '0');
  const { sendCommand } = redis;
  const meanwhile: Promise<unknown>[] = [];
  redis.sendCommand = function (this: Redis, command, stream) {
    for (let i = 0; stream !== undefined && i < 300; i++) {
      const echo = new Command('echo', [`${i}`], { replyEncoding: 'utf8' });
      meanwhile.push(sendCommand.call(this, echo as never) as Promise<unknown>);
    }
    return sendCommand.call(this, command, stream as never) as Promise<unknown>;
  };
  onTestFinished(() => void Reflect.deleteProperty(redis, 'sendCommand'));
  const replies = await redis.multi().incr('n').incr('n').get('n').exec();
  expect(replies).toEqual([
    [null, 1],
    [null, 2],
    [null, '2'],
  ]);
  expect(await Promise.all(meanwhile)).toEqual(Array.from({ length: 5 }, () => numbers(300)).flat());
});

test('pipelines are sent in parts too, each as a whole', async () => {
  const pool = server.pool({ maxLanes: 1 });
  await pool.redis.ping();
  const groups = numbers(100).map((i) => pool.redis.multi().set(`k${i}`, i).get(`k${i}`).exec());
  const { inFlight, queuedCommands } = pool.stats();
  expect(inFlight).toBe(256);
  expect(inFlight + queuedCommands).toBe(400);
  const replies = await Promise.all(groups);
  expect(replies.map((one) => one?.[1]?.[1])).toEqual(numbers(100));
});

test('closing the pool within the tick sends what is left, and all are answered', async () => {
  const pool = server.pool();
  await pool.redis.ping();
  const sent = numbers(600).map((i) => pool.redis.echo(i));
  const closed = pool.close();
  expect(await Promise.all(sent)).toEqual(numbers(600));
  await closed;
});

test('a wrapped sendCommand that sends as many again, while a part is sent, does no harm', async () => {
  const more: Promise<unknown>[] = [];
  const pool = server.pool({
    onConnect: (client) => {
      const { sendCommand } = client;
      client.sendCommand = function (this: Redis, ...given) {
        if (pool.stats().queuedCommands >= 256 && more.length === 0) {
          more.push(...numbers(300).map((i) => pool.redis.echo(i)));
        }
        return sendCommand.apply(this, given);
      };
    },
  });
  await pool.redis.ping();
  const sent = numbers(600).map((i) => pool.redis.echo(i));
  expect(await Promise.all(sent)).toEqual(numbers(600));
  expect(await Promise.all(more)).toEqual(numbers(300));
});

test('what needs a connection of its own is sent, however long the tick takes that many others came in', async () => {
  const clock = new FakeClock();
  const pool = server.pool({ maxLanes: 1 }, clock);
  await pool.redis.ping();
  const blocking = pool.redis.blpop('nothing', 0.1);
  const sent = numbers(300).map((i) => pool.redis.echo(i));
  const blocked = clock.block(60, () => {});
  const later = pool.redis.echo('later');
  await blocked;
  expect(await Promise.all(sent)).toEqual(numbers(300));
  expect(await later).toBe('later');
  expect(await blocking).toBe(null);
});

test('after clear(), nothing is sent over a connection from before', async () => {
  const pool = server.pool();
  const old = await pool.redis.client('ID');
  const first = pool.redis.echo('first');
  await new Promise(setImmediate);
  expect(pool.stats().inFlight).toBe(1);
  pool.clear();
  const ids = await Promise.all(numbers(300).map(() => pool.redis.client('ID')));
  expect(ids).not.toContain(old);
  expect(await first).toBe('first');
});

test.each([
  ['of a tick that takes long', '', 60],
  ['with replies that are not small', 'x'.repeat(2000), 0],
])('the commands %s use one lane, as if all were sent at its end', async (_, value, ms) => {
  const clock = new FakeClock();
  const pool = server.pool({}, clock);
  await pool.redis.set('value', value);
  await Promise.all(numbers(100).map(() => pool.redis.get('value')));
  expect(pool.stats().total).toBe(1);
  const sent = numbers(300).map(() => pool.redis.get('value'));
  const blocked = clock.block(ms, () => {});
  sent.push(...numbers(700).map(() => pool.redis.get('value')));
  expect(pool.stats()).toMatchObject({ lanes: 1, total: 1 });
  await new Promise(setImmediate);
  expect(pool.stats()).toMatchObject({ lanes: 1, total: 1 });
  await blocked;
  await Promise.all(sent);
});

test('the time of what found no room on the lane begins at the end of the tick', async () => {
  const clock = new FakeClock();
  const pool = server.pool({ maxLanes: 1, maxInFlight: 1, acquireTimeoutMs: 300 }, clock);
  await pool.redis.ping();
  await clock.advance(1000); // no timer runs any more
  const sent = numbers(300).map((i) => pool.redis.echo(i));
  await clock.block(400, () => {});
  expect(await Promise.all(sent)).toEqual(numbers(300));
});

test('where ioredis reads replies by itself, callers are not counted again and again either', async () => {
  const pool = server.pool({
    maxQueuedCommands: 950,
    createClient: (options) => {
      const client = new Redis(options);
      return client.on('connect', () => client.stream.on('data', () => {}));
    },
  });
  await goRound(pool);
  expect(pool.stats().exhausted).toBe(0);
});

test('a sendCommand that throws within a transaction leaves none open', async () => {
  const { redis } = server.pool({ maxLanes: 1 });
  const { sendCommand } = redis;
  redis.sendCommand = function (command, stream) {
    if (command.name === 'incr') throw new Error('not this one');
    return sendCommand.call(this, command, stream);
  };
  expect(() => redis.multi().get('n').incr('n').exec()).toThrow('not this one');
  expect(await redis.get('none')).toBe(null);
});

test('a connection that comes while a transaction is being filled does not tear it', async () => {
  const pool = server.pool({ maxActive: 1 });
  const lease = await pool.acquire();
  const { redis } = pool;
  const first = redis.set('n', '0');
  await new Promise(setImmediate); // it waits for the connection
  const { sendCommand } = redis;
  redis.sendCommand = function (this: Redis, command, stream) {
    if (command.name === 'incr') void lease.release();
    return sendCommand.call(this, command, stream);
  };
  expect(await redis.multi().incr('n').get('n').exec()).toEqual([
    [null, 1],
    [null, '1'],
  ]);
  expect(await first).toBe('OK');
});
