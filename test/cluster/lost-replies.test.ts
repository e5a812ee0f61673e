import { expect, test } from 'vitest';
import { useCluster } from '../helpers/cluster.ts';
import { Middle } from '../helpers/middle.ts';
import { poolErrorOf } from '../helpers/redis.ts';

const cluster = useCluster();

/** A pool that reaches every node only by a way on which a test can say something. */
async function throughMiddles() {
  const middles = new Map<string, Middle & { url: string }>();
  for (const node of cluster.nodes) middles.set(node.address, await Middle.to(node.port));
  const portOf = (address: string): number => Number(new URL(middles.get(address)?.url ?? '').port);
  const natMap = Object.fromEntries(
    [...middles.keys()].map((address) => [address, { host: '127.0.0.1', port: portOf(address) }]),
  );
  const pool = cluster.pool({ nodes: [...middles.values()].map(({ url }) => url), natMap });
  return { pool, natMap, middleOf: (address: string) => middles.get(address) ?? expect.fail(address) };
}

test('nodes are reached where natMap says, redirections too', async () => {
  const { pool, natMap } = await throughMiddles();
  await pool.redis.mset('n1', '1', 'n2', '2', 'n3', '3');
  const from = await cluster.ownerOf('n1');
  const to = (await cluster.masters()).find((one) => one !== from) ?? expect.fail('one master alone');
  const slot = Number(await from.observer.cluster('KEYSLOT', 'n1'));
  await cluster.beginMove(slot, from, to);
  await cluster.moveKeys(slot, from, to);
  expect(await pool.redis.incr('n1')).toBe(2); // ASK
  await cluster.endMove(slot, from, to);
  expect(await pool.redis.incr('n1')).toBe(3); // MOVED
  const ways = Object.values(natMap).map(({ host, port }) => `${host}:${port}`);
  expect(ways).toEqual(expect.arrayContaining(Object.keys(pool.stats().nodes)));
  await cluster.healthy();
});

test('a write whose reply is cut off is rejected and not sent again; what only reads is', async () => {
  const { pool, middleOf } = await throughMiddles();
  await pool.redis.set('cut', '0');
  const owner = await cluster.ownerOf('cut');
  const middle = middleOf(owner.address);
  const cutOnce = (reply: RegExp): void => {
    middle.change = (bytes) => {
      if (!reply.test(bytes.toString('latin1'))) return bytes;
      middle.change = (all) => all;
      for (const client of [...middle.clients]) client.destroy();
      return Buffer.alloc(0);
    };
  };
  cutOnce(/^:1\r\n/);
  await poolErrorOf(pool.redis.incr('cut'), 'POOL_CONNECTION_LOST');
  expect(await owner.observer.get('cut')).toBe('1');
  cutOnce(/^\$1\r\n1/);
  expect(await pool.redis.get('cut')).toBe('1');
  cutOnce(/^\+OK\r\n/);
  await poolErrorOf(pool.redis.multi().incr('cut').incr('cut').exec(), 'POOL_CONNECTION_LOST');
  const settled = Number(await owner.observer.get('cut'));
  expect([1, 3]).toContain(settled); // all of it, or nothing, and not twice
  expect(await pool.redis.incr('cut')).toBe(settled + 1);
});

test('a lease waits for a node that its key has moved to, and that cannot be connected to', async () => {
  const { pool, middleOf } = await throughMiddles();
  await pool.redis.set('away', '0');
  const from = await cluster.ownerOf('away');
  const to = (await cluster.masters()).find((one) => one !== from) ?? expect.fail('one master alone');
  const lease = await pool.acquire({ key: 'away' });
  await cluster.moveSlot(Number(await from.observer.cluster('KEYSLOT', 'away')), from, to);
  const middle = middleOf(to.address);
  middle.refuse();
  middle.cut();
  const failed = new Promise((resolve) => pool.once('connectError', resolve));
  const count = lease.incr('away');
  await failed;
  await middle.accept();
  expect(await count).toBe(1);
  lease.release();
  await cluster.healthy();
});

test('MOVED to where it comes from means that these connections are stale: they are replaced', async () => {
  const { pool, middleOf } = await throughMiddles();
  await pool.redis.set('self', '0');
  const owner = await cluster.ownerOf('self');
  const slot = Number(await owner.observer.cluster('KEYSLOT', 'self'));
  const middle = middleOf(owner.address);
  middle.change = (bytes) => {
    if (!bytes.toString('latin1').startsWith('$1\r\n0')) return bytes;
    middle.change = (all) => all;
    return Buffer.from(`-MOVED ${slot} ${owner.address}\r\n`);
  };
  expect(await pool.redis.get('self')).toBe('0');
  expect(pool.stats().closed.cleared).toBeGreaterThan(0);
});

test('what a node answers is checked: it can neither name slots that are not there nor lead astray', async () => {
  const { pool, middleOf } = await throughMiddles();
  await pool.redis.set('odd', '0');
  const owner = await cluster.ownerOf('odd');
  const middle = middleOf(owner.address);
  for (const odd of [
    '-MOVED 99999 127.0.0.1:1',
    '-MOVED 5 __proto__:0',
    '-ASK 5 :99999',
    '-TRYAGAIN not now',
  ]) {
    middle.change = (bytes) => {
      if (!bytes.toString('latin1').startsWith('$1\r\n0')) return bytes;
      middle.change = (all) => all;
      return Buffer.from(`${odd}\r\n`);
    };
    expect(await pool.redis.get('odd'), odd).toBe('0');
  }
});

test('a command for all nodes waits for one that is loading, as for one server that is', async () => {
  const { pool, middleOf } = await throughMiddles();
  await pool.redis.flushall();
  await pool.redis.mset('l1', '1', 'l2', '2', 'l3', '3');
  const middle = middleOf((await cluster.ownerOf('l1')).address);
  const refuseOnce = (reply: RegExp): void => {
    middle.change = (bytes) => {
      if (!reply.test(bytes.toString('latin1'))) return bytes;
      middle.change = (all) => all;
      return Buffer.from('-LOADING Redis is loading the dataset in memory\r\n');
    };
  };
  refuseOnce(/^:1\r\n/);
  expect(await pool.redis.dbsize()).toBe(3);
  refuseOnce(/^\*1\r\n\$2\r\nl1/);
  expect((await pool.redis.keys('l*')).sort()).toEqual(['l1', 'l2', 'l3']);
  refuseOnce(/^\*2\r\n/);
  const found: unknown[] = [];
  for await (const some of pool.redis.scanStream({ match: 'l*' })) found.push(...(some as string[]));
  expect(found.sort()).toEqual(['l1', 'l2', 'l3']);
});
