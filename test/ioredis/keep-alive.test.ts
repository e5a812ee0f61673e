import { Socket } from 'node:net';
import type { RedisOptions } from 'ioredis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { testPool, useServer } from '../helpers/redis.ts';

const server = useServer();

const asked: unknown[][] = [];

beforeEach(async () => {
  await server.observer.ping(); // its own connection is there
  asked.length = 0;
  const { setKeepAlive } = Socket.prototype;
  vi.spyOn(Socket.prototype, 'setKeepAlive').mockImplementation(function (this: Socket, ...args) {
    asked.push(args);
    return setKeepAlive.apply(this, args);
  });
});

afterEach(() => void vi.restoreAllMocks());

test.each<[what: string, redis: () => string | RedisOptions, ms: number]>([
  ['unless it is given', () => ({ port: server.port }), 30_000],
  ['of a URL too', () => server.url, 30_000],
  ['as given', () => ({ port: server.port, keepAlive: 5000 }), 5000],
  ['even 0, which leaves it to the system', () => ({ port: server.port, keepAlive: 0 }), 0],
])('TCP keep-alive is on after 30 s, %s', async (_, redis, ms) => {
  await testPool({ redis: redis() }).use((lease) => lease.ping());
  expect(asked).toEqual([[true, ms]]);
});
