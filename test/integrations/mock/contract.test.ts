import { expect, onTestFinished } from 'vitest';
import type { Lease } from '../../../src/api/lease.ts';
import type { RedisPool } from '../../../src/api/redis-pool.ts';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { testPool, until, useServer } from '../../helpers/redis.ts';
import { poolContract, type World } from './contract.ts';

const server = useServer();

poolContract('a pool on a real server', () => {
  let url = server.url;
  return {
    pool: (options) => {
      const pool = testPool({ redis: url, ...options });
      onTestFinished(async () => void (await server.observer.flushall()));
      return pool;
    },
    until,
    during: (work) => work,
    async kill(pool: RedisPool, lease: Lease) {
      const [client] = await server.clients('redis-pool');
      expect([client?.['cmd'], lease.connectionId, pool.stats().total]).toEqual(['blpop', 1, 1]);
      await server.killClient(client?.['id'] ?? '');
    },
    refuse() {
      url = 'redis://127.0.0.1:1';
    },
  };
});

poolContract('MockPool', mockWorld);

function mockWorld(): World {
  const mocks: MockPool[] = [];
  let refused = false;
  const pass = (): Promise<unknown> => Promise.all(mocks.map((mock) => mock.advance(5)));
  return {
    pool(options = {}) {
      const mock = new MockPool(options);
      mocks.push(mock);
      if (refused) mock.failConnects(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }));
      onTestFinished(() => mock.close({ graceMs: 0 }));
      return mock;
    },
    async until(what, look) {
      for (let i = 0; i < 100; i++) {
        const seen = await look();
        if (seen) return seen;
        await pass();
      }
      return expect.fail(`it does not come to pass: ${what}`);
    },
    async during(work) {
      let over = false;
      const settled = (): void => {
        over = true;
      };
      work.then(settled, settled);
      for (let i = 0; i < 100 && !over; i++) await pass();
      return work;
    },
    async kill(pool, lease) {
      (pool as MockPool).killConnection(lease.connectionId);
    },
    refuse() {
      refused = true;
    },
  };
}
