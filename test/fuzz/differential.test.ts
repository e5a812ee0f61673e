import fc from 'fast-check';
import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { Middle } from '../helpers/middle.ts';
import { newClient, testPool, useServer } from '../helpers/redis.ts';
import { type Act, program } from './program.ts';
import { run } from './run.ts';

/** `npm run fuzz -- 5000 [seed]` does more of it. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 40);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);

// TACK is APPEND under a name that no client knows.
const server = useServer(['--rename-command', 'APPEND', 'TACK', '--save', '']);
const SCRIPT = 'return redis.pcall(unpack(ARGV))';

/** ioredis 5 knows RESP2 alone. */
const isFive = !('protocol' in new Redis({ lazyConnect: true }).options);

const SHAPES: { readonly what: string; readonly redis: RedisOptions }[] = [
  { what: 'as it is', redis: {} },
  { what: 'with a keyPrefix', redis: { keyPrefix: 'p:' } },
  { what: 'with strings for numbers', redis: { stringNumbers: true } },
  ...(isFive
    ? []
    : [
        { what: 'over RESP2', redis: { protocol: 2 } as RedisOptions },
        { what: 'with replies as RESP3 has them', redis: { replyMapping: 'resp3' } as RedisOptions },
      ]),
];

/** What comes back comes in pieces that end anywhere. */
let proxy: Middle;
beforeAll(async () => {
  proxy = await Middle.open(server.port);
  proxy.inPieces = () => 1 + Math.floor(Math.random() ** 3 * 65_536);
});
afterAll(() => proxy.close());

test.each(SHAPES)(
  'pool.redis and leases answer as a bare client does, $what',
  async ({ redis }) => {
    const bare = newClient({ port: server.port, db: 0, ...redis });
    onTestFinished(() => bare.disconnect());
    const pool = testPool({ redis: { port: proxy.port, db: 1, ...redis }, maxActive: 6 });
    const whole = newClient({ port: server.port, db: 1 });
    onTestFinished(() => whole.disconnect());
    for (const one of [bare, pool.redis]) one.defineCommand('fuzzed', { lua: SCRIPT });
    const same = async (acts: Act[]): Promise<void> => {
      for (const db of [0, 1]) {
        await whole.select(db);
        await whole.flushdb();
      }
      const expected = await run(bare, (work) => work(bare), acts);
      const got = await run(pool.redis, (work) => pool.use((lease) => work(lease as unknown as Redis)), acts);
      expect(got).toEqual(expected);
      expect(await content(whole, 1)).toEqual(await content(whole, 0));
    };
    await fc.assert(fc.asyncProperty(program, same), { numRuns: RUNS, seed: SEED, endOnFailure: false });
  },
  3_600_000,
);

/** Every key of a db with all that it holds. */
async function content(redis: Redis, db: number): Promise<unknown> {
  await redis.select(db);
  const keys = (await redis.keys('*')).sort();
  return Promise.all(keys.map(async (key) => [key, (await redis.dumpBuffer(key))?.toString('latin1')]));
}
