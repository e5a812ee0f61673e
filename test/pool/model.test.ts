import fc from 'fast-check';
import { afterAll, beforeAll, test } from 'vitest';
import { type Draw, World } from '../helpers/pool-world.ts';

/** More runs hunt for what the usual ones do not find: `MODEL_RUNS=20000 npx vitest run test/pool/model.test.ts`. */
const { MODEL_RUNS: numRuns = 300 } = process.env;

const draws: fc.Arbitrary<Draw> = fc
  .record({
    maxActive: fc.integer({ min: 1, max: 4 }),
    maxIdleLess: fc.nat({ max: 4 }),
    minIdleLess: fc.nat({ max: 4 }),
    wait: fc.constantFrom(true, true, true, false),
    maxWaiting: fc.constantFrom(0, 1, 2, 5, 1000),
    maxConnecting: fc.integer({ min: 1, max: 4 }),
    acquireTimeoutMs: fc.constantFrom(50, 500, 3000),
    connectTimeoutMs: fc.constantFrom(30, 2000),
    idleTimeoutMs: fc.constantFrom(0, 100, 2000, Number.POSITIVE_INFINITY),
    maxLifetimeMs: fc.constantFrom(100, 5000, Number.POSITIVE_INFINITY),
    reapIntervalMs: fc.constantFrom(20, 1000),
    checkAfterIdleMs: fc.constantFrom(0, 20, 1000, Number.POSITIVE_INFINITY),
    closeMs: fc.constantFrom(0, 0, 5, 100),
    dialMs: fc.constantFrom(0, 0, 10, 300),
    jitter: fc.constantFrom(0, 0.5, 1),
    ownTestMs: fc.constantFrom(undefined, undefined, undefined, 10),
  })
  .map(({ maxIdleLess, minIdleLess, closeMs, dialMs, jitter, ownTestMs, ...rest }) => {
    const maxIdle = Math.max(0, rest.maxActive - maxIdleLess);
    const minIdle = Math.max(0, maxIdle - minIdleLess);
    return { options: { ...rest, maxIdle, minIdle }, closeMs, dialMs, jitter, ownTestMs };
  });

type Act<A> = (world: World, arg: A) => void | Promise<void>;

/** One thing that happens. `hastily`: the next one happens before anything follows from it. */
class Step<A> implements fc.AsyncCommand<World, World> {
  constructor(
    readonly name: string,
    readonly arg: A,
    readonly hastily: boolean,
    readonly act: Act<A>,
  ) {}

  check(): boolean {
    return true;
  }

  async run(world: World): Promise<void> {
    await this.act(world, this.arg);
    world.verify();
    if (this.hastily) return;
    await world.settle();
    world.verifySettled();
  }

  toString(): string {
    return `${this.name}(${fc.stringify(this.arg)})${this.hastily ? '+' : ''}`;
  }
}

const hastily = fc.constantFrom(false, false, true);
const step = <A>(name: string, arg: fc.Arbitrary<A>, act: Act<A>): fc.Arbitrary<Step<A>> =>
  fc.tuple(arg, hastily).map(([value, haste]) => new Step(name, value, haste, act));

/** One of `all`, if there is any. */
const pick = <T>(all: readonly T[], index: number): T | undefined => all[index % all.length];

const nothing = fc.constant(undefined);
const index = fc.nat({ max: 7 });

const acquire = step(
  'acquire',
  fc.constantFrom(undefined, undefined, 0, 10, 400, Number.POSITIVE_INFINITY),
  (world, ms) => world.ask(ms),
);
const acquireMany = step('acquire times', fc.integer({ min: 2, max: 6 }), (world, times) => {
  for (let i = 0; i < times; i++) world.ask();
});
const giveBack = step(
  'give back',
  fc.tuple(index, fc.constantFrom('release', 'release', 'destroy')),
  (world, [i, how]) => {
    const caller = pick(world.holding, i);
    if (caller) world.giveBack(caller, how as 'release' | 'destroy');
  },
);
const abort = step('abort', index, (world, i) => {
  const caller = pick(world.asking, i);
  if (caller) world.abort(caller);
});
const pass = step(
  'pass',
  fc.oneof(fc.nat({ max: 60 }), fc.constantFrom(100, 500, 1000, 2500, 20_000)),
  async (world, ms) => {
    await world.redis.clock.advance(ms);
    await world.settle();
    world.verifyDeadlines();
  },
);
const leap = step('leap', fc.constantFrom(1, 30, 500, 5000), (world, ms) => {
  world.done.add('broke'); // a check and its limit are over in one go
  world.redis.clock.leap(ms);
});
const dial = step('dial', fc.constantFrom('succeeds', 'succeeds', 'fails', 'hangs'), (world, how) => {
  world.redis.dial = how as 'succeeds' | 'fails' | 'hangs';
  if (how === 'fails') world.done.add('dial failed');
});
const endDial = step('dial ends', fc.tuple(index, fc.boolean()), (world, [i, good]) => {
  const one = pick(
    world.redis.dials.filter(({ state }) => state === 'dialling'),
    i,
  );
  if (!good && one) world.done.add('dial failed');
  if (good) one?.succeed();
  else one?.fail();
});
const die = step('die', index, (world, i) => {
  world.done.add('broke');
  pick(
    world.redis.dials.filter((one) => one.state === 'open' && world.known.has(one.id)),
    i,
  )?.die();
});
const silence = step('silence', index, (world, i) => {
  const one = pick(
    world.redis.dials.filter(({ state }) => state === 'open'),
    i,
  );
  world.done.add('broke');
  if (one) one.pingMs = Number.POSITIVE_INFINITY;
});
const ownTest = step('own test', fc.boolean(), (world, fails) => {
  world.done.add('broke');
  world.ownTestFails = fails;
});
const taint = step(
  'taint',
  fc.tuple(index, fc.constantFrom('watch', 'dirty', 'owed', 'blocked')),
  (world, [i, how]) => {
    const caller = pick(world.holding, i);
    if (caller) world.taint(caller, how);
  },
);
const answer = step('answer', nothing, (world) => {
  for (const one of world.redis.dials) if (one.state === 'open') one.client.answer();
});
const clear = step('clear', nothing, (world) => world.clear());
const ready = step('ready', nothing, (world) => world.ready());
const close = step('close', fc.constantFrom(0, 40, 3000), (world, graceMs) => world.close(graceMs));

const anything = [
  acquire,
  acquire,
  acquireMany,
  giveBack,
  giveBack,
  giveBack,
  abort,
  pass,
  pass,
  leap,
  dial,
  endDial,
];
const rarer = [die, silence, ownTest, taint, answer, clear, ready];
const steps = fc.commands([...anything, ...rarer], { maxCommands: 50, size: 'max' });
const last = fc.commands([...anything, ...rarer, close, close], { maxCommands: 15, size: 'max' });

let running: World | undefined;
const unhandled = (error: unknown): void => void running?.bugs.push(`unhandled: ${String(error)}`);
const warned = ({ name, message }: Error): void => {
  if (name === 'PoolWarning') running?.bugs.push(`warned: ${message}`);
};
beforeAll(() => {
  process.on('unhandledRejection', unhandled);
  process.on('warning', warned);
});
afterAll(() => {
  process.off('unhandledRejection', unhandled);
  process.off('warning', warned);
});

test('whatever happens, the pool keeps its promises', { timeout: 3_600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(draws, steps, last, async (draw, first, second) => {
      const world = new World(draw);
      running = world;
      await fc.asyncModelRun(() => ({ model: world, real: world }), first);
      await world.recover();
      await fc.asyncModelRun(() => ({ model: world, real: world }), second);
      await world.end();
    }),
    { numRuns: Number(numRuns) },
  );
});
