import { isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { invalidOption } from '../api/errors.ts';
import type { ClientOptions, PoolOptions, ResolvedOptions } from '../api/options.ts';
import { inOurWords } from '../api/other-words.ts';
import { copyPlain, readAll } from '../api/plain.ts';
import { DEFAULTS, resolveOptions } from '../api/resolve-options.ts';
import { checkKeys } from '../api/spelling.ts';
import { checkRule, countFrom } from '../api/validate.ts';
import { clientOptions } from '../ioredis/client-options.ts';
import { type Address, type NatMap, nameOf, readHost, readMapped } from './address.ts';

/**
 * The options of a `ClusterPool`: those of a `Pool`, whose bounds are those of each node, and these. `redis` is what the
 * connections to all nodes have in common: password, TLS, `keyPrefix` and the like.
 */
export interface ClusterPoolOptions extends Omit<PoolOptions, 'redis'> {
  /**
   * Nodes that are asked for all the others, in this order, until one answers: URLs, or host and port. User, password
   * and TLS of a URL are those of all nodes. Default: none, it is required.
   */
  readonly nodes: readonly (string | { readonly host: string; readonly port?: number | undefined })[];
  /** ioredis' options for all connections, without what says where to connect. Default: none. */
  readonly redis?: ClientOptions | undefined;
  /**
   * Where nodes are reached that the cluster tells of under other addresses, as in containers: an object by `host:port`,
   * or a function of it. Default: none.
   */
  readonly natMap?: NatMap | undefined;
  /**
   * Where single commands of `redis` go that only read: to masters (`never`), to replicas as long as one can be reached
   * (`prefer`), or to replicas alone (`only`). A replica may not have yet what its master has acknowledged. Each has a pool
   * of its own. Default: `never`.
   */
  readonly replicas?: 'never' | 'prefer' | 'only' | undefined;
  /**
   * The most connections to all nodes together, those that are connecting or closing included. What is idle at one node
   * is closed for who waits for another. With fewer than there are masters, nodes take connections from each other all
   * the time. Default: none but the number of nodes times `maxActive`.
   */
  readonly maxTotal?: number | undefined;
}

/** The options of a cluster's pool, checked and completed. */
export interface ResolvedClusterOptions {
  /** Those of each node's pool, but for where it connects. */
  readonly pool: ResolvedOptions;
  readonly client: ClientOptions;
  readonly seeds: readonly Address[];
  readonly natMap: NatMap | undefined;
  readonly replicas: 'never' | 'prefer' | 'only';
  readonly maxTotal: number | undefined;
  /** The options of the pool of the node at `address`. */
  of(address: Address): PoolOptions;
}

const OWN = ['nodes', 'natMap', 'replicas', 'maxTotal'] as const;
/** What says where to connect. */
const WHERE = ['host', 'port', 'path', 'sentinels', 'name', 'Connector', 'role'] as const;

/** Checks and completes what the constructor was given; throws `POOL_INVALID_OPTION`. */
export function resolveClusterOptions(from: ClusterPoolOptions): ResolvedClusterOptions {
  if (typeof from !== 'object' || from === null || Array.isArray(from)) {
    throw invalidOption('new ClusterPool() takes an object of options, with nodes among them');
  }
  const known = [...OWN, ...Object.keys(DEFAULTS)];
  const {
    nodes,
    natMap,
    replicas = 'never',
    maxTotal,
    ...rest
  } = readAll(from, '', known) as unknown as ClusterPoolOptions;
  checkKeys('option', { ...rest, nodes }, known, inOurWords);
  checkNatMap(natMap);
  if (!['never', 'prefer', 'only'].includes(replicas)) {
    throw invalidOption("option replicas must be 'never', 'prefer' or 'only'");
  }
  if (maxTotal !== undefined) checkRule('maxTotal', maxTotal, countFrom(1));
  const { redis: common = {}, ...options } = rest;
  if (typeof common !== 'object' || common === null) {
    throw invalidOption('option redis of a ClusterPool must be ioredis options; URLs go into nodes');
  }
  for (const name of WHERE) {
    if (common[name] === undefined) continue;
    throw invalidOption(`option redis.${name} says where to connect: for a ClusterPool that is in nodes`);
  }
  const seeds = readSeeds(nodes);
  const pool = resolveOptions({ ...options, redis: { ...seeds.common, ...common } });
  if (maxTotal !== undefined && pool.minIdle > maxTotal) {
    throw invalidOption(`option minIdle must be at most maxTotal (${maxTotal}), got ${pool.minIdle}`);
  }
  const client = clientOptions(pool);
  if (client.db) throw invalidOption(`a cluster has db 0 alone, got db ${client.db}`);
  const given = pool.redis as ClientOptions;
  const servername = seeds.addresses.map(({ host }) => host).find((host) => isIP(host) === 0);
  return {
    ...{ pool, client, natMap, replicas, maxTotal, seeds: seeds.addresses },
    of: ({ host, port }) => {
      // On a master it makes no difference, and a replica may become one.
      const readOnly = replicas !== 'never' && { readOnly: true };
      const redis: ClientOptions = { ...copyPlain(given), ...readOnly, host, port };
      // A certificate has names, and the cluster tells IPs.
      if (redis.tls && isIP(host) !== 0 && servername !== undefined) {
        const { tls } = redis;
        // A text is the name of a profile of ioredis.
        redis.tls = { servername, ...(typeof tls === 'string' ? { profile: tls } : (tls as object)) };
      }
      return { ...options, redis, hooks: {}, outageWaitMs: 0 }; // whoever routes waits, for there may be another node
    },
  };
}

interface Seeds {
  readonly addresses: readonly Address[];
  /** What their URLs say besides where they are. */
  readonly common: ClientOptions;
}

function readSeeds(nodes: unknown): Seeds {
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw invalidOption('option nodes must be a list of URLs, or of hosts and ports, with at least one');
  }
  const seen = new Map<string, Address>();
  let common: ClientOptions | undefined;
  for (const [i, node] of nodes.entries()) {
    const { host: given = '127.0.0.1', port = 6379, ...others } = readSeed(node, `nodes[${i}]`);
    const host = readHost(given);
    if (host === undefined) throw invalidOption(`option nodes[${i}] must have a name or an IP as its host`);
    const address = { host, port: Number(port) };
    seen.set(nameOf(address), address);
    if (typeof node !== 'string') continue;
    common ??= others;
    if (!isDeepStrictEqual(common, others)) {
      throw invalidOption(
        `option nodes[${i}] has another user, password, db or TLS than those before: they are those of all nodes`,
      );
    }
  }
  return { addresses: [...seen.values()], common: common ?? {} };
}

function readSeed(node: unknown, option: string): ClientOptions {
  if (typeof node === 'string') {
    const { path, ...read } = readUrl(node, option);
    if (path) throw invalidOption(`option ${option} must be a redis:// or rediss:// URL, got a path`);
    return read;
  }
  const ofUrl = node instanceof URL ? '; of a URL object, its href' : '';
  if (typeof node !== 'object' || node === null || !('host' in node) || ofUrl) {
    throw invalidOption(`option ${option} must be a URL, or an object of host and port${ofUrl}`);
  }
  const read = readAll(node, `${option}.`);
  checkKeys(`option of ${option}`, read, ['host', 'port']);
  const { host = '', port } = resolveOptions({ redis: read as ClientOptions }).redis as ClientOptions;
  return { host, ...(port !== undefined && { port }) };
}

/** What ioredis' own parser makes of a URL, without what it has by default. */
function readUrl(url: string, option: string): ClientOptions {
  const read = (one: string): ClientOptions =>
    clientOptions({
      redis: resolveOptions({ redis: one }).redis,
      name: 'x',
      connectTimeoutMs: 1,
    } as ResolvedOptions);
  try {
    const bare = read('redis://127.0.0.1') as Record<string, unknown>;
    const own = Object.entries(read(url)).filter(([name, value]) => {
      return ['host', 'port', 'path'].includes(name) || !isDeepStrictEqual(value, bare[name]);
    });
    return Object.fromEntries(own);
  } catch (error) {
    const why = (error as Error).message.replace('option redis', `option ${option}`);
    throw invalidOption(why);
  }
}

function checkNatMap(natMap: unknown): void {
  if (natMap === undefined || typeof natMap === 'function') return;
  const fits = typeof natMap === 'object' && natMap !== null && Object.values(natMap).every(readMapped);
  if (!fits)
    throw invalidOption('option natMap must be an object of { host, port } by host:port, or a function');
}
