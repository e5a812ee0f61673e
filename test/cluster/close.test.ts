import { createHook } from 'node:async_hooks';
import { Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { ClusterPool } from '../../src/cluster/index.ts';
import type { Lease } from '../../src/index.ts';
import { type ClusterNode, useCluster } from '../helpers/cluster.ts';
import { until } from '../helpers/redis.ts';

const cluster = useCluster();

/** Whatever is forgotten shows: nothing ends by itself while a test lasts. */
const LONG = {
  ...{ acquireTimeoutMs: 120_000, outageWaitMs: 120_000, connectTimeoutMs: 120_000 },
  ...{ replyTimeoutMs: 120_000, idleTimeoutMs: 120_000, maxActive: 3 },
};

/** What lives on of what pools begin from now on: their timers, and sockets to the cluster. */
function watchResources(): () => string[] {
  const timers = new Map<number, string>();
  const hook = createHook({
    init(id, type) {
      const { stack = '' } = new Error();
      if (/Timeout|Immediate/.test(type) && stack.includes('/src/')) timers.set(id, `${type} ${stack}`);
    },
    destroy: (id) => void timers.delete(id),
  }).enable();
  onTestFinished(() => void hook.disable());
  const before = new Set(sockets());
  return () => [
    ...timers.values(),
    ...[...sockets()].filter((one) => !before.has(one)).map(({ remotePort }) => `a socket to ${remotePort}`),
  ];
}

function sockets(): Socket[] {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): object[] };
  const observers = cluster.nodes.map(({ observer }) => observer.stream as unknown);
  const all = handles.call(process).filter((one) => one instanceof Socket && !observers.includes(one));
  return (all as Socket[]).filter(({ remotePort = 0 }) =>
    cluster.nodes.some(({ port }) => port === remotePort),
  );
}

/** Everything that can be asked of a pool, about `key`. */
function ask(pool: ClusterPool, key: string): Promise<unknown>[] {
  const { redis } = pool;
  return heard([
    ...[redis.get(key), redis.set(key, '1'), redis.mget(key, 'a', 'b', 'c'), redis.mset(key, '1', 'a', '2')],
    ...[redis.pipeline().get(key).set('a', 1).get('b').exec(), redis.multi().set(key, 1).get(key).exec()],
    ...[
      redis.dbsize(),
      redis.scan('0'),
      redis.ping(),
      redis.blpop(`{${key}}list`, 0),
      redis.call('NO.SUCH', key),
    ],
    pool.use((lease) => lease.get(key), { key }),
    pool.use((lease) => lease.set(key, '1'), { key }),
    pool.use((lease) => lease.multi().set(key, '1').exec(), { key }),
    ...[pool.ready(), pool.ready({ timeoutMs: 120_000 }), pool.health({ timeoutMs: 120_000 })],
    pool.acquire({ key, signal: new AbortController().signal }).then((lease) => lease.release()),
  ]);
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
}

/** Somebody hears of what they come to, whenever that is. */
function heard(all: Promise<unknown>[]): Promise<unknown>[] {
  for (const one of all) one.catch(() => {});
  return all;
}

async function slotFor(key: string) {
  const from = await cluster.ownerOf(key);
  const to = (await cluster.masters()).find((one) => one !== from) ?? expect.fail('one master alone');
  return { from, to, slot: Number(await from.observer.cluster('KEYSLOT', key)) };
}

/** Each brings a pool into a state, and returns what is under way then. */
const STATES: Record<string, (pool: ClusterPool) => Promise<unknown>[] | Promise<Promise<unknown>[]>> = {
  'nothing was asked of it': () => [],
  'all was asked in this very tick, for the first time': (pool) => ask(pool, 'first'),
  'the first node does not answer who serves what': async (pool) => {
    (cluster.nodes[0] as ClusterNode).freeze();
    const asked = ask(pool, 'first');
    await until('it is asked', () => pool.stats().connecting > 0);
    return asked;
  },
  'all was asked': async (pool) => {
    await pool.ready();
    return ask(pool, 'asked');
  },
  'leases are out': async (pool) => {
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => pool.acquire({ key: 'out' })));
    void three?.subscribe('news');
    return [...ask(pool, 'out'), ...heard([Promise.all([one?.blpop('none', 0), two?.watch('out')])])];
  },
  'callers wait for a place that another node has': async (pool) => {
    const masters = await cluster.masters();
    const keys = await Promise.all(masters.map((one) => cluster.keyOf(one)));
    await Promise.all(keys.slice(1).map((key) => pool.acquire({ key })));
    return ask(pool, keys[0] as string);
  },
  'a slot moves': async (pool) => {
    await pool.ready();
    const { from, to, slot } = await slotFor('moves');
    const asked = [...ask(pool, 'moves')];
    await cluster.moveSlot(slot, from, to);
    return [...asked, ...ask(pool, 'moves')];
  },
  'a lease waits for a connection to the node that its key has moved to': async (pool) => {
    const { from, to, slot } = await slotFor('follows');
    const key = await cluster.keyOf(to);
    const lease = await pool.acquire({ key: 'follows' });
    await Promise.all([1, 2, 3].map(() => pool.acquire({ key })));
    await cluster.moveSlot(slot, from, to);
    const moved = heard([lease.set('follows', '1')]);
    await until('it waits', () => pool.stats().waiting > 0);
    return moved;
  },
  'what was refused waits until its slot has moved': async (pool) => {
    const { from, to, slot } = await slotFor('{tries}1');
    await pool.redis.mset('{tries}1', '1', '{tries}2', '2');
    await cluster.beginMove(slot, from, to);
    await pool.redis.set('{tries}3', '3'); // which is there already
    await pool.redis.set('{tries}x', 'x');
    const both = (lease: Pick<Lease, 'mget' | 'multi'>): Promise<unknown>[] => [
      lease.mget('{tries}1', '{tries}3'),
      lease.multi().mget('{tries}1', '{tries}3').exec(),
    ];
    const leases = await Promise.all([1, 2].map(() => pool.acquire({ key: '{tries}1' })));
    const asked = heard([pool.redis, ...leases].flatMap(both));
    await until('they wait', () => pool.stats().queuedCommands >= 4);
    onTestFinished(() => cluster.moveKeys(slot, from, to).then(() => cluster.endMove(slot, from, to)));
    return asked;
  },
  'the pool of a node that is no master any more is being closed': async (pool) => {
    const master = await cluster.ownerOf('retires');
    const lease = await pool.acquire({ key: 'retires' });
    await cluster.failover(await cluster.replicaOf(master));
    await pool.redis.set('retires', '1');
    await until('it is left', () => !(master.address in pool.stats().nodes));
    return [...ask(pool, 'retires'), ...heard([lease.blpop('none', 0)])];
  },
  'a master is away': async (pool) => {
    await pool.ready();
    await (await cluster.ownerOf('away')).kill();
    const asked = ask(pool, 'away');
    await until('they wait', () => pool.stats().queuedCommands > 5 && pool.stats().waiting > 3);
    return asked;
  },
  'a master is frozen, and its replica is gone': async (pool) => {
    const master = await cluster.ownerOf('frozen');
    const lease = await pool.acquire({ key: 'frozen' });
    await (await cluster.replicaOf(master)).kill();
    master.freeze();
    let dials = 0;
    pool.on('connecting', () => dials++);
    const asked = [...ask(pool, 'frozen'), ...heard([lease.get('frozen')])];
    await until('others are asked', () => dials > 3);
    return asked;
  },
};

test.each(Object.entries(STATES))('close() ends all and leaves nothing: %s', async (state, bring) => {
  onTestFinished(() => cluster.heal());
  const left = watchResources();
  const more = state.includes('another node has') ? { maxTotal: 2 } : {};
  const pool = cluster.pool({ ...LONG, ...more });
  const work = await bring(pool);
  const settled = new Set<number>();
  for (const [i, one] of work.entries()) {
    const told = (): unknown => settled.add(i);
    one.then(told, told);
  }
  await pool.close({ graceMs: 50 });
  await turns();
  expect([...work.keys()].filter((i) => !settled.has(i))).toEqual([]);
  expect(left()).toEqual([]);
  expect(pool.stats()).toMatchObject({ total: 0, waiting: 0, queuedCommands: 0, inFlight: 0 });
  for (const one of await Promise.allSettled(ask(pool, 'closed'))) {
    const told = one.status === 'rejected' ? one.reason : one.value; // of a pipeline by entry, of health() in words
    for (const [error] of Array.isArray(told) ? told : [[told]])
      expect(String(error.error ?? error)).toContain('closed');
  }
  await turns();
  expect(left()).toEqual([]);
  await cluster.heal();
  for (const node of cluster.nodes) expect(await node.clients()).toEqual([]);
});
