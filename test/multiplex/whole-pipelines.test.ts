import { channel } from 'node:diagnostics_channel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Pool } from '../../src/index.ts';
import { poolErrorOf, until, useServer } from '../helpers/redis.ts';

const server = useServer();

test('a pipeline that does not fit beside what is in flight waits for room, and nobody overtakes it', async () => {
  let looks = 0;
  let spins: (error: Error) => void = () => {};
  const spinning = new Promise<never>((_, reject) => {
    spins = reject;
  });
  const clock = {
    now: () => {
      if (++looks > 10_000) {
        const error = new Error('it tries again and again, and lets nothing else happen');
        spins(error);
        throw error;
      }
      return performance.now();
    },
    after: (ms: number, run: () => void) => {
      const timer = setTimeout(run, Math.min(ms, 2 ** 31 - 1)).unref();
      return () => clearTimeout(timer);
    },
    soon: (run: () => void) => void setImmediate(run),
  };
  const pool = new Pool({ redis: server.url, maxLanes: 1, maxInFlight: 4 }, { clock });
  onTestFinished(() => pool.close({ graceMs: 0 }));
  await pool.ready();
  const { redis } = pool;
  const first = redis.set('n', '1');
  const group = redis.pipeline().incr('n').incr('n').incr('n').get('n').exec();
  await nextTurn();
  const behind = redis.get('n');
  expect(await Promise.race([Promise.all([first, group, behind]), spinning])).toEqual([
    'OK',
    [
      [null, 2],
      [null, 3],
      [null, 4],
      [null, '4'],
    ],
    '4',
  ]);
});

test('with a tracer too, what only reads is sent again when its lane dies, whatever was in flight beside it', async () => {
  const tracing = channel('tracing:ioredis:command:start');
  const tracer = (): void => {};
  tracing.subscribe(tracer);
  onTestFinished(() => void tracing.unsubscribe(tracer));
  const pool = server.pool({ name: 'traced' });
  await server.observer.set('read', 'me');
  await pool.redis.ping();
  const [lane] = await server.clients('traced');
  await server.observer.call('CLIENT', 'PAUSE', '10000', 'WRITE'); // a SET waits, and all behind it
  const lost = poolErrorOf(pool.redis.set('written', '1'), 'POOL_CONNECTION_LOST');
  const read = pool.redis.get('read');
  const group = pool.redis.pipeline().get('read').set('written', '2').exec();
  await until(
    'the server holds the SET back',
    async () => (await server.client(lane?.['id'] ?? 0))['cmd'] === 'set',
  );
  await server.killClient(lane?.['id'] ?? 0);
  await server.observer.call('CLIENT', 'UNPAUSE');
  await lost;
  expect(await read).toBe('me');
  expect((await group)?.map(([error]) => (error as { code?: string } | null)?.code)).toEqual([
    'POOL_CONNECTION_LOST',
    'POOL_CONNECTION_LOST',
  ]);
});
