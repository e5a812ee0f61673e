import { readOptions } from '../command.ts';
import { glob } from '../glob.ts';
import { Failure, type Reply } from '../reply.ts';

/** The reply of HSCAN and the like: everything that matches, in one page, as Redis does for small collections. */
export function scanAll(entries: readonly (readonly string[])[], cursor: string, rest: string[]): Reply {
  if (!/^\d+$/.test(cursor)) throw new Failure('ERR invalid cursor');
  const { match = '*' } = readOptions(rest, [], ['match', 'count']);
  const fits = glob(match);
  return ['0', entries.filter(([name = '']) => fits(name)).flat()];
}
