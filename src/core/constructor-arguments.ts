import { invalidOption } from '../api/errors.ts';
import type { PoolOptions } from '../api/options.ts';
import { FOR_CLUSTERS } from '../api/other-words.ts';
import { isTagged } from '../api/plain.ts';
import { readOptions } from '../api/resolve-options.ts';
import type { Dependencies } from './dependencies.ts';

const HANDS: ReadonlySet<string> = new Set<keyof Dependencies>([
  'clock',
  'random',
  'permits',
  'total',
  'connect',
  'ping',
  'watchFailovers',
  'checkMaxClients',
  'events',
]);

/** Reads the constructor's arguments: a URL and options, or options and, for tests and the mock, dependencies. */
export function readArguments(first: unknown, second: unknown): [PoolOptions, Partial<Dependencies>] {
  if (first === undefined || typeof first === 'string') {
    const options = asOptions(second ?? {}); // read here already, since a spread copies own properties only
    if (first === undefined) return [options, {}];
    if (options.redis !== undefined)
      throw invalidOption('Redis was given twice: as a URL, and as option redis');
    return [{ ...options, redis: first }, {}];
  }
  const options = asOptions(first);
  if (second === undefined) return [options, {}];
  if (typeof second === 'object' && second !== null && Object.keys(second).every((name) => HANDS.has(name))) {
    return [options, second];
  }
  throw invalidOption(
    'new Pool() takes a URL and options, or options alone; got options and something besides',
  );
}

function asOptions(given: unknown): PoolOptions {
  const client = typeof given === 'object' && given !== null && 'sendCommand' in given;
  if (typeof given === 'object' && given !== null && !Array.isArray(given) && !isTagged(given) && !client) {
    return readOptions(given);
  }
  const cluster = client && 'isCluster' in given && given.isCluster === true;
  const got = cluster
    ? `a Cluster (${FOR_CLUSTERS})`
    : client
      ? 'a client (it makes its own: createClient)'
      : wordFor(given);
  throw invalidOption(`new Pool() takes a URL, or an object of options; got ${got}`);
}

function wordFor(given: unknown): string {
  if (given === null) return 'null';
  return given instanceof URL ? 'a URL object (give its href)' : typeof given;
}
