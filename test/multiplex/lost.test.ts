import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { isPoolError } from '../../src/index.ts';
import { expectBalanced, poolErrorOf, testPool, until, useServer } from '../helpers/redis.ts';

const server = useServer();

/** Has the server sit still, so that all that is sent now is in flight, and then kills the pool's connections. */
async function killedInFlight<T>(name: string, send: () => T): Promise<T> {
  const ids = (await server.clients(name)).map(({ id }) => id ?? '');
  // Scripts are run one at a time: what comes behind this one waits in the server's buffers.
  const busy = server.observer.eval("for i = 1, 3e7 do end; return redis.call('ECHO', 'done')", 0);
  const kills = ids.map((id) => server.killClient(id));
  const sent = send();
  await Promise.all([busy, ...kills]);
  return sent;
}

test('of what a dead lane owed, what only reads is sent again, and the rest may have run', async () => {
  const pool = server.pool({ name: 'reads' });
  await pool.redis.set('k', 'v');
  const results = await killedInFlight('reads', () =>
    Promise.allSettled([
      pool.redis.get('k'),
      pool.redis.incr('n'),
      pool.redis.mget('k', 'none'),
      pool.redis.pipeline().get('k').strlen('k').exec(),
      pool.redis.pipeline().get('k').incr('n').exec(),
      pool.redis.multi().get('k').exec(),
      pool.redis.object('ENCODING', 'k'),
    ]),
  );
  const [get, incr, mget, reads, mixed, multi, object] = results;
  expect(get).toMatchObject({ status: 'fulfilled', value: 'v' });
  expect(mget).toMatchObject({ status: 'fulfilled', value: ['v', null] });
  expect(reads).toMatchObject({
    status: 'fulfilled',
    value: [
      [null, 'v'],
      [null, 1],
    ],
  });
  expect(object).toMatchObject({ status: 'fulfilled', value: 'embstr' });
  expect(incr).toMatchObject({ status: 'rejected', reason: { code: 'POOL_CONNECTION_LOST' } });
  const { message } = (incr as PromiseRejectedResult).reason;
  expect(message).toMatch(/may have run/);
  expect(multi).toMatchObject({ status: 'rejected', reason: { code: 'POOL_CONNECTION_LOST' } });
  const pair = (mixed as PromiseFulfilledResult<[Error | null, unknown][]>).value;
  expect(pair.map(([error]) => isPoolError(error, 'POOL_CONNECTION_LOST'))).toEqual([true, true]);
  expect(pool.stats().closed.broken).toBe(1);
  expectBalanced(pool.stats());
});

/** A way to the server that breaks as soon as a GET goes over it. Resolves with its port; `gets` counts them. */
async function breakingAtGet(gets: { count: number }): Promise<number> {
  const proxy = createServer((client) => {
    const upstream = connect(server.port, '127.0.0.1');
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    client.on('data', (data) => {
      if (!data.toString().includes('get\r\n')) return void upstream.write(data);
      gets.count++;
      end();
    });
    upstream.on('data', (data) => void client.write(data));
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
  });
  onTestFinished(() => void proxy.close());
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  return (proxy.address() as AddressInfo).port;
}

test('a command is sent again once, not for ever; and what was never sent is no loss', async () => {
  const gets = { count: 0 };
  const pool = testPool({ redis: { port: await breakingAtGet(gets) }, maxInFlight: 1, maxLanes: 1 });
  const [get, write] = [poolErrorOf(pool.redis.get('k'), 'POOL_CONNECTION_LOST'), pool.redis.incr('unsent')];
  await get;
  expect(gets.count).toBe(2);
  expect(await write).toBe(1);
});

test('Redis killed in mid-traffic: commands are rejected, and it resumes by itself within one back-off', async () => {
  const pool = server.pool();
  let errors = 0;
  let replies = 0;
  let over = false;
  const load = Array.from({ length: 20 }, async () => {
    while (!over) {
      await pool.redis.get('k').then(
        () => replies++,
        async (error: unknown) => {
          if (isPoolError(error)) errors++;
          await new Promise((resolve) => setImmediate(resolve));
        },
      );
    }
  });
  await until('it runs', () => replies > 100);
  await server.kill();
  await until('it is told', () => errors > 20);
  expect(pool.redis.status).toBe('connecting');
  const { connectFailed } = pool.stats();
  await server.start();
  const before = replies;
  await until('it is back', () => replies > before + 100);
  over = true;
  await Promise.all(load);
  expect(pool.redis.status).toBe('ready');
  expect(connectFailed).toBeLessThan(20);
  expectBalanced(pool.stats());
});
