import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MockPool } from 'bounded-redis-pool/mock';
import { Shop } from './shop.js';

test('sells what is there, and no more', async () => {
  const pool = new MockPool();
  const shop = new Shop(pool);
  await shop.refill('apples', 1);
  assert.deepEqual([await shop.sell('apples'), await shop.sell('apples')], ['sold', 'sold out']);
  pool.assertClean(); // nothing is left over
});

test('is busy when no connection comes free in time', async () => {
  const pool = new MockPool({ acquireTimeoutMs: 5000 });
  await pool.exhaust();
  const answer = new Shop(pool).sell('apples');
  await pool.advance(5000); // takes no time
  assert.equal(await answer, 'busy');
});

test('one at a time has the lock, and the next one gets it when it is released', async () => {
  const shop = new Shop(new MockPool());
  const inner = [];
  assert.equal(await shop.alone('x', async () => inner.push(await shop.alone('x', () => {}))), true);
  assert.deepEqual(inner, [false]);
  assert.equal(await shop.alone('x', () => {}), true);
});

test('a lock that was lost to somebody else is left alone', async () => {
  const pool = new MockPool();
  const shop = new Shop(pool);
  await shop.alone('x', async () => {
    await pool.advance(5001); // it has expired
    await pool.redis.set('lock:x', 'of somebody else');
  });
  assert.equal(await pool.redis.get('lock:x'), 'of somebody else');
});

test('refuses the third call in a minute where two are allowed', async () => {
  const shop = new Shop(new MockPool());
  const calls = [];
  for (let i = 0; i < 3; i++) calls.push(await shop.allows('ann', 2, 0));
  assert.deepEqual(calls, [true, true, false]);
});

test('tells the caller that Redis is away', async () => {
  const pool = new MockPool();
  pool.failConnects(new Error('connect ECONNREFUSED'));
  await assert.rejects(new Shop(pool).sell('apples'), { code: 'POOL_CONNECT_FAILED' });
});
