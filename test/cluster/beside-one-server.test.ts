import { expect, onTestFinished, test } from 'vitest';
import type { Lease, PoolOptions, RedisPool } from '../../src/index.ts';
import { type ClusterNode, useCluster } from '../helpers/cluster.ts';
import { TestServer, until } from '../helpers/redis.ts';

const cluster = useCluster();

/** What a caller does again and again. */
type Call = (pool: RedisPool, key: string) => Promise<unknown>;

const leased =
  (work: (lease: Lease, key: string) => Promise<unknown>): Call =>
  (pool, key) =>
    pool.use((lease) => work(lease, key), { key });

/** An error of a single reply is one of the call. */
async function all(replies: Promise<[Error | null, unknown][] | null>): Promise<void> {
  for (const [error] of (await replies) ?? []) if (error) throw error;
}

/** What only reads can be done again, and must not hear that a connection was lost. */
const READS: Record<string, Call> = {
  command: ({ redis }, key) => redis.get(key),
  'keys in several slots': ({ redis }, key) => redis.mget(key, 'a', 'b', 'c'),
  pipeline: ({ redis }, key) => all(redis.pipeline().get(key).get('a').get('b').exec()),
  'command for all nodes': ({ redis }) => redis.dbsize(),
  scan: ({ redis }) => redis.scan('0'),
  lease: leased((lease, key) => lease.get(key)),
};
const WRITES: Record<string, Call> = {
  command: ({ redis }, key) => redis.set(key, 'x'),
  script: ({ redis }, key) => redis.eval('return 1', 1, key),
  'keys in several slots': ({ redis }, key) => redis.mset(key, '1', 'a', '2', 'b', '3'),
  pipeline: ({ redis }, key) => all(redis.pipeline().set(key, 1).get('a').set('b', 1).exec()),
  transaction: ({ redis }, key) => all(redis.multi().incr(`${key}n`).get(key).exec()),
  'command that blocks': ({ redis }, key) => redis.blpop(`${key}list`, 0.1),
  'unknown command': ({ redis }, key) =>
    redis.call('NO.SUCH', key).catch((error: Error) => {
      if (!error.message.includes('unknown command')) throw error;
    }),
  'command for any node': ({ redis }) => redis.ping(),
  lease: leased((lease, key) => lease.set(key, 'x')),
  "lease's transaction": leased((lease, key) => all(lease.multi().incr(`${key}n`).get(key).exec())),
  "lease's pipeline": leased((lease, key) => all(lease.pipeline().get(key).set(key, 1).exec())),
};

/** Callers of each kind, until `stop()`. */
class Callers {
  /** The codes of errors that they heard. */
  readonly heard = { reads: new Set<string>(), writes: new Set<string>() };
  readonly #done: number[] = [];
  readonly #all: Promise<unknown>;
  #over = false;

  /** `tags` are hash tags of their keys. */
  constructor(
    readonly pool: RedisPool,
    tags: readonly string[],
  ) {
    const begin = (calls: Record<string, Call>, heard: Set<string>): Promise<void>[] =>
      Object.entries(calls).flatMap(([kind, call]) =>
        tags.map((tag) => this.#run(kind, call, `{${tag}}${kind}`, heard)),
      );
    this.#all = Promise.all([...begin(READS, this.heard.reads), ...begin(WRITES, this.heard.writes)]);
  }

  /** Each of them has got through `times` more times. */
  async through(times: number): Promise<void> {
    const then = [...this.#done];
    await until('all get through', () => this.#done.every((count, i) => count >= (then[i] ?? 0) + times));
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#all;
  }

  async #run(kind: string, call: Call, key: string, heard: Set<string>): Promise<void> {
    const mine = this.#done.push(0) - 1;
    while (!this.#over) {
      try {
        await call(this.pool, key);
        this.#done[mine] = (this.#done[mine] as number) + 1;
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        heard.add(`${kind}: ${code ?? message}`);
      }
      await new Promise((resolve) => setImmediate(resolve)); // what is refused at once must not fill the loop
    }
  }
}

type Options = Omit<PoolOptions, 'redis'>;

/** So patient that no failover takes longer, however slow the machine is. */
const PATIENT = { maxActive: 6, acquireTimeoutMs: 30_000, outageWaitMs: 30_000, connectTimeoutMs: 30_000 };
const HASTY = { ...PATIENT, acquireTimeoutMs: 200 };
const SOON = { ...HASTY, outageWaitMs: 200 };
const AT_ONCE = { ...PATIENT, outageWaitMs: 0 };

type Harm = 'kill' | 'freeze';

/** What callers of a cluster hear whose master fails, and those of one server that is away for as long, by their options. */
async function besideOneServer(harm: Harm, all: readonly Options[]) {
  const server = new TestServer(() => []);
  await server.start();
  onTestFinished(() => server.stop());
  const pools = all.map((options) => [server.pool(options), cluster.pool(options)] as const);
  const [master, other] = (await cluster.masters()) as [ClusterNode, ClusterNode];
  const tags = [await cluster.keyOf(master), await cluster.keyOf(other)];
  const callers = pools.flat().map((pool) => new Callers(pool, tags));
  await Promise.all(callers.map((each) => each.through(3)));
  const replica = await cluster.replicaOf(master);
  await Promise.all([master[harm](), server[harm]()]);
  await until('the replica has taken over', async () => (await replica.info('role')) === 'master');
  if (harm === 'kill') await server.start();
  else server.thaw();
  await Promise.all(callers.map((each) => each.through(3)));
  await Promise.all(callers.map((each) => each.stop()));
  await cluster.heal();
  return callers.map(({ heard }) => heard);
}

const codes = (heard: Set<string>): string[] => [
  ...new Set([...heard].map((one) => one.split(': ')[1] ?? '')),
];

test('after a master is killed nobody hears what callers of one server would not hear that is restarted', async () => {
  const heard = await besideOneServer('kill', [PATIENT, HASTY, SOON, AT_ONCE]);
  const may = [
    [],
    ['POOL_ACQUIRE_TIMEOUT'],
    ['POOL_CONNECT_FAILED', 'POOL_ACQUIRE_TIMEOUT'], // whichever comes first
    ['POOL_CONNECT_FAILED'],
  ].flatMap((one) => [one, one]);
  for (const [i, { reads, writes }] of heard.entries()) {
    const told = may[i] as string[];
    expect(codes(reads)).toEqual(expect.arrayContaining(told.slice(0, 1)));
    expect(codes(reads).filter((code) => !told.includes(code))).toEqual([]);
    expect(codes(writes).filter((code) => ![...told, 'POOL_CONNECTION_LOST'].includes(code))).toEqual([]);
  }
});

test('after a master freezes nobody hears more than that a write may have run', async () => {
  for (const { reads, writes } of await besideOneServer('freeze', [PATIENT])) {
    expect([...reads]).toEqual([]);
    expect(codes(writes).filter((code) => code !== 'POOL_CONNECTION_LOST')).toEqual([]);
  }
});
