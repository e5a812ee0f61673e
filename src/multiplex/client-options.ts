import { isDeepStrictEqual } from 'node:util';
import type { RedisOptions } from 'ioredis';
import { invalidOption } from '../api/errors.ts';

/** Options that select the server, the user, the db and the protocol: a view of the pool cannot change them. */
const FIXED: readonly (keyof RedisOptions)[] = [
  ...(['host', 'port', 'path', 'db', 'username', 'password', 'tls'] as const),
  ...(['sentinels', 'name', 'Connector', 'stringNumbers'] as const),
  ...(['protocol', 'replyMapping'] as string[] as (keyof RedisOptions)[]), // ioredis 5 has neither
];

/** Throws if a duplicate with these options would need a connection of its own. */
export function checkOverride(override: RedisOptions, options: RedisOptions): void {
  for (const name of FIXED) {
    if (override[name] === undefined || isDeepStrictEqual(override[name], options[name])) continue;
    throw invalidOption(
      `duplicate() gives another view of the same pool, and cannot change ${name}: make another pool`,
    );
  }
}

/** Options that make a client act in its constructor. */
const SPOKEN = ['scripts', 'sentinels', 'Connector'] as const;

/** The options in `given` that act in the constructor. */
export function visibleOptions(given: RedisOptions): RedisOptions {
  return Object.fromEntries(SPOKEN.flatMap((name) => (given[name] ? [[name, given[name]]] : [])));
}

/** Options for a client that neither connects nor sends by itself. */
export function inertOptions(given: RedisOptions): RedisOptions {
  const { scripts, sentinels, Connector, ...rest } = given;
  return {
    ...rest,
    himportFieldsets: undefined,
    lazyConnect: true,
    enableAutoPipelining: false,
  } as RedisOptions;
}
