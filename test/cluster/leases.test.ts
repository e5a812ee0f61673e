import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { type ClusterNode, useCluster } from '../helpers/cluster.ts';
import { errorOf } from '../helpers/outcomes.ts';
import { until } from '../helpers/redis.ts';

const cluster = useCluster();

async function slotFor(key: string) {
  const from = await cluster.ownerOf(key);
  const to = (await cluster.masters()).find((one) => one !== from) ?? expect.fail('one master alone');
  return { from, to, slot: Number(await from.observer.cluster('KEYSLOT', key)) };
}

/** Two keys of two slots that `node` has, if they get `prefix`. */
async function keysAt(node: ClusterNode, prefix = '') {
  const found: { key: string; slot: number }[] = [];
  for (let i = 0; found.length < 2; i++) {
    const slot = Number(await node.observer.cluster('KEYSLOT', `${prefix}${i}`));
    if ((await cluster.ownerOf(`${prefix}${i}`)) === node) found.push({ key: String(i), slot });
  }
  return found as [(typeof found)[0], (typeof found)[0]];
}

/** The error with which `sent` rejects. */
const refusal = async (sent: Promise<unknown>) => (await errorOf(sent)) as Error;

test('a lease that has done nothing yet goes on at the node that its key has moved to', async () => {
  const pool = cluster.pool();
  await pool.redis.set('{lease}n', '1');
  const { from, to, slot } = await slotFor('{lease}n');
  await cluster.moveSlot(slot, from, to);
  const lease = await pool.acquire({ key: '{lease}n' });
  const before = lease.connectionId;
  const watched = lease.watch('{lease}n'); // all of it is refused, and is sent again in this order
  const [, n] = await Promise.all([watched, lease.get('{lease}n')]);
  expect(n).toBe('1');
  expect(await lease.multi().incr('{lease}n').exec()).toEqual([[null, 2]]);
  expect([before, lease.connectionId].every((id) => id > 0)).toBe(true);
  lease.release();
  await until('all has come back', () => pool.stats().inUse === pool.stats().lanes);
  expect(await to.observer.get('{lease}n')).toBe('2');
  expect(pool.stats().closed).toMatchObject({ dirty: 0, broken: 0 });
  await expect(lease.get('{lease}n')).rejects.toMatchObject({ code: 'POOL_LEASE_RELEASED' });
  await cluster.healthy();
});

test('a transaction that is the first thing on a lease goes whole to where its keys have moved', async () => {
  for (const how of ['at once', 'one after the other', 'with bytes']) {
    const pool = cluster.pool();
    const key = `{whole}${how}`;
    await pool.redis.set(key, '1');
    const { from, to, slot } = await slotFor(key);
    await cluster.moveSlot(slot, from, to);
    await pool.use(
      async (lease) => {
        if (how === 'one after the other') {
          await lease.multi({ pipeline: false });
          expect(await lease.ping()).toBe('QUEUED');
          expect(await lease.incr(key)).toBe('QUEUED');
          expect(await lease.exec()).toEqual([
            [null, 'PONG'],
            [null, 2],
          ]);
        } else {
          const bytes = how === 'with bytes' ? Buffer.from(key) : key;
          expect(await lease.multi().ping().incr(bytes).incr(bytes).exec()).toEqual([
            [null, 'PONG'],
            [null, 2],
            [null, 3],
          ]);
        }
        expect(await lease.get(key)).toBe(how === 'one after the other' ? '2' : '3');
      },
      { key },
    );
    await until('all has come back', () => pool.stats().inUse === pool.stats().lanes);
    expect(await to.observer.get(key)).toBe(how === 'one after the other' ? '2' : '3');
    await cluster.healthy();
  }
});

test('what a lease was refused for now, and is elsewhere then, runs there once', async () => {
  const pool = cluster.pool();
  await pool.redis.rpush('{once}from', '1', '2', '3');
  await pool.redis.del('{once}to');
  const { from, to, slot } = await slotFor('{once}from');
  await cluster.beginMove(slot, from, to);
  const lease = await pool.acquire({ key: '{once}from' });
  const refusals = async () =>
    Number(/errorstat_TRYAGAIN:count=(\d+)/.exec(await from.observer.info('errorstats'))?.[1]);
  const moved = lease.rpoplpush('{once}from', '{once}to'); // one of the keys is missing: it may be on its way
  await until('it was refused', async () => (await refusals()) > 0);
  await cluster.moveKeys(slot, from, to);
  await cluster.endMove(slot, from, to);
  expect(await moved).toBe('3');
  lease.release();
  expect(await to.observer.lrange('{once}to', 0, -1)).toEqual(['3']);
  await cluster.healthy();
});

test('what is of use on the connection of a lease alone goes over no other, when that is lost', async () => {
  const pool = cluster.pool();
  await pool.redis.mset('{own}1', '1', '{own}2', '2');
  const { from, to, slot } = await slotFor('{own}1');
  await cluster.beginMove(slot, from, to);
  await pool.redis.set('{own}3', '3'); // which is there already
  const lease = await pool.acquire({ key: '{own}1' });
  const id = await lease.client('ID');
  const watched = expect(lease.watch('{own}1', '{own}3')).rejects.toMatchObject({
    code: 'POOL_CONNECTION_LOST',
  });
  const watches = async () =>
    /cmdstat_watch:.*rejected_calls=[1-9]/.test(await from.observer.info('commandstats'));
  await until('it was refused', watches);
  await from.observer.client('KILL', 'ID', id);
  await watched;
  lease.release();
  await cluster.moveKeys(slot, from, to);
  await cluster.endMove(slot, from, to);
  await cluster.healthy();
});

test('a transaction whose keys are on their way is done where they are, though the lease has done something', async () => {
  const pool = cluster.pool({ maxActive: 1 });
  await pool.redis.set('{way}other', '1');
  const { from, to, slot } = await slotFor('{way}n');
  await cluster.beginMove(slot, from, to);
  const { connected } = pool.stats();
  await pool.use(
    async (lease) => {
      const fresh = lease.multi().ping().incr('{way}n').incr('{way}n').exec();
      expect(await fresh).toEqual([
        [null, 'PONG'],
        [null, 1],
        [null, 2],
      ]);
      expect(await lease.get('{way}other')).toBe('1'); // which is still here
      expect(await lease.multi().incr('{way}n').exec()).toEqual([[null, 3]]);
      await expect(lease.multi().select(0).incr('{way}n').exec()).rejects.toThrow(/^EXECABORT/); // not for a shared connection
      const faulty = lease.multi().incr('{way}n').call('INCR').exec();
      await expect(faulty).rejects.toThrow(/^EXECABORT/);
      // Whoever waits for each reply hears of it, for nobody knows what follows; so does whoever watches.
      await lease.multi({ pipeline: false });
      await expect(lease.incr('{way}n')).rejects.toThrow(/^ASK/);
      await expect(lease.exec()).rejects.toThrow(/^EXECABORT/);
      await lease.watch('{way}other');
      await expect(lease.multi().incr('{way}n').exec()).rejects.toThrow(/^EXECABORT/);
    },
    { key: '{way}n' },
  );
  // Neither may a shared connection watch.
  const watched = pool.use((lease) => lease.watch('{way}n'), { key: '{way}n' });
  await expect(watched).rejects.toThrow(/^ASK/);
  expect(await pool.redis.get('{way}n')).toBe('3');
  expect(pool.stats().connected - connected).toBeLessThanOrEqual(1);
  expect(pool.stats().closed).toMatchObject({ dirty: 0, broken: 0 });
  await cluster.moveKeys(slot, from, to);
  await cluster.endMove(slot, from, to);
  await cluster.healthy();
});

test('a lease that has done something stays where it is, and hears of MOVED', async () => {
  const pool = cluster.pool();
  await pool.redis.set('{stays}n', '1');
  const { from, to, slot } = await slotFor('{stays}n');
  await pool.use(
    async (lease) => {
      await lease.watch('{stays}n');
      await cluster.moveSlot(slot, from, to);
      await expect(lease.get('{stays}n')).rejects.toThrow(/^MOVED/);
      await expect(lease.multi().set('{stays}n', 'x').exec()).rejects.toThrow(/^EXECABORT/);
    },
    { key: '{stays}n' },
  );
  expect(await pool.redis.get('{stays}n')).toBe('1');
  expect(await pool.use((lease) => lease.incr('{stays}n'), { key: '{stays}n' })).toBe(2);
  await cluster.healthy();
});

test('a lease that is asked for the key of another node says for which slot it is, and what to do instead', async () => {
  const pool = cluster.pool({ redis: { keyPrefix: 'p:' } });
  const key = '{sess}:secret-of-a-session';
  const { to, slot } = await slotFor(`p:${key}`);
  const [{ key: other, slot: otherSlot }] = await keysAt(to, 'p:');
  const moved = `MOVED ${otherSlot} ${to.address}`; // as Redis says it: others read it by its words
  const told = `${moved} (the lease is for slot ${slot}, of the key it was acquired with, and slot ${otherSlot} is at another node: send this over pool.redis, or over a lease with a key of its own)`;
  await pool.use(
    async (lease) => {
      await lease.set(key, '1');
      const error = await refusal(lease.set(other, 'its value'));
      expect(error.message).toBe(told);
      expect(error).toMatchObject({ name: 'ReplyError', command: { name: 'set' } });
      expect(error.stack).toContain(told);
      expect(inspect(error)).toContain(told);
      expect(`${error.message} ${error.stack}`).not.toMatch(/secret-of-a-session|its value/);
      const [mine, [theirs]] = (await lease.pipeline().get(key).get(other).exec()) as [unknown, [Error]];
      expect(mine).toEqual([null, '1']);
      expect(theirs.message).toBe(told);
      const aborted = await refusal(lease.multi().incr(key).incr(other).exec());
      expect(aborted.message).toMatch(/^EXECABORT/);
      expect(aborted).toMatchObject({ previousErrors: [{ message: told }] });
      await expect(lease.watch(other)).rejects.toThrow(told);
      await expect(lease.eval('return 1', 1, other)).rejects.toThrow(told);
    },
    { key },
  );
});

test('a lease that is sent keys of several slots says that it cannot part them', async () => {
  const pool = cluster.pool();
  const { from, slot } = await slotFor('several');
  const [{ key: one }, { key: two }] = await keysAt(from);
  const told =
    /^CROSSSLOT Keys in request don't hash to the same slot \(a lease sends nothing in parts, and this one is for slot (\d+), of the key it was acquired with: give keys a common \{hash tag\}, or send those of other slots over pool\.redis, or over a lease with a key of its own\)$/;
  await pool.use(
    async (lease) => {
      for (const sent of [lease.mget(one, two), lease.multi().set(one, '1').set(two, '2').exec()]) {
        const error = await refusal(sent);
        expect(error.name).toBe('ReplyError');
        expect(told.exec(error.message)?.[1], error.message).toBe(String(slot));
      }
    },
    { key: 'several' },
  );
});

test('a lease whose own slot has moved since says so: nobody is at fault, and another lease will do', async () => {
  const pool = cluster.pool();
  await pool.redis.set('{since}n', '1');
  const { from, to, slot } = await slotFor('{since}n');
  const told = `MOVED ${slot} ${to.address} (the slot of the key that the lease was acquired with has moved there since: repeat use(), or acquire another lease)`;
  await pool.use(
    async (lease) => {
      await lease.watch('{since}n');
      await cluster.moveSlot(slot, from, to);
      expect((await refusal(lease.get('{since}n'))).message).toBe(told);
      expect((await refusal(lease.get('{since}another'))).message).toBe(told);
      const aborted = await refusal(lease.multi().incr('{since}n').incr('{since}n').exec());
      expect(aborted).toMatchObject({ previousErrors: [{ message: told }, { message: told }] });
    },
    { key: '{since}n' },
  );
  expect(await pool.use((lease) => lease.incr('{since}n'), { key: '{since}n' })).toBe(2);
  await cluster.healthy();
});

test('a lease that went elsewhere with its first command does not say that the slot of its key has moved', async () => {
  const pool = cluster.pool();
  const { from, to, slot } = await slotFor('strays');
  const [{ key: other, slot: otherSlot }] = await keysAt(to);
  await pool.use(
    async (lease) => {
      await lease.set(other, '1'); // nothing was done before: the lease goes where this can be done
      expect((await refusal(lease.get('strays'))).message).toBe(
        `MOVED ${slot} ${from.address} (the lease was acquired with a key in slot ${slot}, but went to the node of slot ${otherSlot} with its first command: send this over pool.redis, or over a lease with a key of its own)`,
      );
    },
    { key: 'strays' },
  );
});

test('200 INCRs over leases, of a key that is on its way, cost no connection', async () => {
  const pool = cluster.pool({ maxActive: 5 });
  await pool.redis.set('{ask}other', '1');
  const { from, to, slot } = await slotFor('{ask}n');
  await pool.ready();
  await pool.use((lease) => lease.ping(), { key: '{ask}n' });
  const { connected } = pool.stats();
  await cluster.beginMove(slot, from, to);
  const counts = await Promise.all(
    Array.from({ length: 200 }, () => pool.use((lease) => lease.incr('{ask}n'), { key: '{ask}n' })),
  );
  expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  expect(pool.stats().connected - connected).toBeLessThanOrEqual(10);
  // By hand, on the other node.
  const key = await cluster.keyOf(to);
  await pool.use(
    async (lease) => {
      await lease.asking();
      expect(await lease.get('{ask}n')).toBe('200');
      await lease.asking();
    },
    { key },
  );
  await until('it is idle again', () => pool.stats().inUse === pool.stats().lanes);
  expect(pool.stats().closed.dirty).toBe(0);
  await expect(
    pool.use((lease) => lease.get('{ask}n'), { key }).then(() => pool.redis.get('{ask}n')),
  ).resolves.toBe('200');
  await cluster.moveKeys(slot, from, to);
  await cluster.endMove(slot, from, to);
  await cluster.healthy();
});

test('leases are within the bound of each node', async () => {
  const pool = cluster.pool({ maxActive: 2 });
  const master = await cluster.ownerOf('bound');
  const held = await Promise.all([pool.acquire({ key: 'bound' }), pool.acquire({ key: 'bound' })]);
  await expect(pool.acquire({ key: 'bound', timeoutMs: 20 })).rejects.toMatchObject({
    code: 'POOL_ACQUIRE_TIMEOUT',
  });
  expect((await master.clients()).length).toBe(2);
  for (const lease of held) lease.release();
});

test('a key may be bytes, and a keyPrefix counts', async () => {
  const pool = cluster.pool({ redis: { keyPrefix: '{p}:' } });
  const owner = await cluster.ownerOf('{p}:x');
  await pool.redis.set('x', '1');
  for (const key of ['x', Buffer.from('x')]) {
    expect(await pool.use((lease) => lease.get('x'), { key })).toBe('1');
  }
  expect(await owner.observer.get('{p}:x')).toBe('1');
  expect(await pool.redis.mget('x', 'y')).toEqual(['1', null]);
});

test('a command that is defined on cluster.redis is there on leases of all nodes, also of those that are reached later', async () => {
  type Scripted = { theKey(key: string): Promise<string> };
  const pool = cluster.pool();
  await pool.use((redis) => redis.ping(), { key: 'a' }); // this node's pool is there before
  pool.redis.defineCommand('theKey', { lua: 'return KEYS[1]', numberOfKeys: 1 });
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const answer = await pool.use((redis) => (redis as unknown as Scripted).theKey(key), { key });
    expect(answer).toBe(key);
  }
});
