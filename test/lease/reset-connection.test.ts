import { expect, test } from 'vitest';
import type { Lease } from '../../src/index.ts';
import { type Client, until, useServer } from '../helpers/redis.ts';

const DB = '2';
const server = useServer();

const quietly = (reply: unknown): void => void Promise.resolve(reply).catch(() => {});

interface State {
  /** What the borrower does before it gives the connection back. */
  leave(redis: Lease): unknown;
  /** How the server tells, so that the test knows that the state was there. */
  shows?(client: Client): boolean;
  /** What becomes of the connection. */
  fate: 'kept' | 'closed';
}

const flag =
  (letter: string) =>
  ({ flags = '' }: Client): boolean =>
    flags.includes(letter);

const STATES: Record<string, State> = {
  WATCH: { leave: (redis) => redis.watch('k', 'other'), fate: 'kept' },
  'MULTI open, with commands queued': {
    leave: async (redis) => {
      await redis.multi({ pipeline: false });
      await redis.set('k', 'never to be seen');
    },
    shows: (client) => flag('x')(client) && client['multi'] === '1',
    fate: 'kept',
  },
  SELECT: { leave: (redis) => redis.select(9), shows: ({ db }) => db === '9', fate: 'kept' },
  SUBSCRIBE: {
    leave: (redis) => redis.subscribe('news', 'weather'),
    shows: (client) => flag('P')(client) && client['sub'] === '2',
    fate: 'closed',
  },
  PSUBSCRIBE: {
    leave: (redis) => redis.psubscribe('news.*'),
    shows: ({ psub }) => psub === '1',
    fate: 'closed',
  },
  MONITOR: { leave: (redis) => redis.call('MONITOR'), shows: flag('O'), fate: 'closed' },
  'CLIENT REPLY OFF': {
    leave: (redis) => {
      quietly(redis.client('REPLY', 'OFF'));
      quietly(redis.set('silenced', 'yes'));
      return until('it has arrived', () => server.observer.exists('silenced'));
    },
    fate: 'closed',
  },
  'CLIENT TRACKING': { leave: (redis) => redis.client('TRACKING', 'ON'), shows: flag('t'), fate: 'closed' },
  'BLPOP under way': {
    leave: (redis) => quietly(redis.blpop('queue', 0)),
    shows: flag('b'),
    fate: 'closed',
  },
};

test.each(Object.entries(STATES))('%s at release: the next borrower is clean', async (_, state) => {
  const pool = server.pool({ redis: `${server.url}/${DB}`, name: 'borrower', maxActive: 1 });
  await server.observer.select(0);
  await server.observer.del('silenced');
  await server.observer.select(DB);
  const first = await pool.acquire();
  const id = String(await first.client('ID'));
  await state.leave(first);
  const { shows } = state;
  if (shows) await until('the server shows it', async () => shows(await server.client(id)));
  await server.observer.set('k', 'untouched');
  first.release();
  const next = await pool.acquire();
  const nextId = String(await next.client('ID'));
  expect(nextId === id ? 'kept' : 'closed').toBe(state.fate);
  const clean = await server.client(nextId);
  expect(clean).toMatchObject({ name: 'borrower', flags: 'N', db: DB, sub: '0', psub: '0', multi: '-1' });
  expect(await server.clients('borrower')).toHaveLength(1);
  // Nothing of before is done, and nothing of before is in the way.
  expect(await next.get('k')).toBe('untouched');
  await server.observer.set('k', 'changed by another');
  expect(await next.multi().get('k').exec()).toEqual([[null, 'changed by another']]);
  // What MONITOR tells was asked for by nobody: the first line of it breaks the connection, if it comes before the release.
  const { dirty, broken } = pool.stats().closed;
  expect(dirty + broken).toBe(state.fate === 'kept' ? 0 : 1);
  next.release();
});

test('an element pushed after a BLPOP was given up is not popped by a ghost', async () => {
  const pool = server.pool({ maxActive: 1 });
  const lease = await pool.acquire();
  quietly(lease.blpop('ghost', 0));
  lease.release();
  expect(await pool.use((redis) => redis.rpush('ghost', 'element'))).toBe(1);
  expect(await pool.use((redis) => redis.lpop('ghost'))).toBe('element');
});

test('a subscription ends with its borrower: at the server, and for the next one', async () => {
  const pool = server.pool({ maxActive: 2, name: 'subscribers' });
  const lease = await pool.acquire();
  const heard: string[] = [];
  lease.on('message', (_channel, message) => heard.push(message));
  await lease.subscribe('news');
  expect(await server.observer.publish('news', 'for the borrower')).toBe(1);
  await until('it is heard', () => heard.length === 1);
  lease.release();
  await until('nobody listens any more', async () => (await server.observer.publish('news', 'late')) === 0);
  expect(await pool.use((redis) => redis.echo('in step'))).toBe('in step');
  expect(heard).toEqual(['for the borrower']);
});

test('300 borrowers, each leaving something behind, share ten connections in peace', async () => {
  const pool = server.pool({ redis: `${server.url}/${DB}`, name: 'untidy' });
  const leave = Object.values(STATES).filter(({ fate }) => fate === 'kept');
  const watch = server.watch('untidy');
  const borrower = async (_: unknown, i: number): Promise<void> => {
    await pool.use(async (redis) => {
      const key = `untidy:${i}`;
      expect(await redis.multi().set(key, String(i)).get(key).exec()).toEqual([
        [null, 'OK'],
        [null, String(i)],
      ]);
      await leave[i % leave.length]?.leave(redis);
    });
  };
  await Promise.all(Array.from({ length: 300 }, borrower));
  expect(await watch.stop()).toBeLessThanOrEqual(10);
  await server.observer.select(DB);
  expect(await server.observer.keys('untidy:*')).toHaveLength(300);
  await until('all are at rest', () => pool.stats().inUse === 0);
  expect(pool.stats()).toMatchObject({ acquired: 300, waiting: 0 });
  expect(pool.stats().connected).toBeLessThanOrEqual(10);
  for (const { flags, db } of await server.clients('untidy')) {
    expect({ flags, db }).toEqual({ flags: 'N', db: DB });
  }
});
