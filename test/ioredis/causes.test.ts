import { expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../../tools/redis-server.js';
import { causeOf, poolErrorOf, until, useServer } from '../helpers/redis.ts';

const PASSWORD = 'correct-horse';
const server = useServer();
const locked = useServer(['--requirepass', PASSWORD]);

test('nobody listens: ECONNREFUSED, with the address', async () => {
  const port = await freePort();
  const cause = await causeOf({ redis: `redis://127.0.0.1:${port}` });
  expect(cause).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1', port, syscall: 'connect' });
});

test('nobody listens at any of the addresses of a host: the error names all of them', async () => {
  const port = await freePort();
  const cause = await causeOf({ redis: { host: 'localhost', port, family: 0 } });
  expect(cause.code).toBe('ECONNREFUSED');
});

test('a host that does not exist: ENOTFOUND, with its name', async () => {
  // Without any DNS the resolver says EAI_AGAIN instead, and may take its time.
  const cause = await causeOf({
    redis: 'redis://nowhere.invalid',
    connectTimeoutMs: 55_000,
    acquireTimeoutMs: 55_000,
  });
  expect(cause).toMatchObject({ syscall: 'getaddrinfo', hostname: 'nowhere.invalid' });
  expect(cause.code).toMatch(/^(ENOTFOUND|EAI_AGAIN)$/);
});

test('a unix socket that does not exist: ENOENT, with its path', async () => {
  const cause = await causeOf({ redis: '/nonexistent/redis.sock' });
  expect(cause).toMatchObject({ code: 'ENOENT', address: '/nonexistent/redis.sock' });
});

test('a wrong password: WRONGPASS', async () => {
  for (const redis of [
    `redis://:wrong@127.0.0.1:${locked.port}`,
    `redis://nobody:wrong@127.0.0.1:${locked.port}`,
    { host: '127.0.0.1', port: locked.port, password: 'wrong' },
    { host: '127.0.0.1', port: locked.port, username: 'nobody', password: PASSWORD },
    { host: '127.0.0.1', port: locked.port, password: 'wrong', enableReadyCheck: false },
  ]) {
    expect((await causeOf({ redis })).message).toMatch(/^WRONGPASS /);
  }
});

test('a missing password: NOAUTH', async () => {
  expect((await causeOf({ redis: locked.url })).message).toMatch(/^NOAUTH /);
});

test('a missing password shows without the ready check too: at the dial, or at the first command', async () => {
  // ioredis 5 sends nothing before, so it takes the server for ready.
  const redis = { host: '127.0.0.1', port: locked.port, enableReadyCheck: false };
  await expect(locked.pool({ redis }).use((it) => it.get('k'))).rejects.toThrow(/NOAUTH /);
});

test('a db that does not exist: the error of SELECT, not db 0', async () => {
  for (const redis of [`${server.url}/99`, { host: '127.0.0.1', port: server.port, db: 99 }]) {
    expect((await causeOf({ redis })).message).toMatch(/^ERR .*DB.* out of range/);
  }
});

test('an ACL user that is switched off, or has no right to its db: its own error', async () => {
  await server.observer.call('ACL', 'SETUSER', 'off', 'off', `>${PASSWORD}`, '+@all');
  await server.observer.call('ACL', 'SETUSER', 'poor', 'on', `>${PASSWORD}`, '~*', '+@all', '-select');
  const at = `127.0.0.1:${server.port}`;
  expect((await causeOf({ redis: `redis://off:${PASSWORD}@${at}` })).message).toMatch(/^WRONGPASS /);
  expect((await causeOf({ redis: `redis://poor:${PASSWORD}@${at}/1` })).message).toMatch(/^NOPERM .*select/);
});

test('an ACL user without permission for INFO is served, and its errors cost no connection', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  await server.observer.call(
    'ACL',
    'SETUSER',
    'reader',
    'on',
    `>${PASSWORD}`,
    '~mine:*',
    '-@all',
    '+get',
    '+set',
  );
  const pool = server.pool({
    redis: `redis://reader:${PASSWORD}@127.0.0.1:${server.port}`,
    checkAfterIdleMs: 0,
  });
  for (let i = 0; i < 3; i++) {
    expect(await pool.use((redis) => redis.set('mine:k', 'v'))).toBe('OK');
    await expect(pool.use((redis) => redis.get('yours'))).rejects.toThrow(/^NOPERM /);
  }
  warn.mockRestore();
  expect(pool.stats()).toMatchObject({ acquired: 6, connected: 1, idle: 1 });
});

test('the cause comes with a message that says it, the pool, and its numbers', async () => {
  const pool = server.pool({ redis: `redis://:wrong@127.0.0.1:${locked.port}`, name: 'sessions' });
  const error = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  expect(error.message).toMatch(/^cannot connect: WRONGPASS .* \[sessions\]$/);
  expect(error.pool).toBe('sessions');
  expect(error.stats).toMatchObject({ connectFailed: 1, connected: 0, inUse: 0 });
  await expect(pool.ready()).rejects.toMatchObject({ code: 'POOL_CONNECT_FAILED', cause: error.cause });
});

test('the cause is the same in the event, and its slot is free again', async () => {
  const pool = server.pool({ redis: locked.url });
  const events: Error[] = [];
  pool.on('connectError', ({ error }) => events.push(error));
  const { cause } = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  expect(events).toEqual([cause]);
  expect(events[0]).toBe(cause);
  await until('its slot is free', () => pool.stats().total === 0);
});

test('a time-out names the last connect error as its cause', async () => {
  const pool = server.pool({ maxActive: 2, name: 'half' });
  const lease = await pool.acquire();
  await server.observer.config('SET', 'requirepass', PASSWORD);
  onTestFinished(async () => {
    await server.observer.config('SET', 'requirepass', '');
  });
  // A connection stands, so a failed dial rejects only the first in line, and others may wait for the next dial.
  const { cause } = await poolErrorOf(pool.acquire(), 'POOL_CONNECT_FAILED');
  expect(String(cause)).toContain('NOAUTH');
  const late = await poolErrorOf(pool.acquire({ timeoutMs: 2 }), 'POOL_ACQUIRE_TIMEOUT');
  expect(late.cause).toBe(cause);
  lease.release();
});
