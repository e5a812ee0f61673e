import { invalidOption } from '../../api/errors.ts';
import { inOurWords } from '../../api/other-words.ts';
import { kindOf } from '../../api/plain.ts';
import type { RedisPool } from '../../api/redis-pool.ts';
import { checkKeys } from '../../api/spelling.ts';
import { checkRule, countFrom, type Rule, truth } from '../../api/validate.ts';

/** The part of a session that a store reads. */
export interface StoredSession {
  /** When it expires, as the cookie says. */
  readonly cookie?: { readonly expires?: Date | string | null | undefined } | undefined;
}

/** Converts sessions to text or bytes, and back; both methods may return a promise. */
export interface Serializer {
  /** Is given what `stringify` returned, as a string; as a Buffer if it is not valid UTF-8. */
  // biome-ignore lint/suspicious/noExplicitAny: each parser knows which of the two it is given
  parse(stored: any): unknown;
  /** Is given a session, with its cookie as an object. */
  stringify(session: object): string | Uint8Array | PromiseLike<string | Uint8Array>;
}

/** How sessions are stored. A wrong value, or an unknown name, throws `POOL_INVALID_OPTION`. */
export interface SessionOptions {
  /** The prefix of keys, before the session id. Default: `sess:`. */
  readonly prefix?: string | undefined;
  /**
   * How long a session lives whose cookie has no expiry; or a function, which decides for all sessions. Seconds, above
   * 0. Default: 86 400 (one day).
   */
  readonly ttl?: number | ((session: never) => number) | undefined;
  /** Converts sessions to text or bytes, and back. Default: `JSON`. */
  readonly serializer?: Serializer | undefined;
  /** Sessions do not expire. Default: `false`. */
  readonly disableTTL?: boolean | undefined;
  /** A request that only reads does not renew the expiry of its session. Default: `false`. */
  readonly disableTouch?: boolean | undefined;
  /** About how many keys `all`, `ids`, `length` and `clear` scan in one step. From 1. Default: 100. */
  readonly scanCount?: number | undefined;
  /**
   * Most bytes of one session; a longer one is not stored: a RangeError says how long it is. A session is read and
   * written with each request, so a large one is a mistake. From 1, or `Infinity`. Default: 65 536.
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

/** Checks the options of a store, which takes the `known` ones, and fills in the defaults. */
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

/** Hints for options of other stores: a client, where Redis is, or options of a pool. */
const forPool = hints(
  ': a store takes `pool`, which is a pool, or what to make one of: a URL, or its options',
);
const forArgument = hints(': the pool comes first, as in `koaSessionStore(pool, options)`');

/** Whether something is a pool, or a mock of one. */
export function isPool(given: unknown): given is RedisPool {
  return typeof given === 'object' && given !== null && 'acquire' in given && 'redis' in given;
}

/** Returns `given` if it is a pool, else throws `POOL_INVALID_OPTION`; `what` is the function it was passed to. */
export function needPool(what: string, given: unknown): RedisPool {
  if (isPool(given)) return given;
  throw invalidOption(`${what}() takes a pool, as \`new Pool()\` makes one; got ${kindOf(given)}`);
}
