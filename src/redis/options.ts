import { Redis, type RedisOptions } from 'ioredis';
import { invalidOption } from '../errors.ts';
import type { ClientOptions, ResolvedOptions } from '../options.ts';

/** What the pool decides on every connection: it dies rather than heals, and nothing is queued or sent twice. */
const OURS = {
  lazyConnect: true,
  // A function, because ioredis 5.3 types it so. No reconnecting: it would lose WATCH and let EXEC through.
  retryStrategy: (): null => null,
  reconnectOnError: null,
  enableOfflineQueue: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
} satisfies RedisOptions;

/** The complete ioredis options of the pool's connections. */
export function clientOptions({ redis, name, connectTimeoutMs }: ResolvedOptions): ClientOptions {
  // A URL is read by ioredis' own parser: a client that never connects shows what it made of it.
  const given = typeof redis === 'string' ? readUrl(redis) : redis;
  return {
    ...(given as ClientOptions),
    ...OURS,
    connectionName: given.connectionName ?? name,
    // 0: none. Ours covers the whole dial; ioredis' own covers the socket only, and ends it before it is read after a block.
    connectTimeout: given.sentinels && Number.isFinite(connectTimeoutMs) ? connectTimeoutMs : 0,
  };
}

function readUrl(url: string): RedisOptions {
  try {
    return new Redis(url, { lazyConnect: true }).options;
  } catch {
    // Its own error carries the URL, and that the password.
    throw invalidOption('option redis must be a URL that can be read: look at its host, port and escapes');
  }
}

/** The clients of all pools, past ones included. */
const CLAIMED = new WeakSet<Redis>();

/** Makes the client that `createClient` returned one of ours; throws, and ends it, if it cannot be. */
export function claim(client: Redis, { connectionName, connectTimeout }: RedisOptions): void {
  const refusal = whyRefused(client);
  if (refusal) {
    abandon(client);
    throw new TypeError(
      `createClient must return an ioredis Redis that is not connecting yet, got ${refusal}`,
    );
  }
  CLAIMED.add(client);
  Object.assign(client.options, OURS, { connectTimeout });
  client.options.connectionName ??= connectionName;
}

/** Ends a client that will not be used. It may hold a socket, and those outside the pool have no bound. */
export function abandon(client: Redis): void {
  if (!CLAIMED.has(client)) client?.disconnect?.(); // or it is that of another connection
}

function whyRefused(client: Redis): string | undefined {
  if (typeof client?.sendCommand !== 'function') return client === null ? 'null' : `a ${typeof client}`;
  if (client.isCluster) return 'a Cluster';
  if (CLAIMED.has(client))
    return 'one that it has returned before: every connection needs a client of its own';
  return client.status === 'wait'
    ? undefined
    : `one with status '${client.status}' (pass on the options given to it: they set lazyConnect)`;
}
