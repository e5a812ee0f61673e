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

/** Callers of each kind, with keys at all nodes, until `stop()`. */
class Callers {
  /** The codes of errors that they heard. */
  readonly heard = { reads: new Set<string>(), writes: new Set<string>() };
  readonly #done: number[] = [];
  readonly #all: Promise<unknown>;
  #over = false;

  constructor(readonly pool: RedisPool) {
    const begin = (calls: Record<string, Call>, heard: Set<string>): Promise<void>[] =>
      Object.entries(calls).flatMap(([kind, call]) =>
        [1, 2, 3, 4].map((i) => this.#run(kind, call, `{${kind}${i}}`, heard)),
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

/** So patient that no failover takes longer, however slow the machine is. */
const PATIENT = { maxActive: 6, acquireTimeoutMs: 30_000, outageWaitMs: 30_000, connectTimeoutMs: 30_000 };

type Harm = 'kill' | 'freeze';

/** What callers of a cluster hear whose master fails; and those of one server that is away for as long. */
async function besideOneServer(harm: Harm, options: Omit<PoolOptions, 'redis'>) {
  const server = new TestServer(() => []);
  await server.start();
  onTestFinished(() => server.stop());
  const one = new Callers(server.pool(options));
  const many = new Callers(cluster.pool(options));
  await Promise.all([one.through(3), many.through(3)]);
  const [master] = (await cluster.masters()) as [ClusterNode];
  const replica = await cluster.replicaOf(master);
  await Promise.all([master[harm](), server[harm]()]);
  await until('the replica has taken over', async () => (await replica.info('role')) === 'master');
  if (harm === 'kill') await server.start();
  else server.thaw();
  await Promise.all([one.through(3), many.through(3)]);
  await Promise.all([one.stop(), many.stop()]);
  await cluster.heal();
  return { one: one.heard, many: many.heard };
}

const codes = (heard: Set<string>): string[] => [
  ...new Set([...heard].map((one) => one.split(': ')[1] ?? '')),
];

test.each(['kill', 'freeze'] as const)(
  'after a %s of a master nobody hears more than that a write may have run, as of one server',
  async (harm) => {
    const { one, many } = await besideOneServer(harm, PATIENT);
    for (const { reads, writes } of [one, many]) {
      expect([...reads]).toEqual([]);
      expect(codes(writes).filter((code) => code !== 'POOL_CONNECTION_LOST')).toEqual([]);
    }
  },
);

test.each([
  ['hears of the deadline', { acquireTimeoutMs: 200 }, ['POOL_ACQUIRE_TIMEOUT']],
  [
    'hears that Redis is away',
    { acquireTimeoutMs: 200, outageWaitMs: 200 },
    ['POOL_CONNECT_FAILED', 'POOL_ACQUIRE_TIMEOUT'],
  ],
  ['hears that at once, if that is wanted', { outageWaitMs: 0 }, ['POOL_CONNECT_FAILED']],
])('who waits for less than the failover takes %s, as of one server', async (_, options, may) => {
  const { one, many } = await besideOneServer('kill', { ...PATIENT, ...options });
  for (const { reads, writes } of [one, many]) {
    expect(codes(reads)).toContain(may[0]);
    expect(codes(reads).filter((code) => !may.includes(code))).toEqual([]);
    expect(codes(writes).filter((code) => ![...may, 'POOL_CONNECTION_LOST'].includes(code))).toEqual([]);
  }
});
