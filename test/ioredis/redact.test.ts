import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EVENT_NAMES } from '../../src/api/events.ts';
import { type Lease, Pool, type PoolOptions } from '../../src/index.ts';
import { newClient, testPool, until, useServer } from '../helpers/redis.ts';
import { expectNoSecret } from '../helpers/secrets.ts';

const SECRET = 's3cret-Pa55';
const server = useServer(['--requirepass', 'another']);
const open = useServer();

/** All that a test has seen: errors, event payloads, stats, warnings, what was printed. */
let seen: unknown[] = [];
const note = (what: unknown): void => void seen.push(what);
const noteChannel = (payload: unknown): void => note(payload);

beforeEach(() => {
  seen = [];
  process.on('warning', note);
  for (const level of ['log', 'warn', 'error'] as const) {
    vi.spyOn(console, level).mockImplementation((...args) => note(args));
  }
  for (const event of EVENT_NAMES) subscribe(`bounded-redis-pool:${event}`, noteChannel);
});

afterEach(() => {
  process.off('warning', note);
  vi.restoreAllMocks();
  for (const event of EVENT_NAMES) unsubscribe(`bounded-redis-pool:${event}`, noteChannel);
});

/** A pool all of whose events are seen. */
function loud(options: PoolOptions): Pool {
  const pool = testPool(options);
  for (const event of EVENT_NAMES) pool.on(event, note);
  return pool;
}

const at = (port: number): { host: string; port: number } => ({ host: '127.0.0.1', port });

const REFUSED: Record<string, () => PoolOptions> = {
  'in a URL': () => ({ redis: `redis://:${SECRET}@127.0.0.1:${server.port}` }),
  'in a URL, with an ACL user': () => ({ redis: `redis://someone:${SECRET}@127.0.0.1:${server.port}/1` }),
  'in the query of a URL': () => ({ redis: `redis://127.0.0.1:${server.port}?password=${SECRET}` }),
  'in options': () => ({ redis: { ...at(server.port), password: SECRET } }),
  'of an ACL user, in options': () => ({
    redis: { ...at(server.port), username: 'someone', password: SECRET },
  }),
  'without the ready check': () => ({
    redis: { ...at(server.port), password: SECRET, enableReadyCheck: false },
  }),
  'with friendly error stacks': () => ({
    redis: { ...at(server.port), password: SECRET, showFriendlyErrorStack: true },
  }),
  'from createClient': () => ({
    redis: at(server.port),
    createClient: (options) => newClient({ ...options, password: SECRET }),
  }),
  'to a port where nobody listens': () => ({ redis: { ...at(1), password: SECRET, username: 'someone' } }),
  'to a host that does not exist': () => ({
    redis: `redis://:${SECRET}@nowhere.invalid`,
    connectTimeoutMs: 500,
  }),
  'with TLS to a port that has none': () => ({
    redis: { ...at(server.port), password: SECRET, tls: { passphrase: SECRET } },
    connectTimeoutMs: 200,
  }),
  'in AUTH by onConnect': () => ({
    redis: at(open.port),
    onConnect: (redis) => redis.auth('someone', SECRET),
  }),
  'in HELLO by onConnect': () => ({
    redis: at(open.port),
    onConnect: (redis) => redis.call('HELLO', '3', 'AUTH', 'someone', SECRET),
  }),
  'in the cause of what onConnect throws': () => ({
    redis: at(open.port),
    onConnect: (redis) =>
      redis.auth('someone', SECRET).catch((cause: unknown) => {
        throw new Error('cannot prepare', { cause });
      }),
  }),
};

test.each(Object.entries(REFUSED))('no password leaks that is refused: %s', async (_, options) => {
  const pool = loud(options());
  for (const work of [pool.acquire(), pool.ready(), pool.use((redis) => redis.ping())]) {
    note(
      await work.then(
        () => expect.fail('it was not refused'),
        (error: unknown) => error,
      ),
    );
  }
  note(pool.stats());
  expect(seen.some((one) => one instanceof Error)).toBe(true);
  expectNoSecret(seen, SECRET);
});

const INVALID: Record<string, () => unknown> = {
  'a scheme that is not known': () => new Pool(`http://:${SECRET}@127.0.0.1`),
  'a port that is none': () => new Pool(`redis://:${SECRET}@127.0.0.1:99999`),
  'a host that is none': () => new Pool({ redis: `rediss://:${SECRET}@[::1` }),
  'a URL under a wrong name': () => new Pool({ url: `redis://:${SECRET}@127.0.0.1` } as object),
  'a URL in a list': () => new Pool({ redis: [`redis://:${SECRET}@127.0.0.1`] as never }),
  'a client': () => new Pool({ redis: newClient({ lazyConnect: true, password: SECRET }) as never }),
  'a URL given twice': () =>
    new Pool(`redis://:${SECRET}@127.0.0.1`, { redis: `redis://:${SECRET}@127.0.0.1` }),
  'options and a URL': () => new Pool({}, `redis://:${SECRET}@127.0.0.1` as never),
};

test.each(Object.entries(INVALID))('no password leaks from wrong options: %s', (_, make) => {
  let error: unknown;
  try {
    make();
  } catch (reason) {
    error = reason;
  }
  expectNoSecret([error, ...seen], SECRET);
  expect(error).toMatchObject({ code: 'POOL_INVALID_OPTION' });
});

test('neither passwords nor values leak from commands in flight when their connection is lost', async () => {
  const pool = loud({ redis: { ...at(open.port), name: 'x' } as object, name: 'lost' });
  const lease: Lease = await pool.acquire();
  const id = await lease.client('ID');
  const inFlight = [
    lease.blpop('never', 0),
    lease.set('k', SECRET),
    lease.call('AUTH', 'someone', SECRET),
    lease.pipeline().set('k', SECRET).auth(SECRET).exec(),
    lease.multi().set('k', SECRET).exec(),
  ].map((reply) => reply.catch((error: unknown) => error));
  await open.killClient(id);
  for (const outcome of await Promise.all(inFlight)) note(outcome);
  note(await lease.set('k', SECRET).catch((error: unknown) => error));
  lease.release();
  note(await lease.auth(SECRET).catch((error: unknown) => error));
  await until('the connection is gone', () => pool.stats().total === 0);
  expectNoSecret(seen, SECRET);
});

test('a working pool reveals no password either, nor do its stats or the pool itself', async () => {
  await open.observer.call('ACL', 'SETUSER', 'someone', 'on', `>${SECRET}`, '~*', '&*', '+@all');
  const pool = loud({
    redis: `redis://someone:${SECRET}@127.0.0.1:${open.port}/1`,
    minIdle: 1,
    leakThresholdMs: 5,
  });
  await pool.use((redis) => redis.set('k', SECRET));
  const held = await pool.acquire();
  await until('the leak is reported', () => pool.stats().leaked >= 1);
  held.release();
  pool.clear();
  await pool.close();
  note(pool.stats());
  note(await pool.acquire().catch((error: unknown) => error));
  expectNoSecret([...seen, inspect(pool, { depth: 10, showHidden: true })], SECRET);
});
