import { setImmediate as turn } from 'node:timers/promises';
import { Command, type Redis } from 'ioredis';
import { type Act, type Arg, KEYS, type Step, type Way } from './program.ts';

type Call = (...args: unknown[]) => Promise<unknown>;
type Surface = Record<string, Call>;

/** Does what `program` says on `redis`, and returns what came of each act, in a form that can be compared. */
export async function run(
  redis: Redis,
  lend: (work: (lease: Redis) => Promise<unknown>) => Promise<unknown>,
  program: readonly Act[],
): Promise<unknown[]> {
  const outcomes: Promise<unknown>[] = [];
  for (const act of program) {
    if (act.act === 'tick') await turn();
    else if (act.act === 'settle') await Promise.all(outcomes);
    else if (act.act === 'one') outcomes.push(outcomeOf(one(redis, act.way, act.step)));
    else if (act.act === 'lease') {
      // Another connection: what comes before and after it is waited for.
      await Promise.all(outcomes);
      const all = lend((lease) => Promise.all(act.steps.map((step) => outcomeOf(one(lease, 'call', step)))));
      outcomes.push(all);
      await all;
    } else outcomes.push(outcomeOf(several(redis, act.act, act.steps)));
  }
  return Promise.all(outcomes);
}

/** Makes the argument; bytes are changed again by `scribble`, as soon as the command is made. */
function make(args: readonly Arg[]): { made: unknown[]; scribble: () => void } {
  const made = args.map((arg) => {
    if (typeof arg !== 'object') return arg;
    return 'times' in arg ? 'x'.repeat(arg.times) : Buffer.from(arg.bytes, 'hex');
  });
  return {
    made,
    scribble() {
      for (const one of made) if (Buffer.isBuffer(one)) one.fill('Z');
    },
  };
}

function one(redis: Redis, way: Way, { name, args }: Step): Promise<unknown> {
  const { made, scribble } = make(args);
  const sent = start(redis as unknown as Surface, way, name, made);
  scribble();
  return sent;
}

async function start(redis: Surface, way: Way, name: string, args: unknown[]): Promise<unknown> {
  const known = typeof redis[name] === 'function';
  const method = (called: string): Promise<unknown> => (redis[called] as Call).call(redis, ...args);
  const { call, callBuffer, sendCommand } = redis as Record<'call' | 'callBuffer' | 'sendCommand', Call>;
  if (way === 'buffer' && known) return method(`${name}Buffer`);
  if (way === 'callback' && known) {
    return new Promise((resolve, reject) => {
      const done = (error: unknown, reply: unknown): void => (error ? reject(error) : resolve(reply));
      void (redis[name] as Call).call(redis, ...args, done);
    });
  }
  // Its keys are among the arguments too, where no prefix comes before them.
  if (way === 'script' && !(redis as unknown as Redis).options.keyPrefix)
    return (redis['fuzzed'] as Call).call(redis, ...keysAmong(args), name, ...args);
  if (way === 'command')
    return sendCommand.call(redis, new Command(name, args as never, { replyEncoding: 'utf8' }));
  if (way === 'upper' || way === 'callUpper') return call.call(redis, name.toUpperCase(), ...args);
  if (way === 'callBuffer') return callBuffer.call(redis, name, ...args);
  return known && way === 'method' ? method(name) : call.call(redis, name, ...args);
}

/** How many keys there are, and which, as a script has to be told. */
function keysAmong(args: readonly unknown[]): unknown[] {
  const keys = args.filter((arg) => KEYS.includes(arg as never));
  return [keys.length, ...keys];
}

function several(redis: Redis, kind: 'pipeline' | 'multi', steps: readonly Step[]): Promise<unknown> {
  const group = kind === 'multi' ? redis.multi() : redis.pipeline();
  for (const { name, args } of steps) {
    const { made, scribble } = make(args);
    const surface = group as unknown as Surface;
    if (typeof surface[name] === 'function') void surface[name].call(group, ...made);
    else void (surface['call'] as Call).call(group, name, ...made);
    scribble();
  }
  return group.exec();
}

async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    return comparable(await work);
  } catch (error) {
    return comparable(error);
  }
}

/** A command that failed shows the caller's own bytes, if they were sent as they are; they are scribbled over by now. */
function withoutBytes(command: unknown): unknown {
  const { name, args } = (command ?? {}) as { name?: string; args?: unknown[] };
  if (name === 'eval' || name === 'evalsha') return 'a script'; // the one or the other, as its connection has seen it or not
  return { name, args: args?.map((arg) => (Buffer.isBuffer(arg) ? 'bytes' : arg)) };
}

/** What can be compared: errors by what they say, sets in a fixed order, long texts by their length. */
function comparable(value: unknown): unknown {
  if (value instanceof Error) {
    const { name, message, command, previousErrors } = value as Error &
      Record<'command' | 'previousErrors', unknown>;
    return {
      name,
      message,
      command: comparable(withoutBytes(command)),
      previousErrors: comparable(previousErrors),
    };
  }
  if (Buffer.isBuffer(value)) return `buffer ${comparable(value.toString('latin1'))}`;
  if (typeof value === 'string')
    return value.length > 1000 ? `${value.length} of ${value.slice(0, 9)}` : value;
  if (Array.isArray(value)) return value.map(comparable);
  if (value instanceof Map) return [...value].map(comparable);
  if (value instanceof Set) return [...value].map(comparable);
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, comparable(one)]));
  }
  return value;
}
