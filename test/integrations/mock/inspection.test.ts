import { expect, test } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { follow } from '../../helpers/outcomes.ts';

const down = new Error('down');

test("commands lists what was received, through which lease, and when, without the pool's own commands", async () => {
  const mock = new MockPool({ redis: { db: 1, keyPrefix: 'app:' }, maxActive: 2, checkAfterIdleMs: 100 });
  await mock.redis.set('k', 'snowman ☃');
  await mock.advance(200); // from now on it is checked with a PING before it is lent
  const lease = await mock.acquire();
  await lease.watch('k');
  await lease.select(0);
  lease.release(); // UNWATCH and SELECT undo that
  await mock.advance(0);
  await mock.redis.multi().incr('n').exec();
  expect(mock.commands).toEqual([
    { name: 'set', args: ['app:k', 'snowman ☃'], lease: undefined, at: 0 },
    { name: 'watch', args: ['app:k'], lease: lease.connectionId, at: 200 },
    { name: 'select', args: ['0'], lease: lease.connectionId, at: 200 },
    { name: 'multi', args: [], lease: undefined, at: 200 },
    { name: 'incr', args: ['app:n'], lease: undefined, at: 200 },
    { name: 'exec', args: [], lease: undefined, at: 200 },
  ]);
  expect(mock.stats()).toMatchObject({ connected: 1, closed: { dirty: 0 } });
});

test('commands is a copy that later commands leave as it is', async () => {
  const mock = new MockPool();
  const before = mock.commands;
  await mock.redis.ping();
  expect([before.length, mock.commands.length]).toEqual([0, 1]);
});

async function forgetful(mock: MockPool): Promise<unknown> {
  return mock.acquire();
}

test('leases lists those that were not released, since when, and where they were acquired', async () => {
  const mock = new MockPool();
  await mock.advance(50);
  await forgetful(mock);
  const lease = await mock.acquire();
  const done = mock.use((used) =>
    expect(mock.leases.map(({ connectionId }) => connectionId)).toContain(used.connectionId),
  );
  await done;
  lease.release();
  expect(mock.leases).toEqual([
    { connectionId: 1, since: 50, stack: expect.stringMatching(/^ +at forgetful/) },
  ]);
});

test('assertNoLeaks() is silent when all came back, and else shows where they were acquired', async () => {
  const mock = new MockPool();
  await mock.use(() => {});
  mock.assertNoLeaks();
  await forgetful(mock);
  expect(() => mock.assertNoLeaks()).toThrow(
    /1 not released\nlease of connection 1, acquired\n +at forgetful/,
  );
});

test('a lease that close() cut is no leak once it is released', async () => {
  const mock = new MockPool();
  const lease = await mock.acquire();
  await mock.close({ graceMs: 0 });
  expect(mock.leases).toHaveLength(1);
  lease.release();
  mock.assertNoLeaks();
});

test('assertClean() is silent when nothing is left over', async () => {
  const mock = new MockPool().replyOnce('get', 'x').failConnects(down, 1);
  await mock.acquire().catch(() => {});
  await mock.advance(100);
  await mock.use((lease) => lease.get('k'));
  await mock.redis.set('k', 'v');
  await mock.use(async (lease) => void (await lease.watch('k')));
  (await mock.exhaust())();
  mock.holdReplies();
  const held = mock.redis.get('k');
  await mock.advance(0);
  mock.flush();
  await held;
  await mock.advance(0);
  mock.assertClean();
});

test('assertClean() does not count a connection that was closed for a subscription which its lease has ended', async () => {
  const mock = new MockPool();
  await mock.use(async (lease) => {
    await lease.subscribe('a', 'b');
    await lease.psubscribe('c*');
    await lease.unsubscribe('a', 'b');
    await lease.punsubscribe('c*');
  });
  expect(mock.stats().closed.dirty).toBe(1);
  mock.assertClean();
});

test.each<[string, RegExp, (mock: MockPool) => unknown]>([
  ['a lease that is out', /1 not released/, (mock) => mock.acquire()],
  [
    'a connection that a lease has cost, and by what',
    /: 1 connection was closed for what its lease left behind \(connection 1: client SETNAME x\)$/,
    (mock) => mock.use((lease) => lease.client('SETNAME', 'x')),
  ],
  [
    'a connection that another user has, but of no password',
    /\(connection 1: auth, hello\)$/,
    (mock) =>
      mock.use((lease) => lease.auth('ann', 'secret').then(() => lease.hello(2, 'AUTH', 'ann', 'secret'))),
  ],
  [
    'connections that were closed with subscriptions',
    /: 2 connections were closed for what their leases left behind \(connection 1: subscribe a; connection 2: psubscribe b\*, subscribe c\)$/,
    (mock) =>
      Promise.all([
        mock.use((lease) => lease.subscribe('a')),
        mock.use((lease) => lease.psubscribe('b*').then(() => lease.subscribe('c'))),
      ]),
  ],
  [
    'a connection whose raw client was read',
    /\(connection 1: no command; its raw client was read, or the lease was dropped\)$/,
    (mock) => mock.use((lease) => void lease.raw),
  ],
  ['connections held by exhaust()', /10 connections are held by exhaust/, (mock) => mock.exhaust()],
  [
    'a caller that waits',
    /1 caller waits for a connection/,
    async (mock) => {
      await mock.exhaust();
      follow(mock.acquire());
    },
  ],
  [
    'a command without its reply',
    /1 command waits for its reply/,
    (mock) => follow(mock.holdReplies().redis.get('k')),
  ],
  ['a command that blocks', /1 command waits for its reply/, (mock) => follow(mock.redis.blpop('k', 0))],
  [
    'an answer that was not used',
    /replyOnce\(\) was not used for get, get/,
    (mock) => mock.replyOnce('get', 1).replyOnce('get', 2),
  ],
  [
    'a failure that was not met',
    /failConnects\(\) has 2 failures left/,
    (mock) => mock.failConnects(down, 2),
  ],
])('assertClean() tells of %s', async (_, message, leave) => {
  const mock = new MockPool();
  await leave(mock);
  await mock.advance(0);
  expect(() => mock.assertClean()).toThrow(message);
});

test('toString() says in a line what it is doing', async () => {
  const mock = new MockPool({ maxActive: 4 });
  await mock.acquire();
  await mock.redis.set('k', 'v');
  expect(`${mock}`).toBe('MockPool (1 of 4 in use, 1 leased, 1 idle, 0 waiting; 1 commands, 1 keys)');
});
