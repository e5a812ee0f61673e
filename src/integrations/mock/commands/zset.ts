import { type Context, toFloat } from '../command.ts';
import { Failure, type Reply, Score } from '../reply.ts';

export type Member = readonly [name: string, score: number];

export function readScores({ db }: Context, key: string): ReadonlyMap<string, number> {
  return db.get('zset', key) ?? new Map();
}

/** By score, and by name where scores are equal. */
export function inOrder(members: Iterable<Member>): Member[] {
  return [...members].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
}

export function sorted(context: Context, key: string): Member[] {
  return inOrder(readScores(context, key));
}

export type Fits = (member: Member) => boolean;

/** Makes a predicate for scores from `min` to `max`; a `(` before one excludes it. */
export function between(min: string, max: string): Fits {
  const read = (text: string): [number, boolean] => [
    toFloat(text.replace(/^\(/, ''), 'ERR min or max is not a float'),
    text.startsWith('('),
  ];
  const [least, above] = read(min);
  const [most, below] = read(max);
  return ([, score]) => (above ? score > least : score >= least) && (below ? score < most : score <= most);
}

/** Makes a predicate for names from `min` to `max`: `[a` includes it, `(a` does not, `-` and `+` are the ends. */
export function betweenNames(min: string, max: string): Fits {
  for (const one of [min, max]) {
    if (!/^([-+]$|[[(])/.test(one)) throw new Failure('ERR min or max not valid string range item');
  }
  const above: Fits = ([name]) => {
    if (min === '-' || min === '+') return min === '-';
    return min.startsWith('[') ? name >= min.slice(1) : name > min.slice(1);
  };
  const below: Fits = ([name]) => {
    if (max === '-' || max === '+') return max === '+';
    return max.startsWith('[') ? name <= max.slice(1) : name < max.slice(1);
  };
  return (member) => above(member) && below(member);
}

export function membersTold(members: readonly Member[], withScores: boolean, { client }: Context): Reply {
  if (!withScores) return members.map(([name]) => name);
  const pairs = members.map(([name, score]): [Reply, Reply] => [name, new Score(score)]);
  return client.protocol === 3 ? pairs : pairs.flat();
}

/** Removes members from a set, and returns how many. */
export function removeMembers({ db }: Context, key: string, names: readonly string[]): number {
  const set = db.get('zset', key);
  const gone = set ? names.filter((name) => set.delete(name)).length : 0;
  if (gone > 0) db.changed(key);
  return gone;
}

/** Stores members under `key` in place of what was there, and returns how many. */
export function storeMembers({ db }: Context, key: string, members: readonly Member[]): number {
  if (members.length > 0) db.set('zset', key, new Map(members));
  else db.delete(key);
  return members.length;
}
