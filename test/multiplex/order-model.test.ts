import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { Connection, ConnectionOwner, Dependencies } from '../../src/core/dependencies.ts';
import { MockPool } from '../../src/integrations/mock/index.ts';
import { settled } from '../helpers/fake-clock.ts';
import { type FakeClient, FakeRedis } from '../helpers/fake-redis.ts';

/** What commands do, said once more: which keys they read and write, and whether it matters for all others. */
interface Kind {
  readonly call: readonly string[];
  readonly reads?: string;
  readonly writes?: string;
  /** It may do anything; or it must come after all that was written before it. */
  readonly scope?: 'all' | 'writers';
  /** Nobody waits for it. */
  readonly blocking?: true;
}

const KINDS: readonly Kind[] = [
  { call: ['get', 'a'], reads: 'a' },
  { call: ['GET', 'b'], reads: 'b' },
  { call: ['strlen', 'c'], reads: 'c' },
  { call: ['mget', 'a', 'c'], reads: 'ac' },
  { call: ['set', 'a'], writes: 'a' },
  { call: ['rpush', 'b'], writes: 'b' },
  { call: ['HSET', 'c', 'f'], writes: 'c' },
  { call: ['del', 'a', 'b'], writes: 'ab' },
  { call: ['eval', 'script', '1', 'c'], writes: 'c' },
  { call: ['eval_ro', 'script', '1', 'a'], reads: 'a' },
  { call: ['eval', 'script', '0'], scope: 'all' },
  { call: ['sort', 'a', 'by', 'w_*'], scope: 'all' },
  { call: ['flushall'], scope: 'all' },
  { call: ['x.unknown'], scope: 'all' },
  { call: ['publish', 'channel'], scope: 'writers' },
  { call: ['dbsize'], scope: 'writers' },
  { call: ['blpop', 'a'], writes: 'a', blocking: true },
];

const shares = (one = '', other = ''): boolean => [...one].some((key) => other.includes(key));
const isWriter = ({ writes, scope }: Kind): boolean => writes !== undefined || scope !== undefined;

/** Whether `first`, given before `second`, must take effect before it. */
function mustPrecede(first: Kind, second: Kind): boolean {
  if (first.blocking) return false;
  if (first.scope === 'all' || second.scope === 'all') return true;
  if (first.scope === 'writers') return isWriter(second);
  if (second.scope === 'writers') return isWriter(first);
  return (
    shares(first.writes, second.writes) ||
    shares(first.writes, second.reads) ||
    shares(first.reads, second.writes)
  );
}

/** Pairs of what was `given` that were `done` in the wrong order. */
function wrongPairs(given: readonly Kind[], done: readonly number[]): string[] {
  const wrong: string[] = [];
  const at = new Map(done.map((id, i) => [id, i]));
  for (const [j, i] of at) {
    for (let earlier = 0; earlier < j; earlier++) {
      const when = at.get(earlier);
      const [first, second] = [given[earlier] as Kind, given[j] as Kind];
      if (when !== undefined && when > i && mustPrecede(first, second)) {
        wrong.push(`${earlier} ${first.call} after ${j} ${second.call}`);
      }
    }
  }
  return wrong;
}

/** Commands as they were given, and the order in which a server that does one at a time, of any connection, did them. */
class World {
  readonly server = new FakeRedis();
  readonly pool = this.server.pool(
    { maxActive: 5, maxLanes: 3, maxInFlight: 2, connectTimeoutMs: 60_000 },
    { connect: (owner) => this.#connect(owner) },
  );
  readonly given: Kind[] = [];
  readonly done: number[] = [];
  readonly failed: string[] = [];
  mostLanes = 0;
  #pending = 0;

  send(kinds: readonly Kind[]): void {
    const redis = this.pool.redis as Redis;
    const calls = kinds.map(({ call }, i): [string, ...string[]] => {
      const [name = '', ...args] = call;
      return [name, ...args, `#${this.given.length + i}`];
    });
    const blocking = kinds.some((one) => one.blocking); // nor does anybody wait for what is with it in a pipeline
    this.given.push(...kinds.map((one) => (blocking ? { ...one, blocking } : one)));
    this.#pending++;
    const first = calls[0] as [string, ...string[]];
    const work =
      calls.length === 1
        ? redis.call(...first)
        : calls.reduce((pipeline, call) => pipeline.call(...call), redis.pipeline()).exec();
    (work as Promise<unknown>)
      .catch(({ code }: { code: string }) => this.failed.push(code))
      .finally(() => this.#pending--);
  }

  /** The server does one command, of the connection that chance picks. */
  async answer(pick: number): Promise<boolean> {
    const busy = this.#clients.filter(({ commandQueue }) => commandQueue.length > 0);
    const item = busy[pick % Math.max(1, busy.length)]?.commandQueue.shift();
    if (item) {
      const marks = item.command.args.map(String).filter((arg) => arg.startsWith('#'));
      this.done.push(Number(marks[0]?.slice(1)));
      item.command.resolve('OK');
    }
    await this.tick();
    return item !== undefined;
  }

  async tick(): Promise<void> {
    await settled();
    this.mostLanes = Math.max(this.mostLanes, this.pool.stats().lanes);
  }

  async finish(): Promise<void> {
    await this.tick();
    for (let i = 0; this.#pending > 0 && i < 10_000; i++) {
      if (!(await this.answer(i))) await this.server.clock.advance(1);
    }
    expect(this.#pending).toBe(0);
    await this.pool.close({ graceMs: 0 });
  }

  /** Pairs of commands that the server did in the wrong order. */
  get wrong(): string[] {
    return wrongPairs(this.given, this.done);
  }

  get #clients(): FakeClient[] {
    return this.server.dials.filter(({ state }) => state === 'open').map(({ client }) => client);
  }

  /** Replies are held from the first. */
  #connect(owner: ConnectionOwner): Connection {
    const connection = (this.server.deps.connect as Dependencies['connect'])(owner);
    (connection.client as FakeClient).holdReplies = true;
    return connection;
  }
}

type Step =
  | { readonly does: 'send'; readonly kinds: readonly number[] }
  | { readonly does: 'answer' | 'die'; readonly pick: number }
  | { readonly does: 'tick' | 'clear' | 'wait' };

const kind = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 9 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: KINDS.length - 1 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ does: fc.constant('send' as const), kinds: fc.tuple(kind) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('send' as const),
      kinds: fc.array(kind, { minLength: 2, maxLength: 5 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ does: fc.constant('answer' as const), pick: fc.nat(9) }) },
  { weight: 6, arbitrary: fc.constant({ does: 'tick' as const }) },
  { weight: 1, arbitrary: fc.constant({ does: 'clear' as const }) },
  { weight: 1, arbitrary: fc.constant({ does: 'wait' as const }) },
);

async function play(
  steps: readonly Step[],
  more: (world: World, step: Step) => void = () => {},
): Promise<World> {
  const world = new World();
  // Connections that are there, so that lanes come at once.
  const leases = await Promise.all(Array.from({ length: 5 }, () => world.pool.acquire()));
  for (const lease of leases) lease.release();
  await world.tick();
  for (const one of steps) {
    if (one.does === 'send') world.send(one.kinds.map((i) => KINDS[i] as Kind));
    else if (one.does === 'answer') await world.answer(one.pick);
    else if (one.does === 'tick') await world.tick();
    else if (one.does === 'clear') world.pool.clear();
    else if (one.does === 'wait') await world.server.clock.advance(3);
    more(world, one);
  }
  await world.finish();
  return world;
}

test('whatever lanes there are, commands take effect in the order that one client keeps, and none is left', async () => {
  let mostLanes = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 80 }), async (steps) => {
      const world = await play(steps);
      mostLanes = Math.max(mostLanes, world.mostLanes);
      expect(world.failed).toEqual([]);
      expect(world.done).toHaveLength(world.given.length);
      expect(world.wrong).toEqual([]);
    }),
    { numRuns: 400 },
  );
  expect(mostLanes).toBe(3); // or nothing was tried
}, 60_000);

test('what is sent again after its connection was lost keeps that order too', async () => {
  const lossy = fc.oneof(
    { weight: 20, arbitrary: step },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('die' as const), pick: fc.nat(9) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(lossy, { minLength: 5, maxLength: 80 }), async (steps) => {
      const world = await play(steps, ({ server }, one) => {
        const open = server.dials.filter(({ state }) => state === 'open');
        if (one.does === 'die') open[one.pick % Math.max(1, open.length)]?.die();
      });
      expect(world.wrong).toEqual([]);
    }),
    { numRuns: 200 },
  );
}, 60_000);

/** A server that refuses now and then to run a command, for the time being. */
class Refusing {
  readonly mock = new MockPool({ maxActive: 5, maxLanes: 3, maxInFlight: 4 });
  readonly given: Kind[] = [];
  readonly done: number[] = [];
  readonly failed: string[] = [];
  readonly #refusals: readonly boolean[];
  #turn = 0;
  #pending = 0;
  refused = 0;
  over = false;

  constructor(refusals: readonly boolean[]) {
    this.#refusals = refusals;
    for (const { call } of KINDS) {
      this.mock.reply(call[0] as string, (...args) => {
        if (this.#refuses()) return new Error('LOADING it is not the time');
        this.done.push(Number(args.find((arg) => arg.startsWith('#'))?.slice(1)));
        return 'OK';
      });
    }
  }

  send(kinds: readonly Kind[]): void {
    const { redis } = this.mock;
    const pipeline = redis.pipeline();
    const single = kinds.length === 1;
    for (const kind of kinds) {
      const [name = '', ...args] = [...kind.call, `#${this.given.length}`];
      this.given.push(kind);
      this.#pending++;
      const settled = (error?: Error | null): void => {
        this.#pending--;
        if (error) this.failed.push(error.message);
      };
      if (single) redis.call(name, ...args).then(() => settled(), settled);
      else pipeline.call(name, ...args, settled as never);
    }
    if (!single) void pipeline.exec();
  }

  async finish(): Promise<void> {
    this.over = true;
    for (let i = 0; this.#pending > 0 && i < 200; i++) await this.mock.advance(50);
    expect(this.#pending).toBe(0);
    expect(this.mock.stats()).toMatchObject({ queuedCommands: 0, inFlight: 0, waiting: 0 });
    await this.mock.close({ graceMs: 0 });
  }

  #refuses(): boolean {
    const refuses = !this.over && this.#refusals[this.#turn++ % this.#refusals.length] === true;
    if (refuses) this.refused++;
    return refuses;
  }
}

test('what was answered, did not run, and is sent again keeps that order too, and runs once', async () => {
  let [refused, failed] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 60 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
      async (steps, refusals) => {
        const world = new Refusing(refusals);
        for (const one of steps) {
          // Who blocks, and waits for nobody, is another matter.
          if (one.does === 'send')
            world.send(one.kinds.map((i) => KINDS[i] as Kind).filter((kind) => !kind.blocking));
          else if (one.does === 'clear') world.mock.clear();
          else if (one.does === 'wait') await world.mock.advance(60);
          else await world.mock.advance(0);
        }
        await world.finish();
        expect(wrongPairs(world.given, world.done)).toEqual([]);
        expect(new Set(world.done).size).toBe(world.done.length);
        expect(world.done.length + world.failed.length).toBe(world.given.length);
        expect(world.failed.filter((message) => !message.startsWith('LOADING'))).toEqual([]);
        refused += world.refused;
        failed += world.failed.length;
      },
    ),
    { numRuns: 150 },
  );
  expect(failed).toBeLessThan(refused / 2); // or nothing was tried
}, 60_000);
