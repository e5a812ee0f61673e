import { invalidOption } from '../../api/errors.ts';
import { inOurWords } from '../../api/other-words.ts';
import { kindOf } from '../../api/plain.ts';
import type { RedisPool } from '../../api/redis-pool.ts';
import { checkKeys } from '../../api/spelling.ts';
import { checkRule, countFrom, type Rule, truth } from '../../api/validate.ts';

/** As much of a session as a store looks at. */
export interface StoredSession {
  readonly cookie?: { readonly expires?: Date | string | null | undefined } | undefined;
}

/** Turns sessions into text or bytes, and back; either may return a promise. */
export interface Serializer {
  /** Is given what `stringify` made: a string; or a Buffer, where that was bytes that are no text (UTF-8). */
  // biome-ignore lint/suspicious/noExplicitAny: each parser knows which of the two it is given
  parse(stored: any): unknown;
  stringify(session: object): string | Uint8Array | PromiseLike<string | Uint8Array>;
}

/** How sessions are kept. A wrong value, or an unknown name, throws `POOL_INVALID_OPTION`. */
export interface SessionOptions {
  /** Before every session id, in the names of keys. Default `sess:`. */
  readonly prefix?: string | undefined;
  /**
   * Seconds that a session lives whose cookie has no end of its own; or a function, which decides for all. Default one
   * day: 86 400.
   */
  readonly ttl?: number | ((session: never) => number) | undefined;
  /** Default `JSON`. */
  readonly serializer?: Serializer | undefined;
  /** Sessions do not expire. Default `false`. */
  readonly disableTTL?: boolean | undefined;
  /** A request that only reads does not make its session live on. Default `false`. */
  readonly disableTouch?: boolean | undefined;
  /** About how many keys `all`, `ids`, `length` and `clear` look at in one step. From 1; default 100. */
  readonly scanCount?: number | undefined;
  /**
   * Most bytes of one session; a longer one is not stored, and the error says how long it is. A session is read and
   * written with each request, so a large one is a mistake. From 1, or `Infinity`; default 65 536.
   */
  readonly maxLength?: number | undefined;
}

/** Options with every default filled in. */
export type ResolvedSessionOptions = Readonly<{
  [K in keyof SessionOptions]-?: Exclude<SessionOptions[K], undefined>;
}>;

const DEFAULTS: ResolvedSessionOptions = Object.freeze({
  prefix: 'sess:',
  ttl: 86_400,
  serializer: JSON as Serializer,
  disableTTL: false,
  disableTouch: false,
  scanCount: 100,
  maxLength: 65_536,
});

const RULES: Readonly<Record<keyof SessionOptions, Rule>> = {
  prefix: (value) => (typeof value === 'string' ? undefined : 'a string'),
  ttl: (value) =>
    typeof value === 'function' || (Number.isFinite(value) && (value as number) > 0)
      ? undefined
      : 'a number of seconds above 0, or a function',
  serializer: (value) => {
    const { parse, stringify } = Object(value);
    const fits = typeof parse === 'function' && typeof stringify === 'function';
    return fits ? undefined : 'an object with parse and stringify';
  },
  disableTTL: truth,
  disableTouch: truth,
  scanCount: countFrom(1),
  maxLength: (value) => {
    const allowed = countFrom(1)(value);
    return allowed && value !== Number.POSITIVE_INFINITY ? `${allowed}, or Infinity` : undefined;
  },
};

/** All names of {@link SessionOptions}. */
export const SESSION_OPTIONS = Object.keys(RULES);

/** Checks and completes what a store was given, of which it takes the `known` options. */
export function resolveSessionOptions(
  given: SessionOptions,
  known: readonly string[],
): ResolvedSessionOptions {
  checkKeys('option', given, known, known.includes('pool') ? forPool : forArgument);
  const options: Record<string, unknown> = { ...DEFAULTS };
  for (const [option, rule] of Object.entries(RULES)) {
    const value = given[option as keyof SessionOptions];
    if (value === undefined) continue;
    checkRule(option, value, rule);
    options[option] = value;
  }
  return Object.freeze(options) as unknown as ResolvedSessionOptions;
}

const hints =
  (pool: string) =>
  (name: string, all: readonly string[]): string | undefined => {
    if (/^(max_?age|expires?|expiration)$/i.test(name)) return ', did you mean `ttl`?';
    if (/^key_?prefix$/i.test(name)) return ', did you mean `prefix`?';
    return /^(client|redis|redisClient|pool)$/i.test(name) || inOurWords(name, all) ? pool : undefined;
  };

/** Other stores are given a client, or where Redis is; or what their pool is to be like. */
const forPool = hints(
  ': a store takes `pool`, which is a pool, or what to make one of: a URL, or its options',
);
const forArgument = hints(': the pool comes first, as in `koaSessionStore(pool, options)`');

/** Whether something is a pool, or a mock of one. */
export function isPool(given: unknown): given is RedisPool {
  return typeof given === 'object' && given !== null && 'acquire' in given && 'redis' in given;
}

/** The pool that `what` is given; throws `POOL_INVALID_OPTION` if that is something else. */
export function needPool(what: string, given: unknown): RedisPool {
  if (isPool(given)) return given;
  throw invalidOption(`${what}() takes a pool, as \`new Pool()\` makes one; got ${kindOf(given)}`);
}
