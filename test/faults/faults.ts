import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULTS } from '../../src/index.ts';
import type { TestServer } from '../helpers/redis.ts';
import { type Errors, type Fault, isMeasured } from './harness.ts';

/** So that a caller's deadline is reached while the fault lasts. */
const IMPATIENT = {
  ...{ acquireTimeoutMs: 500, connectTimeoutMs: 1000, replyTimeoutMs: 500 },
  ...('leaseReplyTimeoutMs' in DEFAULTS ? { leaseReplyTimeoutMs: 500 } : {}),
};

const LOST = ['POOL_CONNECTION_LOST'];
const LATE = ['POOL_ACQUIRE_TIMEOUT', 'POOL_CONNECTION_LOST', 'POOL_CONNECT_FAILED', 'POOL_EXHAUSTED'];
const everywhere = (errors: readonly string[]): Errors => ({
  ...{ 'use read': errors, 'use write': errors, 'redis read': errors, 'redis write': errors },
});
/** What was under way on a lease when its connection died, and what may have run. */
const OUT = [...LOST, ...(isMeasured ? ['POOL_EXHAUSTED'] : [])]; // more than maxWaiting would wait then
const UNDER_WAY: Errors = { 'use read': OUT, 'use write': OUT, 'redis write': LOST };

const USER = 'on >secret ~* &* +@all';
const asUser = { redis: { username: 'app', password: 'secret' } };

/** On the way to the server. */
const onTheWay: readonly Fault[] = [
  {
    name: 'latency of 5 ms, and jitter of 5',
    begin: ({ middle }) => Object.assign(middle, { latencyMs: 5, jitterMs: 5 }),
    end: ({ middle }) => Object.assign(middle, { latencyMs: 0, jitterMs: 0 }),
    felt: ({ longestMs }) => longestMs >= 5,
  },
  {
    name: 'all connections cut at once',
    begin: ({ middle }) => middle.cut(),
    errors: UNDER_WAY,
    felt: ({ broken }) => broken > 0,
  },
  {
    name: 'all connections cut, ten times a second',
    begin: ({ middle, every }) => every(100, () => middle.cut()),
    errors: everywhere(LATE),
    felt: ({ broken }) => broken > 0,
  },
  {
    name: 'connections refused',
    begin: ({ middle }) => {
      middle.refuse();
      middle.cut();
    },
    end: ({ middle }) => middle.accept(),
    errors: UNDER_WAY,
    felt: ({ connectFailed }) => connectFailed > 0,
  },
  {
    name: 'connections accepted, and no answer',
    options: IMPATIENT,
    begin: ({ middle }) => {
      middle.mute = true;
      middle.cut();
    },
    end: ({ middle }) => {
      middle.mute = false;
    },
    errors: everywhere(LATE),
    felt: ({ connectFailed }) => connectFailed > 0,
  },
  {
    name: 'a server that vanished: connections half open, new ones accepted',
    options: IMPATIENT,
    begin: ({ middle }) => middle.loseServer(),
    errors: everywhere(LATE),
    felt: ({ broken }) => broken > 0,
  },
  {
    name: 'connections reset within a reply',
    begin: ({ middle }) => {
      middle.resetsAfter = 3;
    },
    end: ({ middle }) => {
      middle.resetsAfter = 0;
    },
    errors: everywhere(LATE),
    felt: ({ broken }) => broken > 0,
  },
  {
    name: 'replies in single bytes',
    begin: ({ middle }) => {
      middle.inPieces = (left) => Math.max(1, left - 500); // of what INFO says in a dial, the end
    },
    end: ({ middle }) => {
      middle.inPieces = 0;
    },
    felt: ({ calls }) => calls > 0,
  },
  ...(['requests', 'replies'] as const).map(
    (what): Fault => ({
      name: `${what} acknowledged, and dropped`,
      options: IMPATIENT,
      begin: ({ middle }) => {
        middle.drops = what;
      },
      end: ({ middle }) => {
        middle.drops = 'nothing';
      },
      errors: everywhere(LATE),
      felt: ({ errors }) => Object.keys(errors).length > 0,
    }),
  ),
];
export const ON_THE_WAY = onTheWay.map((fault): Fault => ({ ...fault, onTheWay: true }));

const restart = (lastsMs: number): Fault => ({
  name: `SIGKILL, and a new start after ${lastsMs / 1000} s`,
  lastsMs,
  begin: ({ server }) => server.kill(),
  end: ({ server }) => server.start(),
  errors: UNDER_WAY,
  felt: ({ broken }) => broken > 0,
});

/** So many keys that loading them takes as long as a fault does, at 100 µs each, and on a busy machine more. */
const KEYS = isMeasured ? 20_000 : 8000;
const folder = mkdtempSync(join(tmpdir(), 'faults-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** At the server. */
export const AT_THE_SERVER: readonly Fault[] = [
  restart(300),
  restart(1500),
  {
    name: 'SIGSTOP, then SIGCONT',
    options: IMPATIENT,
    begin: ({ server }) => server.freeze(),
    end: ({ server }) => server.thaw(),
    errors: everywhere(LATE),
    felt: ({ longestMs }) => longestMs > 400,
  },
  {
    name: 'CLIENT PAUSE',
    begin: ({ server }) => server.observer.client('PAUSE', 1500),
    felt: ({ longestMs }) => longestMs > 1000,
  },
  {
    name: 'CLIENT KILL of all connections, ten times a second',
    begin: ({ server, every }) => every(100, () => killAll(server)),
    errors: everywhere(LATE),
    felt: ({ broken }) => broken > 0,
  },
  {
    name: 'maxclients reached',
    begin: async ({ server }) => {
      await server.observer.config('SET', 'maxclients', '2');
      await killAll(server);
    },
    end: ({ server }) => server.observer.config('SET', 'maxclients', '10000'),
    errors: everywhere(LATE),
    felt: ({ broken }) => broken > 0,
  },
  {
    name: 'requirepass set',
    begin: async ({ server }) => {
      await server.observer.config('SET', 'requirepass', 'another');
      await killAll(server);
    },
    end: ({ server }) => server.observer.config('SET', 'requirepass', ''),
    errors: everywhere(['POOL_CONNECT_FAILED', ...LOST]),
    felt: ({ connectFailed }) => connectFailed > 0,
    toldAtOnce: true,
  },
  {
    name: 'ACL: another password',
    options: asUser,
    prepare: ({ observer }) => observer.call('ACL', 'SETUSER', 'app', ...USER.split(' ')),
    begin: async ({ server }) => {
      await server.observer.call('ACL', 'SETUSER', 'app', '<secret', '>another');
      await killAll(server);
    },
    end: ({ server }) => server.observer.call('ACL', 'SETUSER', 'app', '>secret'),
    errors: everywhere(['POOL_CONNECT_FAILED', ...LOST]),
    felt: ({ connectFailed }) => connectFailed > 0,
    toldAtOnce: true,
  },
  {
    name: 'ACL: commands forbidden',
    options: asUser,
    prepare: ({ observer }) => observer.call('ACL', 'SETUSER', 'app', ...USER.split(' ')),
    begin: ({ server }) => server.observer.call('ACL', 'SETUSER', 'app', '-get', '-incr'),
    end: ({ server }) => server.observer.call('ACL', 'SETUSER', 'app', '+@all'),
    errors: everywhere(['NOPERM']),
    felt: ({ errors }) => errors['read NOPERM'] !== undefined,
  },
  {
    name: 'ACL: user deleted',
    options: asUser,
    prepare: ({ observer }) => observer.call('ACL', 'SETUSER', 'app', ...USER.split(' ')),
    begin: ({ server }) => server.observer.call('ACL', 'DELUSER', 'app'),
    end: ({ server }) => server.observer.call('ACL', 'SETUSER', 'app', ...USER.split(' ')),
    errors: everywhere(['POOL_CONNECT_FAILED', ...LOST]),
    felt: ({ connectFailed }) => connectFailed > 0,
    toldAtOnce: true,
  },
  {
    name: 'LOADING, after a restart',
    // The second time it loads what was saved the first time.
    args: () =>
      Object.entries({
        ...{ dir: folder, dbfilename: 'loading.rdb' },
        ...{ 'key-load-delay': '100', 'loading-process-events-interval-bytes': '1024' },
      }).flatMap(([name, value]) => [`--${name}`, value]),
    prepare: async ({ observer }) => {
      await observer.eval(`for i = 1, ${KEYS} do redis.call('SET', 'key' .. i, i) end`, 0);
      await observer.save();
    },
    lastsMs: 0,
    begin: async ({ server }) => {
      await server.kill();
      await server.start(); // it listens, and loads, and is ready after that
    },
    errors: UNDER_WAY,
    felt: ({ longestMs, connectFailed }) => longestMs > 1000 || connectFailed > 0,
  },
  {
    name: 'OOM: maxmemory, noeviction',
    begin: ({ server }) => server.observer.config('SET', 'maxmemory', '1'),
    end: ({ server }) => server.observer.config('SET', 'maxmemory', '0'),
    errors: { 'use write': ['OOM'], 'redis write': ['OOM'] },
    felt: ({ errors }) => errors['write OOM'] !== undefined,
  },
  {
    name: 'READONLY: made a replica',
    begin: ({ server }) => server.observer.replicaof('127.0.0.1', 1),
    end: ({ server }) => server.observer.replicaof('NO', 'ONE'),
    errors: { 'use write': ['READONLY'], 'redis write': ['READONLY'] },
    felt: ({ errors }) => errors['write READONLY'] !== undefined,
  },
  {
    name: 'MASTERDOWN: a replica that serves no stale data',
    begin: async ({ server }) => {
      await server.observer.config('SET', 'replica-serve-stale-data', 'no');
      await server.observer.replicaof('127.0.0.1', 1);
    },
    end: ({ server }) => server.observer.replicaof('NO', 'ONE'),
    errors: everywhere(['MASTERDOWN', 'READONLY']),
    felt: ({ errors }) => errors['read MASTERDOWN'] !== undefined,
  },
  {
    name: 'timeout 1: the server closes what was idle for a second',
    options: { minIdle: 5 },
    begin: ({ server }) => server.observer.config('SET', 'timeout', '1'),
    end: ({ server }) => server.observer.config('SET', 'timeout', '0'),
    errors: UNDER_WAY,
    felt: ({ broken }) => broken > 0,
  },
  {
    name: 'output-buffer limit: replies too large, ten times a second',
    prepare: ({ observer }) => observer.set('large', 'x'.repeat(2_000_000)),
    begin: async ({ server, pools, every }) => {
      await server.observer.config('SET', 'client-output-buffer-limit', 'normal 100000 0 0');
      every(100, () => Promise.all(pools.map((pool) => pool.use((redis) => redis.get('large')))));
      every(100, () => Promise.all(pools.map((pool) => pool.redis.get('large'))));
    },
    end: ({ server }) => server.observer.config('SET', 'client-output-buffer-limit', 'normal 0 0 0'),
    errors: everywhere(LATE),
    felt: ({ broken }) => broken > 0,
  },
];

/** All connections but the observer's. */
async function killAll({ observer }: TestServer): Promise<void> {
  await observer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
}
