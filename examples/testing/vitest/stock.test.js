import { MockPool } from 'bounded-redis-pool/mock';
import { expect, test } from 'vitest';
import { Stock } from '../stock.js';

test('sells what is there, and no more', async () => {
  const pool = new MockPool();
  await pool.redis.set('apples', 1);
  const stock = new Stock(pool);
  expect([await stock.sell('apples'), await stock.sell('apples')]).toEqual(['sold', 'sold out']);
  pool.assertClean(); // nothing is left over
});

test('is busy when no connection comes free in time', async () => {
  const pool = new MockPool({ acquireTimeoutMs: 5000 });
  await pool.exhaust();
  const answer = new Stock(pool).sell('apples');
  await pool.advance(5000); // takes no time
  expect(await answer).toBe('busy');
});
