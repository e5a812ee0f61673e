import type { Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Lease, Pool } from '../../src/index.ts';
import { type RunningServer, startServer } from '../../tools/redis-server.js';
import { clientList, until } from '../helpers/redis.ts';

const DB = 2;
let server: RunningServer;
let observer: Redis;

beforeAll(async () => {
  server = await startServer();
  observer = new Redis(server.url);
});

afterAll(async () => {
  observer.disconnect();
  await server.stop();
});

const quietly = (reply: unknown): void => void Promise.resolve(reply).catch(() => {});

/** Every state that a borrower can leave a connection in; `kept` if it is undone rather than closed. */
const STATES: Record<string, { leave(redis: Lease): unknown; kept?: true }> = {
  nothing: { leave: (redis) => redis.get('a'), kept: true },
  'an error reply': { leave: (redis) => redis.call('NOSUCH').catch(() => {}), kept: true },
  'replies still owed': {
    leave: (redis) => quietly(Promise.all([redis.get('a'), redis.get('b')])),
    kept: true,
  },
  WATCH: { leave: (redis) => redis.watch('a'), kept: true },
  'WATCH in a pipeline': { leave: (redis) => redis.pipeline().watch('a').exec(), kept: true },
  'WATCH by sendCommand': { leave: (redis) => redis.call('wAtCh', 'a'), kept: true },
  MULTI: { leave: (redis) => redis.multi({ pipeline: false }), kept: true },
  'MULTI by call, with commands': {
    leave: (redis) => redis.call('MULTI').then(() => redis.set('x', '1')),
    kept: true,
  },
  'WATCH and MULTI': { leave: (redis) => redis.watch('a').then(() => redis.call('multi')), kept: true },
  SELECT: { leave: (redis) => redis.select(5), kept: true },
  'SELECT by call': { leave: (redis) => redis.call('SELECT', '6'), kept: true },
  'SELECT of a db that is none': { leave: (redis) => redis.select(99).catch(() => {}), kept: true },
  'SELECT in a MULTI that was discarded': {
    leave: async (redis) => {
      await redis.multi({ pipeline: false });
      await redis.select(4);
      await redis.discard();
    },
    kept: true,
  },
  SUBSCRIBE: { leave: (redis) => redis.subscribe('c') },
  'SUBSCRIBE by call': { leave: (redis) => redis.call('SUBSCRIBE', 'c') },
  PSUBSCRIBE: { leave: (redis) => redis.psubscribe('c*') },
  SSUBSCRIBE: { leave: (redis) => redis.ssubscribe('c') },
  'SUBSCRIBE and UNSUBSCRIBE': { leave: (redis) => redis.subscribe('c').then(() => redis.unsubscribe('c')) },
  MONITOR: { leave: (redis) => redis.call('MONITOR') },
  'CLIENT REPLY OFF': { leave: (redis) => quietly(redis.client('REPLY', 'OFF')) },
  'CLIENT REPLY SKIP': { leave: (redis) => quietly(redis.client('REPLY', 'SKIP')) },
  'CLIENT TRACKING': { leave: (redis) => redis.client('TRACKING', 'ON') },
  'CLIENT SETNAME': { leave: (redis) => redis.client('SETNAME', 'someone') },
  'CLIENT NO-EVICT': { leave: (redis) => redis.client('NO-EVICT', 'ON') },
  'CLIENT NO-TOUCH': { leave: (redis) => redis.call('CLIENT', 'NO-TOUCH', 'ON').catch(() => {}) },
  AUTH: { leave: (redis) => redis.auth('default', 'x').catch(() => {}) },
  HELLO: { leave: (redis) => redis.call('HELLO', '2').catch(() => {}) },
  READONLY: { leave: (redis) => redis.readonly().catch(() => {}) },
  ASKING: { leave: (redis) => redis.asking().catch(() => {}), kept: true },
  RESET: { leave: (redis) => quietly(redis.call('RESET')) },
  QUIT: { leave: (redis) => redis.quit() },
  'BLPOP under way': { leave: (redis) => quietly(redis.blpop('never', 0)) },
  'XREAD BLOCK under way': { leave: (redis) => quietly(redis.xread('BLOCK', 0, 'STREAMS', 'never', '$')) },
  'the raw client in other hands': { leave: (redis) => redis.raw.set('a', '1') },
};

const ENDS: Record<string, (redis: Lease) => unknown> = {
  release: (redis) => redis.release(),
  destroy: (redis) => redis.destroy(),
  throw: () => {
    throw new Error('the borrower failed');
  },
  'its connection killed': async (redis) => {
    const { localAddress, localPort } = redis.raw.stream as Socket;
    await observer.client('KILL', 'ADDR', `${localAddress}:${localPort}`).catch(() => {}); // QUIT was faster
    // The reply to KILL may overtake the FIN.
    await until('it has arrived', () => redis.status !== 'ready');
    redis.release();
  },
};

describe.each(Object.entries(STATES))('%s', (state, { leave, kept }) => {
  test.each(Object.entries(ENDS))('and %s: the next borrower is clean', async (how, end) => {
    const pool = new Pool({ redis: `${server.url}/${DB}`, name: 'states', maxActive: 1 });
    try {
      let first = 0;
      const used = pool.use(async (redis) => {
        first = redis.connectionId;
        await leave(redis);
        await end(redis);
      });
      await used.catch((error) => expect(error.message).toBe('the borrower failed'));
      await pool.use((redis) => expectClean(redis));
      const reused = (await pool.use((redis) => redis.connectionId)) === first;
      expect(reused, `${state}, ${how}`).toBe(kept === true && (how === 'release' || how === 'throw'));
      expect(pool.stats()).toMatchObject({ total: 1, idle: 1, inUse: 0 });
    } finally {
      await pool.close({ graceMs: 0 });
    }
  });
});

/** Looks from both ends: what the server says of the connection, and what the connection does. */
async function expectClean(redis: Lease): Promise<void> {
  const id = await redis.client('ID');
  const seen = (await clientList(observer)).find((one) => one['id'] === String(id));
  const untouched = { sub: '0', psub: '0', ssub: '0', multi: '-1', redir: '-1' };
  expect(seen).toMatchObject({ name: 'states', flags: 'N', db: String(DB), ...untouched });
  await redis.set('a', 'mine');
  expect(await redis.get('a')).toBe('mine');
  // Someone else changes a key that a borrower before may have watched: EXEC must not mind.
  await observer.pipeline().select(DB).set('a', 'theirs').exec();
  expect(await redis.multi().get('a').exec()).toEqual([[null, 'theirs']]);
  expect(await redis.echo('in step')).toBe('in step');
}
