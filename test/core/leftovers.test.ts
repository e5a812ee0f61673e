import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Redis } from 'ioredis';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { Pool, type PoolOptions } from '../../src/index.ts';
import { freePort } from '../../tools/redis-server.js';
import { until, useServer } from '../helpers/redis.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const server = useServer();
let nowhere: string;
beforeAll(async () => {
  await server.observer.ping(); // or its own connecting would be seen
  nowhere = `redis://127.0.0.1:${await freePort()}`;
});

const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
};
const caught = (work: Promise<unknown>): Promise<unknown> => work.catch(() => {});
const never = (): Promise<never> => new Promise(() => {});

/** Until `condition` holds, with garbage collected again and again. */
function collected(condition: () => boolean): Promise<boolean> {
  return until('it is collected', () => {
    collectGarbage();
    return condition();
  });
}

/** What lives on of what this library and ioredis begin from now on: timers, sockets, lookups. */
function watchResources(): () => string[] {
  const alive = new Map<number, string>();
  const hook = createHook({
    init(id, type) {
      if (!/Timeout|Immediate|TCP|TLS|Pipe|GETADDRINFO|FSREQ/.test(type)) return;
      const { stack = '' } = new Error();
      if (/\/src\/|ioredis/.test(stack)) alive.set(id, `${type}${stack.slice(stack.indexOf('\n'))}`);
    },
    destroy: (id) => void alive.delete(id),
  }).enable();
  onTestFinished(() => void hook.disable());
  return () => [...alive.values()];
}

const USES: Record<string, (pool: Pool) => unknown> = {
  'nothing was asked of it': () => {},
  'commands and a lease': async (pool) => {
    await pool.redis.set('k', 'v');
    await pool.use((lease) => lease.get('k'));
  },
  'commands under way': async (pool) => {
    await pool.redis.ping();
    caught(pool.redis.get('k'));
    caught(pool.redis.blpop('never', 0));
    caught(pool.redis.pipeline().get('k').exec() as Promise<unknown>);
  },
  'a command in this very tick, the first of all': (pool) => void caught(pool.redis.get('k')),
  'a lease that does not come back': async (pool) => {
    const lease = await pool.acquire();
    caught(lease.blpop('never', 0));
  },
  'a lease that is subscribed and read': async (pool) => {
    const lease = await pool.acquire();
    await lease.subscribe('c');
    void caught(lease.messages({ signal: new AbortController().signal }).next());
  },
  'a lease that is cleaned up': async (pool) => {
    const lease = await pool.acquire();
    await lease.watch('k');
    caught(lease.eval('local i = 0 while i < 1e6 do i = i + 1 end', 0));
    lease.release();
  },
  'callers that wait': async (pool) => {
    const leases = await Promise.all([pool.acquire(), pool.acquire()]);
    const { signal } = new AbortController();
    for (let i = 0; i < 5; i++) void caught(pool.acquire({ signal, timeoutMs: 60_000 }));
    await turns();
    leases[0]?.release();
  },
  'a dial under way': (pool) => void caught(pool.acquire()),
  'somebody who listens': async (pool) => {
    const view = pool.redis.duplicate();
    const ready = new Promise((resolve) => view.once('ready', resolve));
    view.on('error', () => {});
    await ready;
  },
  'questions about its health': async (pool) => {
    await pool.health();
    void pool.health({ timeoutMs: 60_000 });
  },
  'a start-up': async (pool) => {
    await pool.ready();
    void caught(pool.ready());
  },
};

const OPTIONS: PoolOptions = { maxActive: 2, minIdle: 1, leakThresholdMs: 60_000, checkAfterIdleMs: 0 };

test.each(Object.entries(USES))('close() leaves nothing behind after: %s', async (_, use) => {
  for (const graceMs of [0, 20]) {
    const left = watchResources();
    const pool = new Pool(server.url, OPTIONS);
    await use(pool);
    await pool.close({ graceMs });
    await turns();
    expect(left()).toEqual([]);
  }
});

const AWAY: Record<string, (pool: Pool) => unknown> = {
  'a failed dial': (pool) => caught(pool.acquire()),
  'a failed command': (pool) => caught(pool.redis.get('k')),
  'somebody who listens': async (pool) => {
    const told = vi.fn();
    pool.redis.on('ready', () => {}).on('error', told);
    await until('a dial failed', () => told.mock.calls.length > 0);
  },
  'a question about its health': (pool) => pool.health(),
};

test.each(Object.entries(AWAY))(
  'close() leaves nothing behind without a server, after: %s',
  async (_, use) => {
    const left = watchResources();
    const pool = new Pool(nowhere, OPTIONS);
    await use(pool);
    await turns();
    await pool.close();
    await turns();
    expect(left()).toEqual([]);
  },
);

const HANGING: Record<string, PoolOptions> = {
  createClient: { createClient: never },
  onConnect: { onConnect: never },
};

test.each(Object.entries(HANGING))('close() leaves nothing behind while %s hangs', async (_, options) => {
  const left = watchResources();
  const pool = new Pool(server.url, options);
  void caught(pool.acquire());
  void caught(pool.redis.get('k'));
  await turns();
  await pool.close();
  await turns();
  expect(left()).toEqual([]);
});

/** The async resources of this library that are not destroyed, and how many there were. */
function watchContexts(): { alive: Set<number>; made(): number } {
  const alive = new Set<number>();
  let made = 0;
  const hook = createHook({
    init(id, type) {
      if (!type.startsWith('RedisPool')) return;
      made++;
      alive.add(id);
    },
    destroy: (id) => void alive.delete(id),
  }).enable();
  onTestFinished(() => void hook.disable());
  return { alive, made: () => made };
}

test('the async context of a caller that waited is not retained, whether it was served or not', async () => {
  const pool = server.pool({ maxActive: 1 });
  const request = new AsyncLocalStorage<number>();
  const served: unknown[] = [];
  pool.on('acquire', () => served.push(request.getStore()));
  const { alive, made } = watchContexts();
  const lease = await pool.acquire();
  const waiting = Array.from({ length: 100 }, (_, i) =>
    request.run(i, () => caught(i % 2 ? pool.use(() => {}) : pool.acquire({ timeoutMs: 1 }))),
  );
  await Promise.all(waiting.filter((_, i) => i % 2 === 0));
  lease.release();
  await Promise.all(waiting);
  await turns();
  expect(served.filter(Number)).toHaveLength(50);
  expect(made()).toBeGreaterThanOrEqual(100);
  expect(alive.size).toBe(0);
});

test('the async contexts of observed commands are not retained', async () => {
  const { alive, made } = watchContexts();
  const { redis } = server.pool({ onConnect: () => {} });
  await Promise.all(Array.from({ length: 100 }, (_, i) => redis.pipeline().set('k', i).get('k').exec()));
  await Promise.all(Array.from({ length: 100 }, () => redis.get('k')));
  expect(made()).toBeGreaterThan(0);
  await collected(() => alive.size === 0);
});

test('a duplicate of pool.redis that nobody refers to is collected, but one with listeners keeps emitting', async () => {
  const { redis } = server.pool();
  const views: WeakRef<Redis>[] = [];
  const heard = vi.fn();
  const make = async (): Promise<void> => {
    for (let i = 0; i < 100; i++) {
      const view = redis.duplicate({ keyPrefix: `${i}:` });
      const listener = (): void => {};
      await view.set('k', 'v');
      view.on('error', listener).off('error', listener);
      views.push(new WeakRef(view));
    }
    redis.duplicate().on('end', heard);
  };
  await make();
  await collected(() => views.every((view) => view.deref() === undefined));
  redis.disconnect();
  await until('the end is heard', () => heard.mock.calls.length > 0);
});
