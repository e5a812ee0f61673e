import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVENT_NAMES } from '../../src/api/events.ts';
import type { Draw } from '../helpers/pool-callers.ts';
import { deadlinesHold, holdsAlways, holdsAtRest, reaped } from '../helpers/pool-promises.ts';
import { World, WRONGPASS } from '../helpers/pool-world.ts';

/**
 * The same runs for everyone, every time. Others hunt for what these do not find:
 * `MODEL_SEED=$RANDOM MODEL_RUNS=20000 npx vitest run test/core/model.test.ts`.
 */
const { MODEL_RUNS = '300', MODEL_SEED = '20261123' } = process.env;

const draws: fc.Arbitrary<Draw> = fc
  .record({
    maxActive: fc.integer({ min: 1, max: 4 }),
    maxIdleLess: fc.nat({ max: 4 }),
    minIdleLess: fc.nat({ max: 4 }),
    wait: fc.constantFrom(true, true, true, false),
    maxWaiting: fc.constantFrom(0, 1, 2, 1000, 1000),
    maxConnecting: fc.integer({ min: 1, max: 4 }),
    acquireTimeoutMs: fc.constantFrom(50, 500, 3000, 3000),
    outageWaitMs: fc.constantFrom(0, 60, 1000, 5000, Number.POSITIVE_INFINITY),
    connectTimeoutMs: fc.constantFrom(30, 2000),
    idleTimeoutMs: fc.constantFrom(0, 100, 2000, 2000, Number.POSITIVE_INFINITY),
    maxLifetimeMs: fc.constantFrom(1, 100, 5000, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
    reapIntervalMs: fc.constantFrom(20, 1000),
    checkAfterIdleMs: fc.constantFrom(0, 0, 20, 1000, Number.POSITIVE_INFINITY),
    closeMs: fc.constantFrom(0, 0, 5, 100),
    dialMs: fc.constantFrom(0, 0, 10, 300),
    jitter: fc.constantFrom(0, 0.5, 1),
    ownTestMs: fc.constantFrom(undefined, undefined, undefined, 10),
    meddle: fc.option(
      fc.record({
        event: fc.constantFrom(...EVENT_NAMES),
        act: fc.constantFrom('ask' as const, 'release' as const, 'abort' as const, 'clear' as const),
      }),
      { nil: undefined, freq: 2 },
    ),
  })
  .map(({ maxIdleLess, minIdleLess, closeMs, dialMs, jitter, ownTestMs, meddle, ...rest }) => {
    const maxIdle = Math.max(0, rest.maxActive - maxIdleLess);
    const minIdle = Math.max(0, maxIdle - minIdleLess);
    return { options: { ...rest, maxIdle, minIdle }, closeMs, dialMs, jitter, ownTestMs, meddle };
  });

type Act<A> = (world: World, arg: A) => void | Promise<void>;

/** One thing that happens. With `haste`, the next one happens before anything follows from it. */
class Step<A> implements fc.AsyncCommand<World, World> {
  constructor(
    readonly name: string,
    readonly arg: A,
    readonly haste: boolean,
    readonly act: Act<A>,
  ) {}

  check(): boolean {
    return true;
  }

  async run(world: World): Promise<void> {
    await this.act(world, this.arg);
    holdsAlways(world);
    if (this.haste) return;
    await world.settle();
    holdsAtRest(world);
  }

  toString(): string {
    return `${this.name}(${fc.stringify(this.arg)})${this.haste ? ' in haste' : ''}`;
  }
}

const haste = fc.constantFrom(false, false, true);
const step = <A>(name: string, arg: fc.Arbitrary<A>, act: Act<A>): fc.Arbitrary<Step<A>> =>
  fc.tuple(arg, haste).map(([value, hasty]) => new Step(name, value, hasty, act));

/** One of `all`, if there is any. */
const pick = <T>(all: readonly T[], index: number): T | undefined => all[index % all.length];

const nothing = fc.constant(undefined);
const index = fc.nat({ max: 7 });
const timeouts = fc.constantFrom(undefined, undefined, 0, 10, 400, Number.POSITIVE_INFINITY);
const times = fc.oneof(fc.nat({ max: 60 }), fc.constantFrom(100, 500, 1000, 2500, 20_000));

const callers = {
  acquire: step('acquire', timeouts, (world, ms) => world.ask(ms)),
  acquireMany: step('acquire times', fc.integer({ min: 2, max: 6 }), (world, many) => {
    for (let i = 0; i < many; i++) world.ask();
  }),
  /** Several at once, who give back at once: what they leave is idle. */
  warm: step('warm', fc.integer({ min: 2, max: 4 }), async (world, many) => {
    for (let i = 0; i < many; i++) world.ask();
    await world.settle();
    for (const caller of world.holding) world.giveBack(caller, 'release');
  }),
  release: step('release', index, (world, i) => {
    const caller = pick(world.holding, i);
    if (caller) world.giveBack(caller, 'release');
  }),
  destroy: step('destroy', index, (world, i) => {
    const caller = pick(world.holding, i);
    if (caller) world.giveBack(caller, 'destroy');
  }),
  abort: step('abort', index, (world, i) => {
    const caller = pick(world.asking, i);
    if (caller) world.abort(caller);
  }),
  taint: step(
    'taint',
    fc.tuple(index, fc.constantFrom('watch', 'monitor', 'get', 'blpop')),
    (world, [i, how]) => {
      const caller = pick(world.holding, i);
      if (caller) world.taint(caller, how);
    },
  ),
  clear: step('clear', nothing, (world) => world.clear()),
  ready: step('ready', timeouts, (world, ms) => world.ready(ms)),
  close: step('close', fc.constantFrom(0, 40, 3000), (world, graceMs) => world.close(graceMs)),
};

const nature = {
  pass: step('pass', times, async (world, ms) => {
    await world.pass(ms);
    deadlinesHold(world);
    if (ms >= 20_000 && !world.draw.meddle) reaped(world);
  }),
  leap: step('leap', fc.constantFrom(1, 30, 500, 5000), (world, ms) => {
    world.deeds.add('broke'); // a check and its limit are over in one go
    world.redis.clock.leap(ms);
  }),
  dial: step('dial', fc.constantFrom('succeeds', 'succeeds', 'succeeds', 'fails', 'hangs'), (world, how) => {
    world.redis.dial = how;
    if (how === 'fails') world.deeds.add('dial failed');
  }),
  locked: step('lock or unlock', fc.boolean(), (world, locked) => {
    world.redis.dialError = locked ? WRONGPASS : undefined;
  }),
  endDial: step('dial ends', fc.tuple(index, fc.boolean()), (world, [i, good]) => {
    const one = pick(
      world.redis.dials.filter(({ state }) => state === 'dialling'),
      i,
    );
    if (!good) world.deeds.add('dial failed');
    if (good) one?.succeed();
    else one?.fail();
  }),
  die: step('die', index, (world, i) => {
    // One that is being validated closes only when that is over, and may die before anybody has used it.
    if (world.checks > 0) world.doubt();
    world.pace();
    world.deeds.add('broke');
    pick(
      world.redis.dials.filter(({ id, state }) => state === 'open' && world.known.has(id)),
      i,
    )?.die();
  }),
  /** Slow, or for ever. */
  silence: step(
    'fall silent',
    fc.tuple(index, fc.constantFrom(20, Number.POSITIVE_INFINITY)),
    (world, [i, ms]) => {
      world.deeds.add('broke');
      const one = pick(world.unlent, i);
      if (one) one.pingMs = ms;
    },
  ),
  ownTest: step('own test fails', fc.boolean(), (world, fails) => {
    world.deeds.add('broke');
    world.ownTestFails = fails;
  }),
  answer: step('answer', nothing, (world) => {
    for (const one of world.redis.dials) if (one.alive) one.client.answer();
  }),
};

const { close, ...others } = callers;
// What is there twice happens more often.
const anything = [
  ...[...Object.values(others), others.acquire, others.acquire, others.release, others.release],
  ...[...Object.values(nature), nature.pass, nature.pass, nature.endDial, nature.silence],
];
const life = fc.commands(anything, { maxCommands: 80, size: 'max' });
const death = fc.commands([...anything, close, close, close], { maxCommands: 15, size: 'max' });

/** Redis is well again: all who ask are served, and nothing was lost. */
async function recovers(world: World): Promise<void> {
  world.heal();
  world.calm = true;
  for (let i = 0; i < 300 && world.asking.length + world.readies.size + world.holding.length > 0; i++) {
    for (const caller of world.holding) world.giveBack(caller, 'release');
    await world.pass(50);
    holdsAtRest(world);
  }
  expect(world.asking, 'who was never served').toEqual([]);
  await world.pass(5000);
  world.ask(2500);
  await world.pass(2400);
  expect(world.holding.length, 'served when all is well').toBe(1);
  for (const caller of world.holding) world.giveBack(caller, 'release');
  await world.pass(2000);
  holdsAtRest(world);
  const { inUse, idle } = world.pool.stats();
  expect(inUse, 'lost connections').toBe(0);
  expect(world.redis.open).toBe(idle);
  world.calm = false;
}

/** Closes, whatever is going on, and looks at what is left. */
async function ends(world: World): Promise<void> {
  world.close(50);
  await world.settle();
  holdsAtRest(world);
  await world.pass(51 + world.draw.closeMs);
  holdsAtRest(world);
  expect(world.closed, 'close() has resolved').toBe(true);
  for (const caller of world.holding) world.giveBack(caller, 'release');
  world.close(10);
  await world.settle();
  holdsAtRest(world);
}

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

test('whatever happens, the pool keeps its promises', { timeout: 36_000_000 }, async () => {
  const property = fc.asyncProperty(draws, life, death, async (draw, first, second) => {
    const world = new World(draw);
    running = world;
    await fc.asyncModelRun(() => ({ model: world, real: world }), first);
    await recovers(world);
    await fc.asyncModelRun(() => ({ model: world, real: world }), second);
    await ends(world);
  });
  await fc.assert(property, { numRuns: Number(MODEL_RUNS), seed: Number(MODEL_SEED) });
});
