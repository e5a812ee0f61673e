import type { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { Child } from '../helpers/child.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { Middle } from '../helpers/middle.ts';
import { newClient, poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** Blocks the event loop of this process; the server goes on. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Resolves when all that was given to Redis in this tick is written; nothing is read before the next turn. */
async function written(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('a reply that came while the event loop was blocked is read, and its connection kept', async () => {
  const pool = server.pool({ replyTimeoutMs: 200 });
  await pool.redis.set('n', '1');
  const reply = pool.redis.incr('n');
  await written();
  block(400);
  expect(await reply).toBe(2);
  expect(pool.stats()).toMatchObject({ total: 1, connected: 1, closed: { broken: 0 } });
});

test('so is a reply that is larger than one read, and the one behind it', async () => {
  const size = 8 * 1024 * 1024;
  await server.observer.set('large', Buffer.alloc(size));
  const pool = server.pool({ replyTimeoutMs: 200, maxLanes: 1 });
  await pool.redis.ping();
  const replies = [pool.redis.strlen('large'), pool.redis.getBuffer('large'), pool.redis.echo('behind it')];
  await written();
  block(400);
  const [length, large, behind] = await Promise.all(replies);
  expect([length, (large as Buffer).length, behind]).toEqual([size, size, 'behind it']);
  expect(pool.stats().closed.broken).toBe(0);
});

test('so is one of many reads over a dedicated connection', async () => {
  const size = 8 * 1024 * 1024;
  await server.observer.set('large', Buffer.alloc(size));
  const pool = server.pool({ replyTimeoutMs: 200 });
  const asked = (): Promise<unknown[]> => {
    const pipeline = pool.redis.pipeline();
    for (let i = 0; i < 3; i++) pipeline.getBuffer('large');
    return pipeline.call('NOBODY.KNOWS').exec() as Promise<unknown[]>;
  };
  await pool.use((lease) => lease.ping());
  const replies = asked();
  await written();
  await written(); // it has a connection one turn after it was given
  block(1000);
  const lengths = (await replies).map((one) => ((one as unknown[])[1] as Buffer | undefined)?.length);
  expect(lengths).toEqual([size, size, size, undefined]);
  expect(pool.stats().closed.destroyed).toBe(0);
});

test.each([
  ['a lane', (redis: Redis) => redis.get('large')],
  ['a connection of its own', (redis: Redis) => redis.pipeline().get('large').call('NOBODY.KNOWS').exec()],
])('a reply over %s that goes on coming after a block is waited for, and not for ever', async (_, ask) => {
  for (const pieces of [4, 5]) {
    const clock = new FakeClock();
    const middle = await Middle.to(server.port);
    let client: Redis | undefined;
    const createClient = (options: object): Redis => {
      client = newClient(options);
      return client;
    };
    const pool = server.pool({ redis: middle.url, createClient, replyTimeoutMs: 1000, maxLanes: 1 }, clock);
    await server.observer.set('large', 'x'.repeat(100));
    await pool.use((lease) => lease.ping());
    const held: Buffer[] = [];
    middle.change = (bytes) => {
      held.push(bytes);
      return Buffer.alloc(0);
    };
    const reply = Promise.resolve(ask(pool.redis)).catch((error: { code?: string }) => error.code);
    await until('the server has answered', () => Buffer.concat(held).length > 100);
    const bytes = Buffer.concat(held).toString('latin1');
    let at = 0;
    const read = (): number => Number(Reflect.get(client?.stream ?? {}, 'bytesRead'));
    const piece = async (to = at + 10): Promise<void> => {
      const all = read() + Math.min(to, bytes.length) - at;
      middle.say(bytes.slice(at, to));
      at = to;
      await until('it is read', () => read() >= all);
    };
    await clock.block(1500, piece);
    for (let i = 1; i < pieces; i++) {
      await clock.advance(10);
      await piece();
      await clock.advance(240);
    }
    if (pieces > 4) {
      expect(JSON.stringify(await reply)).toContain('POOL_CONNECTION_LOST');
    } else {
      await piece(bytes.length);
      expect(JSON.stringify(await reply)).toContain('x'.repeat(100));
    }
  }
});

test('a dial gets a fair rest of its time when the event loop was blocked, whatever it still has to ask', async () => {
  const pool = server.pool({ redis: `${server.url}/2`, connectTimeoutMs: 400, acquireTimeoutMs: 400 });
  const lease = pool.acquire();
  const shared = pool.redis.ping();
  const ready = pool.ready();
  await written();
  expect(pool.stats().connecting).toBeGreaterThan(0);
  block(900);
  (await lease).release();
  expect(await shared).toBe('PONG');
  await ready;
  expect(pool.stats()).toMatchObject({ connectFailed: 0, timedOut: 0 });
});

test('a check, and what cleans a connection, wait for the answer that has come', async () => {
  const pool = server.pool({ maxActive: 1, checkAfterIdleMs: 0, connectTimeoutMs: 200 });
  const first = await pool.acquire();
  first.release();
  const checked = pool.acquire();
  await written();
  block(400);
  const second = await checked;
  expect(second.connectionId).toBe(first.connectionId);
  await second.watch('k');
  second.release(); // UNWATCH is sent
  await written();
  block(1200);
  expect((await pool.acquire()).connectionId).toBe(first.connectionId);
});

test('who waits is served by what came back while the event loop was blocked', async () => {
  const pool = server.pool({ maxActive: 1 });
  const held = await pool.acquire();
  const work = held.ping().finally(() => held.release());
  const waiting = pool.use((redis) => redis.ping(), { timeoutMs: 200 });
  await written();
  block(400);
  expect(await Promise.all([work, waiting])).toEqual(['PONG', 'PONG']);
});

test('a lease that the event loop held up is not cut by close()', async () => {
  const pool = server.pool({ maxActive: 1 });
  const held = await pool.acquire();
  const work = (async () => {
    using lease = held;
    return [await lease.ping(), await lease.ping()];
  })();
  const closed = pool.close({ graceMs: 200 });
  await written();
  block(400);
  expect(await work).toEqual(['PONG', 'PONG']);
  await closed;
});

test('a server that is really silent is given up all the same', async () => {
  const limits = { replyTimeoutMs: 100, connectTimeoutMs: 100, acquireTimeoutMs: 100 };
  const pool = server.pool({ ...limits, maxActive: 2 });
  await pool.redis.ping();
  server.freeze();
  onTestFinished(() => server.thaw());
  const lost = poolErrorOf(pool.redis.incr('n'), 'POOL_CONNECTION_LOST');
  await written();
  const dialled = poolErrorOf(pool.ready(), 'POOL_CONNECT_FAILED').catch(() => {});
  const waited = pool.acquire().catch((error: { code: string }) => error.code);
  await written();
  block(300);
  await lost;
  await dialled;
  expect(await waited).toMatch(/POOL_(ACQUIRE_TIMEOUT|CONNECT_FAILED)/);
});

test('a loop that is blocked again and again puts off no deadline for ever', async () => {
  const pool = server.pool({ connectTimeoutMs: 100, acquireTimeoutMs: 300 });
  server.freeze();
  onTestFinished(() => server.thaw());
  let blocks = 0;
  const blocking = setInterval(() => {
    blocks++;
    block(150);
  }, 1);
  const over = pool.acquire().then(
    () => 'served',
    () => 'failed',
  );
  expect(await over.finally(() => clearInterval(blocking))).toBe('failed');
  expect(blocks).toBeLessThan(30);
});

test('a process that was frozen for longer than all its deadlines has none of its calls fail', async () => {
  const child = new Child('asking when it is frozen', server.url);
  onTestFinished(() => child.kill());
  await server.observer.del('n');
  await until('it is connected', () => child.has('connected'), 15_000);
  server.freeze();
  onTestFinished(() => server.thaw());
  child.poke();
  await until('it waits for Redis', () => child.has('asked'));
  child.freeze();
  const since = performance.now();
  server.thaw();
  await until('every deadline of it is over', () => performance.now() - since > 1500);
  child.thaw();
  const { code, stderr } = await child.ended;
  expect({
    code,
    stderr,
    told: child.told
      .map(({ what }) => what)
      .slice(2)
      .sort(),
  }).toEqual({
    code: 0,
    stderr: '',
    told: [
      ...['asked', 'check: checked', 'dial: dialled', 'failed dials: 0, broken: 0'],
      ...['lane: 1', 'lease: leased', 'ready: shared'],
    ],
  });
});
