import { once } from 'node:events';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { inspect } from 'node:util';
import { version } from 'ioredis/package.json';
import { expect, onTestFinished, test, vi } from 'vitest';
import { isPoolError, type Lease, type Pool, type PoolOptions } from '../../src/index.ts';
import { Middle } from '../helpers/middle.ts';
import { record } from '../helpers/outcomes.ts';
import { causeOf, expectBalanced, poolErrorOf, testPool, until, useServer } from '../helpers/redis.ts';

const server = useServer();
const RESP3 = version.startsWith('6');
const SECRET = 'what-nobody-asked-for';

/** What is thrown where nobody catches it, and what is warned of. */
function overheard(): unknown[] {
  const all: unknown[] = [];
  const hear = (one: unknown): void => void all.push(one);
  process.on('uncaughtException', hear).on('unhandledRejection', hear).on('warning', hear);
  onTestFinished(() => {
    process.off('uncaughtException', hear).off('unhandledRejection', hear).off('warning', hear);
  });
  return all;
}

/** A pool that has one connection, and who stands between it and the server. */
async function between(options: PoolOptions = {}): Promise<{ pool: Pool; middle: Middle }> {
  const middle = await Middle.to(server.port);
  const pool = testPool({ redis: middle.url, maxActive: 2, ...options });
  return { pool, middle };
}

const idleOne = (pool: Pool): Promise<unknown> => until('it rests', () => pool.stats().idle === 1);
const broken = (pool: Pool): Promise<unknown> =>
  until('it is closed', () => pool.stats().closed.broken === 1 && pool.stats().idle === 0);

test('a stall a little longer than replyTimeoutMs: late replies reach no command', async () => {
  const heard = overheard();
  const pool = server.pool({ replyTimeoutMs: 300 });
  await pool.redis.set('k', 'v');
  for (const thaw of [0, 50, 200]) {
    server.freeze();
    const lost = [pool.redis.get('missing'), pool.redis.incr('n'), pool.redis.pipeline().get('k').exec()];
    const [get, incr] = await Promise.allSettled(lost);
    await new Promise((resolve) => setTimeout(resolve, thaw)); // within the half second of its half-close
    server.thaw();
    for (const one of [get, incr]) expect(one).toMatchObject({ reason: { code: 'POOL_CONNECTION_LOST' } });
    await until('it is gone', () => pool.stats().closing === 0);
    expect(await pool.redis.get('k')).toBe('v');
  }
  expect(heard).toEqual([]);
  expectBalanced(pool.stats());
});

const STRAYS = {
  'a status': `+${SECRET}\r\n`,
  'a text': `$${SECRET.length}\r\n${SECRET}\r\n`,
  'a part of a text': `$50\r\n${SECRET}`,
  'a null': '$-1\r\n',
  'a null of RESP3': '_\r\n',
  'a list': `*2\r\n+${SECRET}\r\n:1\r\n`,
  'a message, as RESP2 has it': `*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n+${SECRET}\r\n`,
  'a number': ':1\r\n',
  'an error': `-ERR ${SECRET}\r\n`,
  'no RESP at all': `HTTP/1.1 400 ${SECRET}\r\n\r\n`,
  'a single byte': '*',
  'a message that says it has subscribed': `>3\r\n$9\r\nsubscribe\r\n+${SECRET}\r\n:1\r\n`,
};

/** Ways to have one connection at rest. */
const RESTS: Record<string, (pool: Pool) => Promise<unknown>> = {
  'that was dialled for nobody': (pool) => pool.ready(),
  'that was a lane': (pool) => pool.redis.get('k'),
  'that was leased': (pool) => pool.use((redis) => redis.get('k')),
  'on which a command was alone': (pool) => pool.redis.call('OBJECT', 'HELP'),
};

for (const [what, bytes] of Object.entries(STRAYS)) {
  for (const [which, rest] of Object.entries(RESTS)) {
    test(`an idle connection ${which} is closed when it receives ${what}, and nobody gets that`, async () => {
      const heard = overheard();
      const { pool, middle } = await between();
      const events = record(pool);
      await server.observer.set('k', 'v');
      await rest(pool);
      await idleOne(pool);
      middle.say(bytes);
      await broken(pool);
      expect(await Promise.all([pool.redis.get('k'), pool.use((redis) => redis.strlen('k'))])).toEqual([
        'v',
        1,
      ]);
      expect(pool.stats().connected).toBeGreaterThan(1);
      expect(inspect([heard, events], { depth: 20 })).not.toContain(SECRET);
      expect(heard).toEqual([]);
      expectBalanced(pool.stats());
    });
  }

  test(`a lease that owes nothing is lost when it receives ${what}`, async () => {
    const heard = overheard();
    const { pool, middle } = await between();
    const lease: Lease = await pool.acquire();
    await lease.set('k', 'v');
    const told: unknown[] = [];
    lease.on('error', (error) => told.push(error));
    const closed = once(lease, 'close');
    middle.say(bytes);
    await closed;
    const error = await poolErrorOf(lease.get('k'), 'POOL_CONNECTION_LOST');
    lease.release();
    expect(inspect([heard, told, error], { depth: 20 })).not.toContain(SECRET);
    expect(heard).toEqual([]);
    expect(await pool.use((redis) => redis.get('k'))).toBe('v');
    expect(pool.stats().closed.broken).toBe(1);
  });

  test(`what a lane receives beyond what it owes is given to nobody: ${what}`, async () => {
    const heard = overheard();
    const { pool, middle } = await between();
    await pool.redis.set('k', 'v');
    middle.change = (reply) => Buffer.concat([reply, Buffer.from(bytes)]);
    expect(await Promise.all([pool.redis.get('k'), pool.redis.strlen('k')])).toEqual(['v', 1]);
    middle.change = (reply) => reply;
    expect(await Promise.all([pool.redis.get('k'), pool.redis.strlen('k')])).toEqual(['v', 1]);
    await until('it is closed', () => pool.stats().closed.broken === 1);
    expect(heard).toEqual([]);
  });
}

test('what comes behind the reply of a command that had a connection for itself closes that', async () => {
  const heard = overheard();
  const { pool, middle } = await between({ maxActive: 3 });
  await server.observer.rpush('list', 'a', 'b');
  await pool.redis.get('k');
  middle.change = (reply) => Buffer.concat([reply, Buffer.from('$-1\r\n')]);
  expect(await pool.redis.blpop('list', 1)).toEqual(['list', 'a']);
  middle.change = (reply) => reply;
  expect(await pool.redis.blpop('list', 1)).toEqual(['list', 'b']);
  expect(pool.stats().closed.broken).toBe(1);
  expect(heard).toEqual([]);
});

test('a part of a message that has no end keeps a connection from being lent', async () => {
  const { pool, middle } = await between();
  await pool.use((redis) => redis.set('k', 'v'));
  const received = vi.spyOn(Socket.prototype, 'emit');
  middle.say('>3\r\n$10\r\ninval');
  await until('it has come', () =>
    received.mock.calls.some(
      ([event, data]: unknown[]) => event === 'data' && String(data).endsWith('inval'),
    ),
  );
  received.mockRestore();
  expect(await Promise.all([1, 2, 3].map(() => pool.use((redis) => redis.get('k'))))).toEqual([
    'v',
    'v',
    'v',
  ]);
  expect(pool.stats().closed.broken).toBe(1);
});

test('messages that Redis may send at any time cost a connection only where it cannot read them', async () => {
  const { pool, middle } = await between();
  await pool.redis.set('k', 'v');
  await idleOne(pool);
  middle.say('>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n>2\r\n$10\r\ninva');
  middle.say('lidate\r\n_\r\n');
  // They are ahead of the reply.
  if (RESP3) expect(await pool.use((redis) => redis.get('k'))).toBe('v');
  else await broken(pool);
  expect(await pool.redis.get('k')).toBe('v');
  expect(pool.stats().closed.broken).toBe(RESP3 ? 0 : 1);
});

test('a connection whose onConnect has enabled pushes gets them, idle or not', async () => {
  const { pool } = await between({
    onConnect: async (redis) => {
      if (RESP3) await redis.client('TRACKING', 'ON', 'BCAST');
    },
  });
  for (let i = 0; i < 20; i++) {
    await server.observer.set('k', i);
    expect(await pool.redis.get('k')).toBe(String(i));
    await server.observer.set('other', i);
    expect(await pool.use((redis) => redis.get('k'))).toBe(String(i));
  }
  expect(pool.stats().closed.broken).toBe(0);
});

test('a lease that is subscribed gets its messages, and nothing else', async () => {
  const { pool, middle } = await between();
  const lease = await pool.acquire();
  const messages: string[] = [];
  lease.on('message', (channel, message) => messages.push(`${channel} ${message}`));
  await lease.subscribe('a', 'b');
  await server.observer.publish('a', '1');
  await server.observer.publish('b', '2');
  await until('they came', () => messages.length === 2);
  await lease.unsubscribe('a');
  await lease.unsubscribe();
  await lease.subscribe('c');
  await server.observer.publish('c', '3');
  await until('it came', () => messages.length === 3);
  expect(messages).toEqual(['a 1', 'b 2', 'c 3']);
  const closed = once(lease, 'close');
  middle.say(`+${SECRET}\r\n`);
  await closed;
  lease.release();
});

test('an unexpected reply during a dial fails it, and is not quoted', async () => {
  const heard = overheard();
  const greeter = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(`+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n$-1\r\n+${SECRET}\r\n`));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void greeter.close());
  await once(greeter, 'listening');
  const { port } = greeter.address() as AddressInfo;
  const cause = await causeOf({ redis: { port, enableReadyCheck: true } });
  expect(cause.message).toMatch(/nobody had asked for/);
  expect(inspect([cause, heard], { depth: 20 })).not.toContain(SECRET);
  expect(heard).toEqual([]);
});

test('a message that pretends to answer a command is given to nobody', async () => {
  const { pool, middle } = await between();
  await pool.redis.set('k', 'v');
  middle.change = (reply) =>
    Buffer.concat([Buffer.from('>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n'), reply]);
  const results = await Promise.allSettled([pool.redis.incr('n'), pool.redis.incr('n')]);
  middle.change = (reply) => reply;
  for (const { status, ...rest } of results) {
    expect(status).toBe('rejected');
    expect(isPoolError((rest as PromiseRejectedResult).reason, 'POOL_CONNECTION_LOST')).toBe(true);
  }
  expect(await pool.redis.get('k')).toBe('v');
});
