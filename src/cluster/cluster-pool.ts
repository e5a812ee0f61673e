import { inspect } from 'node:util';
import type { Redis } from 'ioredis';
import { DURATIONS, type DurationListener } from '../api/durations.ts';
import { type PoolErrorCode, WHAT_TO_DO } from '../api/error-codes.ts';
import { isPoolError, type PoolError } from '../api/errors.ts';
import type { PoolEventName, PoolListener } from '../api/events.ts';
import type { Lease } from '../api/lease.ts';
import type { PoolOptions } from '../api/options.ts';
import { copyPlain } from '../api/plain.ts';
import type { AcquireOptions, CloseOptions, ReadyOptions, RedisPool } from '../api/redis-pool.ts';
import type { ClusterPoolStats, HealthOptions, PoolHealth } from '../api/stats.ts';
import { readTime } from '../api/validate.ts';
import { readAcquireOptions } from '../core/acquire-options.ts';
import type { Dependencies } from '../core/dependencies.ts';
import { Events } from '../core/events.ts';
import { HEALTH_TIMEOUT_MS, reportHealth } from '../core/health.ts';
import { makeError } from '../core/pool-errors.ts';
import { describe } from '../core/stats.ts';
import { Total } from '../core/total.ts';
import { isTransient } from '../core/transient.ts';
import { withoutSecrets } from '../ioredis/redact.ts';
import { useLease } from '../lease/lease-manager.ts';
import { makePoolRedis } from '../multiplex/client.ts';
import { sendTogether } from '../multiplex/command-group.ts';
import { GRACE_MS, Pool } from '../pool.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { Condition } from '../util/condition.ts';
import { type Address, nameOf, translate } from './address.ts';
import { ClusterBackend } from './cluster-backend.ts';
import {
  type ClusterPoolOptions,
  type ResolvedClusterOptions,
  resolveClusterOptions,
} from './cluster-options.ts';
import { NO_STATS, sumStats } from './cluster-stats.ts';
import type { ClusterOwner } from './judge.ts';
import { LeaseRoute } from './lease-route.ts';
import { NodeEvents } from './node-events.ts';
import { Nodes } from './nodes.ts';
import { SLOTS, slotOf } from './slot.ts';
import { TopologyWatch } from './topology-watch.ts';

/** How soon after a refusal a connection is asked for again. Milliseconds. */
const AGAIN_MS = 50;

/**
 * Pools of connections to the masters of a Redis Cluster, each bounded as a `Pool` is, behind the surface of one.
 * {@link RedisPool} says what each method promises.
 */
export class ClusterPool implements RedisPool {
  readonly #options: ResolvedClusterOptions;
  readonly #clock: Clock;
  readonly #events: Events;
  /** Bounds all nodes together, if that is wanted. */
  readonly #total: Total | undefined;
  readonly #nodes: Nodes;
  readonly #watch: TopologyWatch;
  readonly #owner: ClusterOwner;
  readonly #backend: ClusterBackend;
  /** It is known which nodes there are. */
  readonly #known: Condition;
  #redis: Redis | undefined;
  /** What was defined on `redis`, which leases of all nodes have too. */
  readonly #defined = new Map<string, Parameters<Redis['defineCommand']>[1]>();
  #closed: Promise<void> | undefined;
  #lastError: unknown;
  /** End the pauses of those who try again. */
  readonly #pauses = new Set<() => void>();
  /** Callers who wait for a node that is not known, or cannot be reached. */
  #waiting = 0;

  /** @throws {PoolError} `POOL_INVALID_OPTION` */
  constructor(options: ClusterPoolOptions);
  /** @internal */
  constructor(options: ClusterPoolOptions, deps: Partial<Dependencies>);
  constructor(given: ClusterPoolOptions, deps: Partial<Dependencies> = {}) {
    const options = resolveClusterOptions(given);
    const clock = deps.clock ?? systemClock;
    this.#options = options;
    this.#clock = clock;
    this.#events = new Events(options.pool, () => this.stats());
    this.#total = options.maxTotal === undefined ? undefined : new Total(options.maxTotal, clock);
    this.#known = new Condition(clock, () => this.#nodes.topology !== undefined);
    const translated = (address: Address): Address => translate(address, options.natMap);
    this.#nodes = new Nodes(
      clock,
      options.replicas !== 'never',
      (address) => this.#poolOf(address, options.of(address), deps),
      () => this.#changed(),
    );
    this.#watch = new TopologyWatch({
      ...{ clock, random: deps.random ?? Math.random, translated, nodes: this.#nodes, seeds: options.seeds },
      ask: (address) =>
        this.#poolOf(address, { ...options.of(address), maxActive: 1, maxIdle: 1, minIdle: 0 }, deps),
      failed: (error) => this.#lost(error),
    });
    this.#owner = {
      ...{
        options: options.pool,
        replicas: options.replicas,
        clock,
        events: this.#events,
        nodes: this.#nodes,
        translated,
      },
      refresh: (first) => this.#watch.refresh(first),
      make: (code, message, cause) => this.#error(code, message, cause),
      closed: () => this.#closedError(),
      nowhere: () => this.#nowhere(),
      leases: {
        define: (name, definition) => {
          this.#defined.set(name, definition);
          for (const node of this.#nodes.all) node.opened?.define(name, definition);
        },
      },
      late: (reason, timeoutMs) => this.#late(reason, timeoutMs),
      send: (commands) => sendTogether(this.#backend, commands),
      pause: (run) => this.#pause(run),
      ready: () => this.ready(),
      quiet: () => this.#quiet(),
      close: (graceMs) => this.close(graceMs === undefined ? {} : { graceMs }),
    };
    this.#backend = new ClusterBackend(this.#owner);
    if (options.pool.minIdle > 0) void Promise.resolve().then(() => this.#watch.refresh());
  }

  get name(): string {
    return this.#options.pool.name;
  }

  get redis(): Redis {
    this.#redis ??= makePoolRedis(copyPlain(this.#options.client), this.#backend);
    return this.#redis;
  }

  use<T>(work: (redis: Lease) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    return useLease(this, work, options);
  }

  async acquire(options: AcquireOptions = {}): Promise<Lease> {
    const { timeoutMs = this.#options.pool.acquireTimeoutMs, signal } = readAcquireOptions(options);
    const slot = this.#slotOf(options.key);
    const end = this.#clock.now() + timeoutMs;
    for (;;) {
      if (this.#closed) throw this.#closedError();
      const left = Math.max(0, end - this.#clock.now());
      try {
        return await this.#acquireAt(slot, left, signal);
      } catch (error) {
        const later =
          isPoolError(error, 'POOL_CLOSED') ||
          (isPoolError(error, 'POOL_CONNECT_FAILED') &&
            this.#options.pool.outageWaitMs > 0 &&
            isTransient(error.cause));
        if (!later || this.#closed || this.#nodes.topology === undefined) throw error;
        this.#watch.refresh();
        if (this.#clock.now() + AGAIN_MS >= end) throw this.#late(error, timeoutMs);
        await this.#waitFor(() => unlessAborted((resolve) => this.#pause(resolve), signal));
      }
    }
  }

  async #acquireAt(slot: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<Lease> {
    if (this.#nodes.topology === undefined) await this.#waitFor(() => this.#learn(timeoutMs, signal));
    const node = this.#nodes.slots[slot];
    if (node === undefined) throw this.#nowhere();
    const lease = await node.pool.acquire({ timeoutMs, signal });
    new LeaseRoute(this.#owner, lease, node, slot);
    return lease;
  }

  /** Waits for what no node's pool knows of, and so counts who waits. */
  async #waitFor(work: () => Promise<void>): Promise<void> {
    const { maxWaiting, wait } = this.#options.pool;
    if (this.#waiting >= (wait ? maxWaiting : 0)) {
      const why = wait ? `${maxWaiting} callers wait already (maxWaiting)` : 'wait is false';
      throw this.#error('POOL_EXHAUSTED', `the node of this key cannot be reached, and ${why}`);
    }
    this.#waiting++;
    try {
      await work();
    } finally {
      this.#waiting--;
    }
  }

  /** Resolves when it is known which nodes there are. */
  async #learn(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#nodes.topology !== undefined) return;
    this.#watch.refresh();
    const known = this.#known.wait(timeoutMs, () =>
      this.#error(
        'POOL_ACQUIRE_TIMEOUT',
        `no node has told within ${timeoutMs} ms which there are`,
        this.#lastError,
      ),
    );
    await unlessAborted((resolve, reject) => void known.then(resolve, reject), signal);
  }

  async ready(options: ReadyOptions = {}): Promise<void> {
    const { timeoutMs, signal } = readAcquireOptions(options);
    const end = this.#clock.now() + (timeoutMs ?? this.#options.pool.acquireTimeoutMs);
    for (;;) {
      if (this.#closed) throw this.#closedError();
      const left = Math.max(0, end - this.#clock.now());
      try {
        await this.#learn(left, signal);
        if (this.#gap) throw this.#error('POOL_CONNECT_FAILED', this.#gap);
        await Promise.all(this.#nodes.masters.map(({ pool }) => pool.ready({ signal })));
        return;
      } catch (error) {
        const later = timeoutMs !== undefined && isPoolError(error, 'POOL_CONNECT_FAILED');
        if (!later || this.#closed || this.#clock.now() + AGAIN_MS >= end) throw error;
        await unlessAborted((resolve) => this.#pause(resolve), signal);
      }
    }
  }

  /** Whether all slots are served, and each master answers. */
  async health(options: HealthOptions = {}): Promise<PoolHealth> {
    const since = this.#clock.now();
    return reportHealth(this.#clock, this.#events, async () => {
      if (this.#closed) throw new Error('the pool is closed');
      const timeoutMs = readTime(options, 'timeoutMs', HEALTH_TIMEOUT_MS);
      await this.#learn(timeoutMs, undefined);
      if (this.#gap) throw new Error(this.#gap);
      const left = Math.max(1, timeoutMs - (this.#clock.now() - since));
      const asked = await Promise.all(
        this.#nodes.masters.map(async (node) => ({ node, ...(await node.pool.health({ timeoutMs: left })) })),
      );
      const ill = asked.find(({ ok }) => !ok);
      if (ill) throw new Error(`${ill.node.name}: ${ill.error}`);
      return asked.some(({ latencyMs }) => latencyMs !== undefined);
    });
  }

  stats(): ClusterPoolStats {
    const waiting = { queuedCommands: this.#backend.waiting, waiting: this.#waiting };
    const own = { ...NO_STATS, ...waiting, errors: this.#events.errors };
    const others = [...this.#nodes.leaving, ...this.#watch.brief];
    const sum = sumStats(this.#nodes.stats(), others, this.#nodes.past, own);
    const { maxTotal } = this.#options;
    if (maxTotal === undefined) return sum;
    return Object.freeze({ ...sum, maxActive: Math.min(sum.maxActive, maxTotal) });
  }

  clear(): void {
    this.#nodes.clear();
    if (this.#events.count('clear')) this.#events.emit('clear', {});
  }

  /** @internal */
  [DURATIONS](listener: DurationListener): () => void {
    return this.#events.addDurations(listener);
  }

  /** One line for logs and the console. */
  [inspect.custom](): string {
    const stats = this.stats();
    const closed = this.#closed ? ', closed' : '';
    return `ClusterPool '${this.name}' (${this.#nodes.masters.length} masters; ${describe(stats)}${closed})`;
  }

  async close(options: CloseOptions = {}): Promise<void> {
    const graceMs = readTime(options, 'graceMs', GRACE_MS);
    const first = this.#closed === undefined;
    this.#closed ??= this.#close(graceMs);
    if (!first) void this.#nodes.close(graceMs); // which may shorten the grace
    await this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  on<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    this.#events.add(event, listener);
    return this;
  }

  once<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    this.#events.addOnce(event, listener);
    return this;
  }

  off<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    this.#events.remove(event, listener);
    return this;
  }

  removeListener<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    return this.off(event, listener);
  }

  #poolOf(address: Address, options: PoolOptions, deps: Partial<Dependencies>): Pool {
    const node = nameOf(address);
    const pool = new Pool(options, {
      ...deps,
      ...(this.#total && { total: this.#total }),
      events: (_, stats) => new NodeEvents(this.#events, node, stats, () => this.#watch.refresh()),
    });
    for (const [name, definition] of this.#defined) pool.define(name, definition);
    return pool;
  }

  #pause(run: () => void): void {
    const end = (): void => {
      cancel();
      this.#pauses.delete(end);
      run();
    };
    const cancel = this.#clock.after(AGAIN_MS, end);
    this.#pauses.add(end);
  }

  #endPauses(): void {
    for (const end of [...this.#pauses]) end();
  }

  async #close(graceMs: number): Promise<void> {
    this.#known.reject(() => this.#closedError());
    this.#backend.stop();
    const left = [this.#watch.stop(), this.#nodes.close(graceMs)];
    this.#endPauses();
    await Promise.all(left);
    this.#endPauses(); // of leases that went on until now
    if (this.#events.count('drain')) this.#events.emit('drain', {});
    this.#events.removeAll();
  }

  #changed(): void {
    this.#lastError = undefined;
    this.#known.notify();
    this.#backend.changed();
    if (this.#options.pool.minIdle > 0) for (const { pool } of this.#nodes.masters) void pool;
  }

  /** No node has told which there are. */
  #lost(thrown: unknown): void {
    const asError = thrown instanceof Error ? thrown : new Error(inspect(thrown));
    const cause = withoutSecrets(asError, this.#options.client);
    const error = isPoolError(cause)
      ? cause
      : this.#error('POOL_CONNECT_FAILED', `cannot learn which nodes there are: ${cause.message}`, cause);
    this.#lastError = error;
    this.#known.reject(() => error);
    this.#backend.lost(error);
  }

  async #quiet(): Promise<void> {
    do {
      await Promise.all([...this.#nodes.all].map((node) => node.opened && node.lanes.quiet()));
      if (this.#backend.waiting > 0) {
        await new Promise<void>((resolve) => this.#pause(resolve));
      }
    } while (this.#backend.waiting > 0);
  }

  /** Why some keys are served by nobody, if that is so. */
  get #gap(): string | undefined {
    const missing = SLOTS - (this.#nodes.topology?.covered ?? 0);
    return missing > 0 ? `${missing} slots are served by no node` : undefined;
  }

  #slotOf(key: unknown): number {
    if (typeof key !== 'string' && !Buffer.isBuffer(key)) {
      throw this.#error(
        'POOL_INVALID_OPTION',
        `a ClusterPool lends a connection to the node that owns a key: say which (option key, a string or a Buffer), got ${key === undefined ? 'none' : typeof key}`,
      );
    }
    const { keyPrefix = '' } = this.#options.client;
    if (keyPrefix === '') return slotOf(key);
    return slotOf(typeof key === 'string' ? keyPrefix + key : Buffer.concat([Buffer.from(keyPrefix), key]));
  }

  /** As callers of one server that is away: they hear of their deadline, if that comes before they are told. */
  #late(reason: unknown, timeoutMs = this.#options.pool.acquireTimeoutMs): unknown {
    const told = isPoolError(reason, 'POOL_CONNECT_FAILED');
    const down = (reason as Error).message.startsWith('CLUSTERDOWN');
    const first = timeoutMs < this.#options.pool.outageWaitMs;
    if (told ? !first : !down && !isPoolError(reason, 'POOL_CONNECTION_LOST')) return reason;
    const why = `no node could do it within ${timeoutMs} ms${down ? ': the cluster is down' : ''}`;
    const code = first ? 'POOL_ACQUIRE_TIMEOUT' : 'POOL_CONNECT_FAILED';
    return this.#error(code, why, reason, WHAT_TO_DO.POOL_CONNECT_FAILED);
  }

  #nowhere(): PoolError {
    return this.#error('POOL_CONNECT_FAILED', 'no node that is known serves the slot of this key');
  }

  #closedError(): PoolError {
    return this.#error('POOL_CLOSED', 'the pool is closed');
  }

  #error(code: PoolErrorCode, message: string, cause?: unknown, advice?: string): PoolError {
    return makeError(this.#events, code, message, cause, advice);
  }
}

/** A promise for what `begin` settles; when `signal` is aborted it rejects with its reason. */
async function unlessAborted(
  begin: (resolve: () => void, reject: (error: unknown) => void) => unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  let abort = (): void => {};
  try {
    await new Promise<void>((resolve, reject) => {
      begin(resolve, reject);
      abort = () => reject(signal?.reason);
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort, { once: true });
    });
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
