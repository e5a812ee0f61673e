import { Redis } from 'ioredis';
import { EVENT_NAMES } from './events.ts';
import type { PoolOptions, ResolvedOptions } from './options.ts';
import { inOurWords } from './other-words.ts';
import { readAll } from './plain.ts';
import { readClientOptions } from './redis-options.ts';
import { checkKeys } from './spelling.ts';
import { checkBounds, checkHooks, checkOption, OPTION_NAMES } from './validate.ts';

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
  outageWaitMs: 5000,
  connectTimeoutMs: 2000,
  maxConnecting: 4,
  idleTimeoutMs: 60_000,
  maxLifetimeMs: 30 * 60_000,
  reapIntervalMs: 10_000,
  checkAfterIdleMs: 5000,
  replyTimeoutMs: 10_000,
  leaseReplyTimeoutMs: 60_000,
  maxLanes: 4,
  maxInFlight: 10_000,
  maxQueuedCommands: 50_000,
  maxQueuedBytes: 64 << 20,
  testOnBorrow: undefined,
  onConnect: undefined,
  leakThresholdMs: Number.POSITIVE_INFINITY,
  hooks: Object.freeze({}),
});

/** Reads every option once; inherited ones and getters too. */
export function readOptions(given: object): PoolOptions {
  return readAll(given, '', OPTION_NAMES) as PoolOptions;
}

/** Checks and completes what the constructor was given; throws `POOL_INVALID_OPTION`. */
export function resolveOptions(from: PoolOptions): ResolvedOptions {
  const given = readOptions(from);
  checkKeys('option', given, OPTION_NAMES, inOurWords);
  const set: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(given)) {
    if (value === undefined) continue;
    checkOption(option as keyof PoolOptions, value);
    set[option] = value;
  }
  const { maxActive = DEFAULTS.maxActive } = given;
  const options: ResolvedOptions = { ...DEFAULTS, maxIdle: maxActive, ...set };
  checkBounds(options);
  const { redis } = options;
  return Object.freeze({
    ...options,
    redis: typeof redis === 'string' ? redis : readClientOptions(redis, given.createClient !== undefined),
    hooks: Object.freeze(readHooks(options.hooks)),
  });
}

function readHooks(given: object): ResolvedOptions['hooks'] {
  const hooks = readAll(given, 'hooks.', EVENT_NAMES);
  checkHooks(hooks);
  return hooks;
}
