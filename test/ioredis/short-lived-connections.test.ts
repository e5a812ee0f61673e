import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { isPoolError, type Pool, type PoolOptions } from '../../src/index.ts';
import { expectBalanced, testPool, until, useServer } from '../helpers/redis.ts';
import { tcpServer } from '../helpers/tcp-server.ts';

const server = useServer();

/** A proxy that lets a client shake hands, and closes when it is done with that, as long as it is ill. */
async function closing() {
  const state = { well: false };
  const proxy = await tcpServer((client: Socket) => {
    const upstream = connect(server.port, '127.0.0.1');
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
    upstream.on('data', (data) => {
      client.write(data);
      // INFO is the last word of the handshake.
      if (!state.well && data.toString().includes('redis_version')) client.end();
    });
    client.on('data', (data) => void upstream.write(data));
  });
  return { proxy, state };
}

type Ask = (pool: Pool) => Promise<unknown>;
const USERS: [who: string, options: PoolOptions, callers: number, ask: Ask][] = [
  ['twenty callers', {}, 20, (pool) => pool.use((redis) => redis.get('k'))],
  ['twenty callers who need no command', {}, 20, (pool) => pool.use(() => {})],
  ['minIdle, and no caller', { minIdle: 5 }, 0, async () => {}],
  ['pool.redis', { maxLanes: 4 }, 20, (pool) => pool.redis.set('k', 'v')],
];

test.each(USERS)(
  'behind a proxy that closes after the handshake, %s make few dials',
  async (_, options, callers, ask) => {
    const { proxy, state } = await closing();
    const pool = testPool({ redis: proxy.url, acquireTimeoutMs: 1000, ...options });
    let over = false;
    const errors = new Set<string>();
    const loops = Array.from({ length: callers }, async () => {
      while (!over) {
        await ask(pool).catch((error: unknown) =>
          errors.add(isPoolError(error) ? error.code : String(error)),
        );
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const begun = performance.now();
    await until('it has gone on for a while', () => performance.now() - begun > 1500);
    const lasted = performance.now() - begun;
    // Those that may be open at once, one more, and what the back-off allows at its shortest.
    expect(proxy.accepted).toBeLessThanOrEqual(10 + 1 + Math.ceil(Math.log2(lasted / 25)) + 2);
    expect(proxy.accepted).toBeGreaterThan(3);
    expect([...errors].filter((code) => !/^POOL_(CONNECTION_LOST|ACQUIRE_TIMEOUT)$/.test(code))).toEqual([]);
    expectBalanced(pool.stats());
    state.well = true;
    await until('it is back', () => pool.use((redis) => redis.ping()).catch(() => false as const));
    over = true;
    await Promise.all(loops);
    expectBalanced(pool.stats());
  },
);

test.each([
  ['what is no reply', 'what is this\r\n'],
  ['more than it was asked for', '+OK\r\n+OK\r\n'],
])('from a server that answers with %s, nobody had a use: few dials', async (_, answer) => {
  const odd = await tcpServer((client: Socket) => {
    const upstream = connect(server.port, '127.0.0.1');
    upstream.on('error', () => client.destroy()).on('data', (data) => client.write(data));
    client.on('close', () => upstream.destroy());
    client.on(
      'data',
      (data) => void (/\r\nget\r\n/i.test(data.toString()) ? client.write(answer) : upstream.write(data)),
    );
  });
  const pool = testPool({ redis: odd.url, acquireTimeoutMs: 1000 });
  let over = false;
  const loops = [
    async () => pool.redis.get('k').catch(() => {}),
    async () => pool.use((redis) => redis.get('k')).catch(() => {}),
  ].map(async (ask) => {
    while (!over) {
      await ask();
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  const begun = performance.now();
  await until('it has gone on for a while', () => performance.now() - begun > 1500);
  over = true;
  const lasted = performance.now() - begun;
  expect(odd.accepted).toBeLessThanOrEqual(10 + 1 + Math.ceil(Math.log2(lasted / 25)) + 2);
  expect(odd.accepted).toBeGreaterThan(2);
  await pool.close({ graceMs: 0 });
  await Promise.all(loops);
});
