import { inspect } from 'node:util';
import { LONGEST_TIMER_MS } from '../util/clock.ts';
import { invalidOption } from './errors.ts';
import { EVENT_NAMES } from './events.ts';
import type { PoolOptions, ResolvedOptions } from './options.ts';
import { FOR_CLUSTERS } from './other-words.ts';
import { isTagged, kindOf } from './plain.ts';
import { checkKeys } from './spelling.ts';

/** A rule says what is allowed, or nothing when `value` is. */
export type Rule = (value: unknown) => string | undefined;

export const countFrom =
  (least: number): Rule =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least ? undefined : `an integer of at least ${least}`;

const time =
  (least: number): Rule =>
  (value) => {
    if (value === Number.POSITIVE_INFINITY) return undefined;
    if (typeof value === 'number' && value >= least && value <= LONGEST_TIMER_MS) return undefined;
    return `milliseconds from ${least} to ${LONGEST_TIMER_MS}, or Infinity`;
  };

export const truth: Rule = (value) => (typeof value === 'boolean' ? undefined : 'true or false');

const callable: Rule = (value) => (typeof value === 'function' ? undefined : 'a function');

/** What each option may be. */
const RULES: Readonly<Record<keyof PoolOptions, Rule>> = {
  redis: whereRedis,
  createClient: callable,
  name: (value) =>
    typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? undefined : 'printable ASCII without spaces',
  maxActive: countFrom(1),
  maxIdle: countFrom(0),
  minIdle: countFrom(0),
  wait: truth,
  maxWaiting: countFrom(0),
  acquireTimeoutMs: time(0),
  outageWaitMs: time(0),
  connectTimeoutMs: time(1),
  maxConnecting: countFrom(1),
  idleTimeoutMs: time(0),
  maxLifetimeMs: time(1),
  reapIntervalMs: time(1),
  checkAfterIdleMs: time(0),
  replyTimeoutMs: time(1),
  leaseReplyTimeoutMs: time(1),
  maxLanes: countFrom(1),
  maxInFlight: countFrom(1),
  maxQueuedCommands: countFrom(1),
  maxQueuedBytes: countFrom(1),
  testOnBorrow: callable,
  onConnect: callable,
  leakThresholdMs: time(0),
  hooks: (value) =>
    typeof value === 'object' && value !== null && !isTagged(value)
      ? undefined
      : 'an object of listeners by event name',
};

/** The names of all options. */
export const OPTION_NAMES: readonly string[] = Object.keys(RULES);

/** Options whose values are never printed: they may hold a password. */
const SECRET: ReadonlySet<string> = new Set(['redis', 'createClient', 'testOnBorrow', 'onConnect']);

function whereRedis(value: unknown): string | undefined {
  const allowed = 'a redis://, rediss:// or unix socket URL, or ioredis options';
  if (typeof value === 'string') {
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase();
    const known = scheme === undefined || scheme === 'redis' || scheme === 'rediss';
    return value.trim() !== '' && known ? undefined : allowed;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return allowed;
  if ('isCluster' in value && value.isCluster === true) return `${allowed}; ${FOR_CLUSTERS}`;
  if ('sendCommand' in value) return `${allowed}; a client goes into createClient`;
  if (value instanceof URL) return `${allowed}; of a URL object, its href`;
  return isTagged(value) ? allowed : undefined;
}

/** Checks a time that a method was given; throws `POOL_INVALID_OPTION`. */
export function checkTime(option: string, value: unknown): void {
  checkRule(option, value, time(0));
}

/** Reads options of which there is one, a time in milliseconds; throws `POOL_INVALID_OPTION`. */
export function readTime<K extends string>(
  options: { readonly [name in K]?: number | undefined },
  name: K,
  byDefault: number,
): number {
  checkKeys('option', options, [name]);
  const { [name]: ms = byDefault } = options;
  checkTime(name, ms);
  return ms;
}

/** Checks a value against a rule; throws `POOL_INVALID_OPTION`. */
export function checkRule(option: string, value: unknown, rule: Rule): void {
  const allowed = rule(value);
  if (allowed) throw invalidOption(`option ${option} must be ${allowed}, got ${inspect(value)}`);
}

/** What 0 means in other pools, and why it does not here. */
const ZERO: Readonly<Partial<Record<keyof PoolOptions, string>>> = {
  maxActive: ': in other pools 0 means unlimited, here a bound is required',
  maxLifetimeMs: ': in other pools 0 means for ever, here Infinity does',
};

/** Checks one option of the pool; throws `POOL_INVALID_OPTION`. */
export function checkOption(option: keyof PoolOptions, value: unknown): void {
  const allowed = RULES[option](value);
  if (allowed === undefined) return;
  const got = SECRET.has(option) ? `${kindOf(value)} that is not` : inspect(value, { depth: 0 });
  const zero = value === 0 ? (ZERO[option] ?? '') : '';
  throw invalidOption(`option ${option} must be ${allowed}, got ${value === 0 ? 0 : got}${zero}`);
}

/** Checks the options that bound one another; throws `POOL_INVALID_OPTION`. */
export function checkBounds(options: ResolvedOptions): void {
  atMost(options, 'maxIdle', 'maxActive');
  atMost(options, 'minIdle', 'maxIdle');
}

function atMost(options: ResolvedOptions, low: 'maxIdle' | 'minIdle', high: 'maxActive' | 'maxIdle'): void {
  if (options[low] <= options[high]) return;
  throw invalidOption(`option ${low} must be at most ${high} (${options[high]}), got ${options[low]}`);
}

/** Checks the names and the listeners of option `hooks`; throws `POOL_INVALID_OPTION`. */
export function checkHooks(hooks: Readonly<Record<string, unknown>>): void {
  checkKeys('event', hooks, EVENT_NAMES);
  for (const [event, listener] of Object.entries(hooks)) {
    if (listener !== undefined && typeof listener !== 'function') {
      throw invalidOption(`option hooks.${event} must be a function, got ${inspect(listener)}`);
    }
  }
}
