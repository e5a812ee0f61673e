import { inspect } from 'node:util';
import { invalidOption } from '../errors.ts';
import { checkKeys } from '../spelling.ts';

/** As much of a session as a store looks at. */
export interface StoredSession {
  readonly cookie?: { readonly expires?: Date | string | null | undefined } | undefined;
}

/** Turns sessions into text and back; either may return a promise. */
export interface Serializer {
  parse(text: string): unknown;
  stringify(session: object): string | PromiseLike<string>;
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

type Rule = readonly [allowed: string, test: (value: unknown) => boolean];

const isBoolean: Rule = ['true or false', (value) => typeof value === 'boolean'];
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1;
const RULES: Readonly<Record<keyof SessionOptions, Rule>> = {
  prefix: ['a string', (value) => typeof value === 'string'],
  ttl: [
    'a number of seconds above 0, or a function',
    (value) => typeof value === 'function' || (Number.isFinite(value) && (value as number) > 0),
  ],
  serializer: [
    'an object with parse and stringify',
    (value) => {
      const { parse, stringify } = Object(value);
      return typeof parse === 'function' && typeof stringify === 'function';
    },
  ],
  disableTTL: isBoolean,
  disableTouch: isBoolean,
  scanCount: ['an integer of at least 1', isCount],
  maxLength: [
    'an integer of at least 1, or Infinity',
    (value) => isCount(value) || value === Number.POSITIVE_INFINITY,
  ],
};

/** All names of {@link SessionOptions}. */
export const SESSION_OPTIONS = Object.keys(RULES);

/** Checks and completes what a store was given, of which it takes the `known` options. */
export function resolveSessionOptions(
  given: SessionOptions,
  known: readonly string[],
): ResolvedSessionOptions {
  checkKeys('option', given, known);
  const options: Record<string, unknown> = { ...DEFAULTS };
  for (const [option, [allowed, test]] of Object.entries(RULES)) {
    const value = given[option as keyof SessionOptions];
    if (value === undefined) continue;
    if (!test(value)) throw invalidOption(`option ${option} must be ${allowed}, got ${inspect(value)}`);
    options[option] = value;
  }
  return Object.freeze(options) as unknown as ResolvedSessionOptions;
}
