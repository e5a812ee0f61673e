import { expect, onTestFinished, test } from 'vitest';
import type { Lease, PoolOptions, RedisPool } from '../../src/index.ts';
import { type ClusterNode, useCluster } from '../helpers/cluster.ts';
import { TestServer, until } from '../helpers/redis.ts';

const cluster = useCluster();

/** What a caller does again and again: `key` has a hash tag that is its own. */
type Call = (pool: RedisPool, key: string) => Promise<unknown>;

const leased =
  (work: (lease: Lease, key: string) => Promise<unknown>): Call =>
  (pool, key) =>
    pool.use((lease) => work(lease, key), { key });

/** Errors of single replies are told as those of a call. */
async function results(replies: Promise<[Error | null, unknown][] | null>): Promise<void> {
  for (const [error] of (await replies) ?? []) if (error) throw error;
}

/** By kind; and what of it may hear that its connection was lost, since it may have been done. */
const CALLS: Record<string, { readonly call: Call; readonly mayBeLost: boolean }> = {
  read: { call: ({ redis }, key) => redis.get(key), mayBeLost: false },
  write: { call: ({ redis }, key) => redis.set(key, 'x'), mayBeLost: true },
  script: { call: ({ redis }, key) => redis.eval('return 1', 1, key), mayBeLost: true },
  'reads of several keys': { call: ({ redis }, key) => redis.mget(key, `${key}2`, 'a', 'b', 'c'), mayBeLost: false },
  'writes of several keys': { call: ({ redis }, key) => redis.mset(key, '1', 'a', '2', 'b', '3'), mayBeLost: true },
  'pipeline that reads': { call: ({ redis }, key) => results(redis.pipeline().get(key).get('a').get('b').exec()), mayBeLost: false },
  'pipeline that writes': { call: ({ redis }, key) => results(redis.pipeline().set(key, 1).get('a').set('b', 1).exec()), mayBeLost: true },
  transaction: { call: ({ redis }, key) => results(redis.multi().incr(`${key}n`).get(key).exec()), mayBeLost: true },
  'command that blocks': { call: ({ redis }, key) => redis.blpop(`${key}list`, 0.1), mayBeLost: true },
  'command that nobody knows': { call: ({ redis }, key) => redis.call('NO.SUCH', key).catch(unknownIsFine), mayBeLost: true },
  'command for all': { call: ({ redis }) => redis.dbsize(), mayBeLost: false },
  'command for any': { call: ({ redis }) => redis.ping(), mayBeLost: true },
  scan: { call: ({ redis }) => redis.scan('0'), mayBeLost: false },
  'lease that reads': { call: leased((lease, key) => lease.get(key)), mayBeLost: false },
  'lease that writes': { call: leased((lease, key) => lease.set(key, 'x')), mayBeLost: true },
  'lease with a transaction': { call: leased((lease, key) => results(lease.multi().incr(`${key}n`).get(key).exec())), mayBeLost: true },
  'lease with a pipeline': { call: leased((lease, key) => results(lease.pipeline().get(key).set(key, 1).exec())), mayBeLost: true },
};

function unknownIsFine(error: Error): void {
  if (!error.message.includes('unknown command')) throw error;
}

/** Two callers of each kind, until `stop()`. */
class Callers {
  over = false;
  /** What they heard, by kind, and how often. */
  readonly heard: Record<string, Record<string, number>> = {};
  readonly done: Record<string, number> = {};
  readonly #all: Promise<unknown>;

  constructor(readonly pool: RedisPool) {
    const kinds = Object.entries(CALLS);
    this.#all = Promise.all(kinds.flatMap(([kind, { call }]) => [0, 1, 2, 3].map((i) => this.#run(kind, call, `{${kind}${i}}`))));
  }

  /** The fewest calls of any kind. */
  get least(): number {
    return Math.min(...Object.keys(CALLS).map((kind) => this.done[kind] ?? 0));
  }

  async stop(): Promise<void> {
    this.over = true;
    await this.#all;
  }

  async #run(kind: string, call: Call, key: string): Promise<void> {
    while (!this.over) {
      try {
        await call(this.pool, key);
        this.done[kind] = (this.done[kind] ?? 0) + 1;
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        const what = code ?? message.split(' ')[0] ?? '';
        this.heard[kind] ??= {};
        this.heard[kind][what] = (this.heard[kind][what] ?? 0) + 1;
        if (process.env['SHOW']) (globalThis as any).shown = [...((globalThis as any).shown ?? []), `${kind}: ${message.slice(0, 150)}`];
      }
      await new Promise((resolve) => setImmediate(resolve)); // what is refused at once must not fill the loop
    }
  }
}

test('when a master is killed, nobody hears what callers of one server that is restarted would not hear', async () => {
  await compare({ maxActive: 6 }, (one) => one.kill());
});

async function compare(options: Omit<PoolOptions, 'redis'>, harm: (one: ClusterNode | TestServer) => Promise<void> | void) {
  const server = new TestServer(() => []);
  await server.start();
  onTestFinished(() => server.stop());
  const one = new Callers(server.pool(options));
  const many = new Callers(cluster.pool(options));
  await until('there is traffic', () => Math.min(one.least, many.least) >= 5);
  const [master] = (await cluster.masters()) as [ClusterNode];
  const replica = await cluster.replicaOf(master);
  await Promise.all([harm(master), harm(server)]);
  await until('the replica has taken over', async () => (await replica.info('role')) === 'master');
  await server.start();
  const then = [one.least, many.least] as [number, number];
  await until('there is traffic', () => one.least > then[0] + 5 && many.least > then[1] + 5);
  await Promise.all([one.stop(), many.stop()]);
  console.log(JSON.stringify({ one: one.heard, many: many.heard }, null, 1), (globalThis as any).shown);
  await cluster.heal();
  for (const { heard } of [one, many]) {
    for (const [kind, codes] of Object.entries(heard)) {
      expect([kind, Object.keys(codes)]).toEqual([kind, CALLS[kind]?.mayBeLost ? ['POOL_CONNECTION_LOST'] : []]);
    }
  }
}
