import { atLeast, type Command, type Context, readOptions, syntaxError, toFloat, toInt } from '../command.ts';
import { Failure, type Reply } from '../reply.ts';
import { inOrder, type Member, membersTold, readScores, storeMembers } from './zset.ts';

type Scores = ReadonlyMap<string, number>;
type Aggregate = (a: number, b: number) => number;
type Combine = (sets: readonly Scores[], aggregate: Aggregate) => Map<string, number>;

/** Opposite infinities, and an infinity without weight, are 0. */
const orZero = (score: number): number => (Number.isNaN(score) ? 0 : score);

const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  sum: (a, b) => orZero(a + b),
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
};

const union: Combine = (sets, aggregate) => {
  const scores = new Map<string, number>();
  for (const [name, score] of sets.flatMap((one) => [...one])) {
    const before = scores.get(name);
    scores.set(name, before === undefined ? score : aggregate(before, score));
  }
  return scores;
};

const intersection: Combine = (sets, aggregate) =>
  new Map([...union(sets, aggregate)].filter(([name]) => sets.every((one) => one.has(name))));

const difference: Combine = ([first = new Map<string, number>(), ...others]) =>
  new Map([...first].filter(([name]) => !others.some((one) => one.has(name))));

/** A sorted set; or a set, whose members have the score 1. */
function scoresOf(context: Context, key: string): Scores {
  if (context.db.kindOf(key) !== 'set') return readScores(context, key);
  return new Map([...(context.db.get('set', key) ?? [])].map((name) => [name, 1]));
}

interface Inputs {
  readonly keys: readonly string[];
  readonly weights: readonly number[] | undefined;
  readonly aggregate: Aggregate;
  readonly withScores: boolean;
}

interface Kind {
  readonly name: string;
  readonly weighted: boolean;
  readonly stored: boolean;
}

/** The keys that follow their number, and what comes after them. */
function takeInputs(name: string, [text = '', ...args]: readonly string[]): [keys: string[], rest: string[]] {
  const count = toInt(text);
  if (count < 1) throw new Failure(`ERR at least 1 input key is needed for '${name}' command`);
  if (count > args.length) throw syntaxError();
  return [args.slice(0, count), args.slice(count)];
}

function readInputs({ name, weighted, stored }: Kind, args: readonly string[]): Inputs {
  const [keys, rest] = takeInputs(name, args);
  let weights: number[] | undefined;
  const at = rest.findIndex((one) => one.toLowerCase() === 'weights');
  if (at >= 0 && weighted) {
    const texts = rest.splice(at, 1 + keys.length).slice(1);
    if (texts.length < keys.length) throw syntaxError();
    weights = texts.map((one) => toFloat(one, 'ERR weight value is not a float'));
  }
  const options: { withscores?: true; aggregate?: string } = readOptions(
    rest,
    stored ? [] : ['withscores'],
    weighted ? ['aggregate'] : [],
  );
  const word = options.aggregate?.toLowerCase() ?? 'sum';
  const aggregate = Object.hasOwn(AGGREGATES, word) ? AGGREGATES[word] : undefined;
  if (aggregate === undefined) throw syntaxError();
  return { keys, weights, aggregate, withScores: options.withscores ?? false };
}

function combined(context: Context, combine: Combine, { keys, weights, aggregate }: Inputs): Member[] {
  const sets = keys.map((key, i): Scores => {
    const weight = weights?.[i] ?? 1;
    return new Map([...scoresOf(context, key)].map(([name, score]) => [name, orZero(score * weight)]));
  });
  return inOrder(combine(sets, aggregate));
}

/** A command and its twin that stores, such as ZUNION and ZUNIONSTORE. */
function both(name: string, combine: Combine, weighted: boolean): Record<string, Command> {
  const stored = `${name}store`;
  return {
    [name]: atLeast(2, (context, ...args) => {
      const inputs = readInputs({ name, weighted, stored: false }, args);
      return membersTold(combined(context, combine, inputs), inputs.withScores, context);
    }),
    [stored]: atLeast(3, (context, target, ...args) => {
      const inputs = readInputs({ name: stored, weighted, stored: true }, args);
      return storeMembers(context, target, combined(context, combine, inputs));
    }),
  };
}

function countShared(context: Context, ...args: string[]): Reply {
  const [keys, rest] = takeInputs('zintercard', args);
  const { limit = '0' } = readOptions(rest, [], ['limit']);
  const most = /^\d+$/.test(limit) ? toInt(limit) : -1;
  if (most < 0) throw new Failure("ERR LIMIT can't be negative");
  const { size } = intersection(
    keys.map((key) => scoresOf(context, key)),
    Math.min,
  );
  return most === 0 ? size : Math.min(most, size);
}

export const sortedSetCombining: Readonly<Record<string, Command>> = {
  ...both('zunion', union, true),
  ...both('zinter', intersection, true),
  ...both('zdiff', difference, false),
  zintercard: atLeast(2, countShared),
};
