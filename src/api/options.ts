import { inspect } from 'node:util';
import { Redis, type RedisOptions } from 'ioredis';
import { LONGEST_TIMER_MS } from '../util/clock.ts';
import { invalidOption } from './errors.ts';
import type { PoolEventName, PoolListener } from './events.ts';
import { inOurWords } from './other-words.ts';
import { isTagged, kindOf, readAll } from './plain.ts';
import { readClientOptions } from './redis-options.ts';
import { checkKeys } from './spelling.ts';

/** What `createClient` is given. ioredis 6 types a client by its reply mapping, so that is narrowed to the default. */
export type ClientOptions = RedisOptions & { replyMapping?: 'legacy' };

/** What a connection's own check before lending is told. */
export interface BorrowContext {
  /** How long the connection was idle. Milliseconds. */
  readonly idleMs: number;
  /** Aborted when the check has taken too long, and its answer no longer counts. */
  readonly signal: AbortSignal;
}

/**
 * The options of a pool. Counts are integers, times are milliseconds; `Infinity` turns a time off; 0 means zero,
 * never unlimited; `undefined` means the default. A wrong value or an unknown name throws `POOL_INVALID_OPTION`.
 */
export interface PoolOptions {
  /**
   * Where Redis is: a URL, or ioredis' own options (TLS, ACL user, sentinels, db, keyPrefix …). Of those the pool
   * itself sets lazyConnect, retryStrategy, reconnectOnError, enableOfflineQueue, autoResubscribe,
   * autoResendUnfulfilledCommands, enableAutoPipelining, sentinelRetryStrategy, connectTimeout and, unless given,
   * connectionName. With sentinels, each may take an equal share of `connectTimeoutMs`, and one is left for the server
   * itself; your own `connectTimeout` and `sentinelCommandTimeout` count, as long as they leave a share for the rest.
   * Default `redis://127.0.0.1:6379`.
   */
  readonly redis?: string | RedisOptions | undefined;
  /**
   * Makes the ioredis client of one connection: for subclasses, instrumentation, rotating credentials. A Cluster,
   * or a client that is connecting already, is refused. `signal` is aborted when the dial is over, and the client would
   * come too late. Default `(o, { signal }) => new Redis(o)`.
   */
  readonly createClient?:
    | ((options: ClientOptions, context: { readonly signal: AbortSignal }) => Redis | PromiseLike<Redis>)
    | undefined;
  /** Label in errors and events, and the connections' CLIENT SETNAME. Printable ASCII without spaces. Default `redis-pool`. */
  readonly name?: string | undefined;
  /** Most connections open at once: lent, idle, being dialled and being closed all count. From 1; default 10. */
  readonly maxActive?: number | undefined;
  /** Most connections kept idle; what is released above it is closed. 0 keeps none. Default `maxActive`. */
  readonly maxIdle?: number | undefined;
  /** Idle connections kept ready besides those lent, refilled when nobody waits. At most `maxIdle`; default 0. */
  readonly minIdle?: number | undefined;
  /** When all connections are in use: wait (`true`, the default), or fail at once (`false`). */
  readonly wait?: boolean | undefined;
  /** Most callers waiting at once; the next one fails at once. Default 1000. */
  readonly maxWaiting?: number | undefined;
  /** One deadline for the whole acquire: queue, dial, check and all retries. Default 5000. */
  readonly acquireTimeoutMs?: number | undefined;
  /** Deadline of one dial, until commands may be sent (TLS, AUTH, SELECT included). From 1; default 2000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Most dials under way at once. From 1; default 4. */
  readonly maxConnecting?: number | undefined;
  /**
   * The reaper closes what was idle for longer; never lent after that. Not so the last `minIdle`, which are checked
   * before they are lent. Default 60 000.
   */
  readonly idleTimeoutMs?: number | undefined;
  /** A connection is closed, when it is idle next, after this age less a random 0 to 10 %. From 1; default 30 minutes. */
  readonly maxLifetimeMs?: number | undefined;
  /** How often the reaper looks. From 1; default 10 000. */
  readonly reapIntervalMs?: number | undefined;
  /** A connection idle for this long or longer gets a PING before it is lent. Default 5000. */
  readonly checkAfterIdleMs?: number | undefined;
  /**
   * A lane of `pool.redis`, or a connection of a command of its own, whose oldest reply is overdue by this is closed;
   * its commands reject with `POOL_CONNECTION_LOST`. A blocking command has its own time-out on top. Leases have none:
   * a BLPOP may take its time. From 1; default 10 000.
   */
  readonly replyTimeoutMs?: number | undefined;
  /** Most connections that `pool.redis` multiplexes over at once; 1 keeps total order. From 1; default 4. */
  readonly maxLanes?: number | undefined;
  /** Most commands in flight on one lane. From 1; default 10 000. */
  readonly maxInFlight?: number | undefined;
  /** Most commands of `pool.redis` waiting for a lane; the next one fails at once. From 1; default 50 000. */
  readonly maxQueuedCommands?: number | undefined;
  /**
   * Most bytes of arguments of `pool.redis` that are queued, or written and not yet taken by the socket; what comes
   * beyond fails at once. A command, or a pipeline, may be larger if it is alone. From 1; default 64 MiB.
   */
  readonly maxQueuedBytes?: number | undefined;
  /**
   * Your own check of a connection that was used and is idle, before it is lent again; a throw closes it, and the
   * acquire goes on with another. Default none.
   */
  readonly testOnBorrow?: ((redis: Redis, context: BorrowContext) => unknown) | undefined;
  /** Prepares each new connection; a throw fails the dial. Default none. */
  readonly onConnect?: ((redis: Redis, context: { readonly signal: AbortSignal }) => unknown) | undefined;
  /** A lease held for longer is reported once, with the stack that acquired it. Default `Infinity`: off. */
  readonly leakThresholdMs?: number | undefined;
  /** Listeners by event name, added before anything happens. Default none. */
  readonly hooks?: { readonly [E in PoolEventName]?: PoolListener<E> | undefined } | undefined;
}

type Optional = 'testOnBorrow' | 'onConnect';

/** Options with every default filled in. */
export type ResolvedOptions = Readonly<
  { [K in Exclude<keyof PoolOptions, Optional>]-?: Exclude<PoolOptions[K], undefined> } & {
    [K in Optional]: PoolOptions[K];
  }
>;

/** The defaults. `maxIdle` follows `maxActive` when only that is given. */
export const DEFAULTS: ResolvedOptions = Object.freeze({
  redis: 'redis://127.0.0.1:6379',
  createClient: (options) => new Redis(options),
  name: 'redis-pool',
  maxActive: 10,
  maxIdle: 10,
  minIdle: 0,
  wait: true,
  maxWaiting: 1000,
  acquireTimeoutMs: 5000,
  connectTimeoutMs: 2000,
  maxConnecting: 4,
  idleTimeoutMs: 60_000,
  maxLifetimeMs: 30 * 60_000,
  reapIntervalMs: 10_000,
  checkAfterIdleMs: 5000,
  replyTimeoutMs: 10_000,
  maxLanes: 4,
  maxInFlight: 10_000,
  maxQueuedCommands: 50_000,
  maxQueuedBytes: 64 << 20,
  testOnBorrow: undefined,
  onConnect: undefined,
  leakThresholdMs: Number.POSITIVE_INFINITY,
  hooks: Object.freeze({}),
});

/** The events by name: what `hooks` may hold, and `on` may listen to. */
export const EVENT_NAMES = [
  ...(['acquire', 'release', 'wait', 'timeout', 'abort', 'exhausted', 'connecting', 'connect'] as const),
  ...(['connectError', 'close', 'leak', 'clear', 'drain'] as const),
] satisfies PoolEventName[];

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
  connectTimeoutMs: time(1),
  maxConnecting: countFrom(1),
  idleTimeoutMs: time(0),
  maxLifetimeMs: time(1),
  reapIntervalMs: time(1),
  checkAfterIdleMs: time(0),
  replyTimeoutMs: time(1),
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
  if ('sendCommand' in value) return `${allowed}; a client goes into createClient`;
  if (value instanceof URL) return `${allowed}; of a URL object, its href`;
  return isTagged(value) ? allowed : undefined;
}

/** Reads every option once; what is inherited, or comes from a getter, too. */
export function readOptions(given: object): PoolOptions {
  return readAll(given, '', Object.keys(RULES)) as PoolOptions;
}

/** Checks and completes what the constructor was given; throws `POOL_INVALID_OPTION`. */
export function resolveOptions(from: PoolOptions): ResolvedOptions {
  const given = readOptions(from);
  checkKeys('option', given, Object.keys(RULES), inOurWords);
  const set: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(given)) {
    if (value === undefined) continue;
    checkOption(option as keyof PoolOptions, value);
    set[option] = value;
  }
  const { maxActive = DEFAULTS.maxActive } = given;
  const options: ResolvedOptions = { ...DEFAULTS, maxIdle: maxActive, ...set };
  atMost(options, 'maxIdle', 'maxActive');
  atMost(options, 'minIdle', 'maxIdle');
  const { redis } = options;
  return Object.freeze({
    ...options,
    redis: typeof redis === 'string' ? redis : readClientOptions(redis, given.createClient !== undefined),
    hooks: Object.freeze(readHooks(options.hooks)),
  });
}

function readHooks(given: object): ResolvedOptions['hooks'] {
  const hooks = readAll(given, 'hooks.', EVENT_NAMES);
  checkKeys('event', hooks, EVENT_NAMES);
  for (const [event, listener] of Object.entries(hooks)) {
    if (listener !== undefined && typeof listener !== 'function') {
      throw invalidOption(`option hooks.${event} must be a function, got ${inspect(listener)}`);
    }
  }
  return hooks;
}

/** Checks a time that a method was given; throws `POOL_INVALID_OPTION`. */
export function checkTime(option: string, value: unknown): void {
  checkRule(option, value, time(0));
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

function checkOption(option: keyof PoolOptions, value: unknown): void {
  const allowed = RULES[option](value);
  if (allowed === undefined) return;
  const got = SECRET.has(option) ? `${kindOf(value)} that is not` : inspect(value, { depth: 0 });
  const zero = value === 0 ? (ZERO[option] ?? '') : '';
  throw invalidOption(`option ${option} must be ${allowed}, got ${value === 0 ? 0 : got}${zero}`);
}

function atMost(options: ResolvedOptions, low: 'maxIdle' | 'minIdle', high: 'maxActive' | 'maxIdle'): void {
  if (options[low] <= options[high]) return;
  throw invalidOption(`option ${low} must be at most ${high} (${options[high]}), got ${options[low]}`);
}
