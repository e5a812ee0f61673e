import { Redis, type RedisOptions } from 'ioredis';
import { invalidOption } from '../api/errors.ts';
import type { ClientOptions, ResolvedOptions } from '../api/options.ts';
import { FOR_CLUSTERS } from '../api/other-words.ts';
import { copyPlain, kindOf } from '../api/plain.ts';
import { checkClientOptions } from '../api/redis-options.ts';
import { inOurOwnWords } from './redact.ts';
import { type PartTimes, partTimes } from './sentinels.ts';

/** Set by the pool on every connection: no reconnecting, no offline queue, and nothing is sent twice. */
const OURS = {
  lazyConnect: true,
  // A function, because of ioredis 5.3's types. Reconnecting would lose WATCH, and then EXEC would succeed.
  retryStrategy: (): null => null,
  enableOfflineQueue: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
  // After all sentinels were asked, the dial has failed; the next one starts after the pool's own back-off.
  sentinelRetryStrategy: (): null => null,
  // It has sockets to sentinels of its own for each connection; the pool has one for all.
  failoverDetector: false,
} satisfies RedisOptions;

/** For so long a connection is silent before the kernel asks whether the other end is there. */
const KEEP_ALIVE_MS = 30_000;

/** The complete ioredis options of the pool's connections. */
export function clientOptions({ redis, name, connectTimeoutMs }: ResolvedOptions): ClientOptions {
  // A URL is parsed by ioredis itself: by a client that never connects, whose options are read.
  const given = typeof redis === 'string' ? copyPlain(readUrl(redis)) : redis;
  return {
    ...(given as ClientOptions),
    ...OURS,
    connectionName: given.connectionName ?? name,
    keepAlive: given.keepAlive ?? KEEP_ALIVE_MS,
    ...timesOfDial(given, connectTimeoutMs),
  };
}

/** Ours covers the whole dial; ioredis' own covers the socket only, and ends it before it is read after a block. */
function timesOfDial(given: RedisOptions, connectTimeoutMs: number): PartTimes {
  return given.sentinels?.length ? partTimes(given, connectTimeoutMs) : { connectTimeout: 0 }; // none
}

function readUrl(url: string): ClientOptions {
  // A password that is not escaped ends the host early; its rest would be taken for a db, or ignored.
  const db = /^rediss?:\/\/[^/?#]*\/([^?#]*)/i.exec(url)?.[1];
  const odd = url.includes('#') || /\?[^=]*@/.test(url) || !/^\d*$/.test(db ?? '');
  let options: RedisOptions | undefined;
  try {
    if (!odd) options = new Redis(url, { lazyConnect: true, keepAlive: KEEP_ALIVE_MS }).options;
  } catch {} // its own error carries the URL, and that the password
  if (options) return checkClientOptions({ ...options });
  throw invalidOption(
    'option redis must be a URL that can be read: look at its host, port, db, and at the escapes (%23 for #) in its password',
  );
}

/** The clients of all pools, past ones included. */
const CLAIMED = new WeakSet<Redis>();

/** Claims the client that `createClient` returned; ends it and throws if it cannot be used. */
export function adoptClient(client: Redis, given: RedisOptions, connectTimeoutMs: number): void {
  const refusal = whyRefused(client);
  if (refusal) {
    discardClient(client);
    const text = `createClient must return an ioredis Redis that is not connecting yet, got ${refusal}`;
    throw inOurOwnWords(new TypeError(text));
  }
  CLAIMED.add(client);
  Object.assign(
    client.options,
    OURS,
    { reconnectOnError: null },
    timesOfDial(client.options, connectTimeoutMs),
  );
  client.options.connectionName ??= given.connectionName;
}

/** Ends a client that will not be used: it may have a socket, which would not count against the pool's bound. */
export function discardClient(client: Redis): void {
  if (CLAIMED.has(client)) return; // it belongs to another connection
  client?.on?.('error', () => {}); // ioredis would print it
  client?.disconnect?.();
}

function whyRefused(client: Redis): string | undefined {
  if (client?.isCluster) return `a Cluster (${FOR_CLUSTERS})`;
  if (typeof client?.sendCommand !== 'function' || typeof client.status !== 'string')
    return otherThing(client);
  if (CLAIMED.has(client))
    return 'one that it has returned before: every connection needs a client of its own';
  return client.status === 'wait'
    ? undefined
    : `one with status '${client.status}' (pass on the options given to it: they set lazyConnect)`;
}

/** A mock, or another library's client, has the commands, but no connection that the pool could manage. */
function otherThing(client: unknown): string {
  const { name } = Object(client).constructor ?? {};
  const commands = typeof Object(client).get === 'function' || typeof Object(client).ping === 'function';
  const named =
    commands && typeof name === 'string' && name !== 'Object' ? ` of class ${name.slice(0, 40)}` : '';
  const hint = commands
    ? ' (a mock of ioredis will not do: for tests there is MockPool, of bounded-redis-pool/mock)'
    : '';
  return `${kindOf(client)}${named}${hint}`;
}
