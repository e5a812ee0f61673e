import { LONGEST_TIMER_MS } from '../util/clock.ts';
import { invalidOption } from './errors.ts';
import type { ClientOptions } from './options.ts';
import { inWordsOfRedis } from './other-words.ts';
import { copyPlain, kindOf, readAll } from './plain.ts';
import type { Rule } from './validate.ts';

const text: Rule = (value) => (typeof value === 'string' ? undefined : 'a string');

const callable: Rule = (value) => (typeof value === 'function' ? undefined : 'a function');

const thing: Rule = (value) => (typeof value === 'object' ? undefined : 'an object');

/** ioredis accepts strings of digits too, as they come from a URL or an environment variable. */
const digits =
  (least: number, most: number, what: string): Rule =>
  (value) => {
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    const fits = typeof number === 'number' && number >= least && number <= most;
    return fits && Number.isInteger(number) ? undefined : `${what} from ${least} to ${most}`;
  };

const port = digits(1, 65_535, 'a port');
const db = digits(0, Number.MAX_SAFE_INTEGER, 'an integer');
/** Bounded, since Node fires a longer timer at once. */
const time: Rule = (value) => {
  const ms = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  const fits = typeof ms === 'number' && ms >= 0 && ms <= LONGEST_TIMER_MS;
  return fits ? undefined : `milliseconds from 0 to ${LONGEST_TIMER_MS}`;
};

const secret: Rule = (value) =>
  text(value) && 'a string (what makes or changes it belongs into createClient)';

const tls: Rule = (value) => {
  if (typeof value === 'boolean' || typeof value === 'object') return undefined;
  // A profile of ioredis, or the value in a URL's query. Any other text, even `false`, would turn TLS on.
  return /^(RedisCloud(Fixed|Flexible)|true)$/.test(String(value))
    ? undefined
    : "true, or an object of Node's TLS options";
};

/** Rules for options of ioredis that it would check only on the first connect, or never. */
const RULES: Readonly<Record<string, Rule>> = {
  ...{
    host: text,
    port,
    path: text,
    db,
    username: secret,
    password: secret,
    keyPrefix: text,
    connectionName: text,
  },
  ...{
    tls,
    sentinelTLS: thing,
    sentinelUsername: secret,
    sentinelPassword: secret,
    name: text,
    scripts: thing,
  },
  family: digits(0, 6, '4, 6, or 0'),
  natMap: (value) => (typeof value === 'function' ? undefined : thing(value)),
  ...{ commandTimeout: time, socketTimeout: time, disconnectTimeout: time, sentinelCommandTimeout: time },
  ...{ blockingTimeout: time, keepAlive: time, maxLoadingRetryTime: time },
  Connector: (value) => callable(value) && 'a class',
  sentinelRetryStrategy: callable,
};

/** Options that may be methods, if the options are an instance of a class. */
const KNOWN = [...Object.keys(RULES), 'retryStrategy', 'reconnectOnError', 'preferredSlaves'];

/**
 * Reads ioredis' options once, deeply, and checks them. `own`: `createClient` is given, and may know further options.
 */
export function readClientOptions(given: object, own: boolean): ClientOptions {
  const options = readAll(given, 'redis.', KNOWN);
  for (const [name, value] of Object.entries(options)) {
    const kept = name === 'tls' && isConfig(value) ? readAll(value, 'redis.tls.') : value;
    options[name] = name === 'sentinels' ? readSentinels(kept) : copyPlain(kept, `redis.${name}.`);
  }
  if (!own) refuseOtherWords('redis', options);
  return checkClientOptions(options);
}

/** Checks them; throws `POOL_INVALID_OPTION`, which names the option and never its value. */
export function checkClientOptions(options: Record<string, unknown>): ClientOptions {
  for (const [name, rule] of Object.entries(RULES)) {
    // `null` means not given, as from a configuration file; ioredis would pass some of them on.
    if (options[name] === null) delete options[name];
    if (options[name] !== undefined) check(`redis.${name}`, options[name], rule);
  }
  const { Connector, sentinels, name } = options;
  if (Connector || !sentinels) return options;
  if (!Array.isArray(sentinels) || sentinels.length === 0 || !name) {
    throw invalidOption(
      'option redis must be ioredis options, of which sentinels is a list, and name the group they watch',
    );
  }
  for (const [i, one] of sentinels.entries()) {
    const { host, port: at, family } = Object(one) as Record<string, unknown>;
    check(`redis.sentinels[${i}]`, one, (value) => (value === null ? 'an object' : thing(value)));
    refuseOtherWords(`redis.sentinels[${i}]`, Object(one));
    if (host !== undefined) check(`redis.sentinels[${i}].host`, host, text);
    if (at !== undefined) check(`redis.sentinels[${i}].port`, at, port);
    if (family !== undefined) check(`redis.sentinels[${i}].family`, family, RULES['family'] as Rule);
  }
  return options;
}

/** ioredis would ignore them, and so connect to localhost, or without a limit. */
function refuseOtherWords(option: string, given: object): void {
  for (const [name, value] of Object.entries(given)) {
    const meant = value === undefined || value === null ? undefined : inWordsOfRedis(name);
    if (!meant) continue;
    throw invalidOption(`option ${option} takes ioredis' options, which have no \`${name}\`: ${meant}`);
  }
}

function readSentinels(given: unknown): unknown {
  if (!Array.isArray(given)) return given;
  return given.map((one, i) => (isConfig(one) ? readAll(one, `redis.sentinels[${i}].`) : one));
}

const isConfig = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

function check(option: string, value: unknown, rule: Rule): void {
  const allowed = rule(value);
  const got = typeof value === 'number' ? value : kindOf(value);
  if (allowed) throw invalidOption(`option ${option} must be ${allowed}, got ${got}`);
}
