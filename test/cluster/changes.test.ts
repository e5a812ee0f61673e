import { expect, test } from 'vitest';
import type { ClusterPool } from '../../src/cluster/index.ts';
import { type ClusterNode, TestCluster, useCluster } from '../helpers/cluster.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { until } from '../helpers/redis.ts';

const cluster = useCluster();

/** For a clock on which a slow machine would have less time. */
const PATIENT = { acquireTimeoutMs: 60_000, connectTimeoutMs: 60_000, replyTimeoutMs: 60_000 };

/** Callers who write and read, each its own values, until `stop()`. */
class Traffic {
  done = 0;
  /** What nobody may be told: somebody else's value, or one older than was acknowledged. */
  readonly wrong: string[] = [];
  readonly errors: { code?: string; message: string }[] = [];
  #over = false;
  readonly #acknowledged = new Map<string, number>();
  readonly #all: Promise<unknown>;

  constructor(
    readonly pool: ClusterPool,
    callers = 40,
  ) {
    this.#all = Promise.all(Array.from({ length: callers }, (_, i) => this.#call(i)));
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#all;
  }

  /** Every acknowledged value is there, or a later one. */
  async look(): Promise<void> {
    for (const [key, n] of this.#acknowledged) this.#judge(key, n, await this.pool.redis.get(key));
  }

  async #call(caller: number): Promise<void> {
    for (let n = 1; !this.#over; n++) {
      const key = `caller:${caller}:${n % 50}`;
      try {
        if (n % 3 === 0) {
          await this.pool.redis.pipeline().set(key, `${key}=${n}`).get(key).exec();
          this.#acknowledged.set(key, n);
        } else {
          await this.pool.redis.set(key, `${key}=${n}`);
          this.#acknowledged.set(key, n);
        }
        const found = await this.pool.redis.get(key);
        this.#judge(key, n, found);
        this.done += 2;
      } catch (error) {
        this.errors.push(error as Error);
        await new Promise((resolve) => setImmediate(resolve)); // what is refused at once must not fill the loop
      }
    }
  }

  #judge(key: string, n: number, found: string | null): void {
    const [owner, value] = found?.split('=') ?? [];
    if (owner === key && Number(value) >= n) return;
    this.wrong.push(`${key} should be ${n}, and is ${found}`);
  }
}

test("slots move from node to node under load, and nobody hears an error or somebody else's value", async () => {
  const pool = cluster.pool({ maxActive: 3 });
  const bound = cluster.watchBound();
  const traffic = new Traffic(pool);
  await until('there is traffic', () => traffic.done > 500);
  const [from, to] = (await cluster.masters()) as [ClusterNode, ClusterNode];
  const first = Number((await from.observer.cluster('SLOTS'))[0]?.[0]);
  const slots = await cluster.slotsOf(from);
  expect(first).toBeGreaterThanOrEqual(0);
  for (const slot of slots.slice(0, 100)) await cluster.moveSlot(slot, from, to);
  const then = traffic.done;
  await until('there is traffic', () => traffic.done > then + 500);
  await traffic.stop();
  await traffic.look();
  expect(traffic.errors).toEqual([]);
  expect(traffic.wrong).toEqual([]);
  expect(Math.max(...(await bound()).values())).toBeLessThanOrEqual(3);
  await cluster.healthy();
});

test('a node that comes is used, and one that leaves is left', async () => {
  const pool = cluster.pool({ maxActive: 3, ...PATIENT }, fastClock(4));
  const traffic = new Traffic(pool);
  const node = await cluster.startNode();
  const [from] = (await cluster.masters(cluster.nodes[0])) as [ClusterNode];
  await from.observer.cluster('MEET', '127.0.0.1', node.port);
  await cluster.healthy();
  const slots = (await cluster.slotsOf(from)).slice(0, 80);
  for (const slot of slots) await cluster.moveSlot(slot, from, node);
  await until('it is used', async () => (pool.stats().nodes[node.address]?.connected ?? 0) > 0);
  for (const slot of slots) await cluster.moveSlot(slot, node, from);
  await until('it is left', async () => (await node.clients()).length === 0, 40_000);
  await traffic.stop();
  await traffic.look();
  expect(traffic.errors).toEqual([]);
  expect(traffic.wrong).toEqual([]);
  await cluster.remove(node);
  await cluster.healthy();
});

test('with most masters gone a write waits until they are back, but for no longer than for a connection', async () => {
  const pool = cluster.pool({ acquireTimeoutMs: 700 });
  const patient = cluster.pool({ acquireTimeoutMs: 60_000 });
  await Promise.all([pool.ready(), patient.ready()]);
  const masters = await cluster.masters();
  const survivor = masters[2] as ClusterNode;
  const replicas = await Promise.all(masters.slice(0, 2).map((one) => cluster.replicaOf(one)));
  for (const node of [...masters.slice(0, 2), ...replicas]) await node.kill();
  await until('the last one has given up', async () => (await survivor.info('cluster_state')) === 'fail');
  const keys = Array.from({ length: 30 }, (_, i) => `gone:${i}`);
  const waiting = Promise.all(keys.map((key) => patient.redis.set(key, '0')));
  const began = performance.now();
  const all = await Promise.allSettled(keys.map((key) => pool.redis.set(key, '1')));
  expect(performance.now() - began).toBeLessThan(15_000);
  for (const one of all) {
    expect(one).toMatchObject({
      status: 'rejected',
      reason: { code: 'POOL_ACQUIRE_TIMEOUT', cause: expect.any(Error) },
    });
  }
  expect(pool.stats()).toMatchObject({ queuedCommands: 0, inFlight: 0 });
  expect(await pool.health({ timeoutMs: 300 })).toMatchObject({ ok: false });
  await cluster.heal();
  await waiting;
  await until('all is well again', () =>
    pool.redis.set('gone:1', '2').then(
      () => true,
      () => false,
    ),
  );
});

test('while slots have no master, those are seldom asked whom each question costs a dial', async () => {
  const clock = fastClock(4);
  const pool = cluster.pool({ ...PATIENT, acquireTimeoutMs: 1000 }, clock);
  await pool.ready();
  const dials = new Map<string, number>();
  pool.on('connecting', ({ node = '' }) => dials.set(node, (dials.get(node) ?? 0) + 1));
  const lost = await cluster.ownerOf('lost');
  const replica = await cluster.replicaOf(lost);
  const masters = (await cluster.masters()).filter((one) => one !== lost);
  const others = await Promise.all(masters.map((one) => cluster.replicaOf(one)));
  await Promise.all([lost.kill(), replica.kill()]);
  const since = clock.now();
  let over = false;
  const caller = (async () => {
    while (!over) {
      await pool.redis.set('lost', 'x').catch(({ code }) => {
        over ||= code === 'POOL_CLOSED'; // the test has failed
      });
    }
  })();
  // The masters that are left are asked over connections that are there.
  const [first] = masters as [ClusterNode];
  const asked = async (): Promise<number> =>
    Number(/cmdstat_cluster\|slots:calls=(\d+)/.exec(await first.observer.info('commandstats'))?.[1] ?? 0);
  const before = await asked();
  await until('a master was asked many times', async () => (await asked()) - before >= 14);
  const most = 5 + (clock.now() - since) / 1000;
  for (const { address } of others) {
    expect(dials.get(address) ?? 0).toBeGreaterThan(0); // they may know better
    expect(dials.get(address) ?? 0).toBeLessThanOrEqual(most);
  }
  over = true;
  await caller;
  await cluster.heal();
});

test('a first node that has left the others is not believed', async () => {
  const stray = new TestCluster();
  const node = await stray.startNode();
  await node.observer.cluster('ADDSLOTS', ...Array.from({ length: 16_383 }, (_, slot) => slot));
  try {
    const pool = cluster.pool({ nodes: [node.url, ...cluster.urls] });
    const keys = Array.from({ length: 50 }, (_, i) => `stale:${i}`);
    await Promise.all(keys.map((key) => pool.redis.set(key, '1')));
    expect(Object.keys(pool.stats().nodes)).not.toContain(node.address);
    expect(await node.observer.dbsize()).toBe(0);
  } finally {
    await stray.stop();
  }
});

test('nodes of which none answers: the real cause, at once', async () => {
  const pool = cluster.pool({ nodes: ['redis://127.0.0.1:1', { host: '127.0.0.1', port: 2 }] });
  for (const work of [
    () => pool.redis.get('k'),
    () => pool.acquire({ key: 'k' }),
    () => pool.ready(),
    () => pool.redis.mget('a', 'b'),
    () => pool.redis.flushall(),
    () => pool.redis.multi().set('k', 1).exec(),
  ]) {
    await expect(work()).rejects.toMatchObject({
      code: 'POOL_CONNECT_FAILED',
      cause: { message: expect.stringContaining('ECONNREFUSED') },
    });
  }
  expect(await pool.health()).toMatchObject({ ok: false, error: expect.stringContaining('ECONNREFUSED') });
});
