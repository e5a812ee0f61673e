import { isDeepStrictEqual } from 'node:util';
import type { RedisOptions } from 'ioredis';
import { invalidOption } from '../api/errors.ts';
import { KNOWN_COMMAND } from '../ioredis/internals.ts';

/** What says where and as whom a client connects, and in which words: a view of the pool cannot change it. */
const FIXED: readonly (keyof RedisOptions)[] = [
  ...(['host', 'port', 'path', 'db', 'username', 'password', 'tls'] as const),
  ...(['sentinels', 'name', 'Connector', 'stringNumbers'] as const),
  ...(['protocol', 'replyMapping'] as string[] as (keyof RedisOptions)[]), // ioredis 5 has none of them
];

/** Throws if a duplicate would have to be on another connection. */
export function checkOverride(override: RedisOptions, options: RedisOptions): void {
  for (const name of FIXED) {
    if (override[name] === undefined || isDeepStrictEqual(override[name], options[name])) continue;
    throw invalidOption(
      `duplicate() gives another view of the same pool, and cannot change ${name}: make another pool`,
    );
  }
}

/** Whether commands need nothing that a {@link SharedCommand} has not. */
export function canUseLeanCommands({
  keyPrefix,
  showFriendlyErrorStack,
  commandTimeout,
}: RedisOptions): boolean {
  return KNOWN_COMMAND && !keyPrefix && !showFriendlyErrorStack && commandTimeout === undefined;
}

/** Options that have a client do something in its constructor. */
const SPOKEN = ['scripts', 'sentinels', 'Connector'] as const;

/** Those of `given`. */
export function visibleOptions(given: RedisOptions): RedisOptions {
  return Object.fromEntries(SPOKEN.flatMap((name) => (given[name] ? [[name, given[name]]] : [])));
}

/** The options of a client that neither connects nor sends by itself. */
export function inertOptions(given: RedisOptions): RedisOptions {
  const { scripts, sentinels, Connector, ...rest } = given;
  return {
    ...rest,
    himportFieldsets: undefined,
    lazyConnect: true,
    enableAutoPipelining: false,
  } as RedisOptions;
}
