import { inspect } from 'node:util';
import type { Redis } from 'ioredis';
import { DURATIONS, type DurationListener } from './api/durations.ts';
import type { PoolEventName, PoolListener } from './api/events.ts';
import type { Lease } from './api/lease.ts';
import type { ClientOptions, PoolOptions } from './api/options.ts';
import { copyPlain } from './api/plain.ts';
import type { AcquireOptions, CloseOptions, ReadyOptions, RedisPool } from './api/redis-pool.ts';
import { resolveOptions } from './api/resolve-options.ts';
import type { HealthOptions, PoolHealth, PoolStats } from './api/stats.ts';
import { readTime } from './api/validate.ts';
import { bindAsyncContext } from './core/async-context.ts';
import { ConnectionPool } from './core/connection-pool.ts';
import { readArguments } from './core/constructor-arguments.ts';
import type { PoolContext, PoolSlot } from './core/context.ts';
import type { Connection, Dependencies } from './core/dependencies.ts';
import { Events } from './core/events.ts';
import { Health } from './core/health.ts';
import { PoolErrors } from './core/pool-errors.ts';
import { Slots } from './core/slot.ts';
import { describe, NO_LANES } from './core/stats.ts';
import { clientOptions } from './ioredis/client-options.ts';
import { defaultDependencies } from './ioredis/connection.ts';
import { LeaseManager, useLease } from './lease/lease-manager.ts';
import { makePoolRedis } from './multiplex/client.ts';
import { ClientBackend } from './multiplex/client-backend.ts';
import { DedicatedConnections } from './multiplex/dedicated-connections.ts';
import { Multiplexer } from './multiplex/multiplexer.ts';

export const GRACE_MS = 5000;

const makeEvents: NonNullable<Dependencies['events']> = (options, stats) => new Events(options, stats);

/** A bounded pool of ioredis connections. {@link RedisPool} documents the methods. */
export class Pool implements RedisPool {
  readonly #context: PoolContext;
  readonly #clientOptions: ClientOptions;
  readonly #connections: ConnectionPool;
  readonly #leases: LeaseManager;
  readonly #health: Health;
  /** Made when somebody reads `redis` for the first time. */
  #multiplexer: Multiplexer | undefined;
  #backend: ClientBackend | undefined;
  #redis: Redis | undefined;

  /**
   * `new Pool()`, `new Pool(url, options?)` or `new Pool(options)`.
   *
   * @throws {PoolError} `POOL_INVALID_OPTION`
   * @example
   * const own = new Pool({ redis: { host: '127.0.0.1', port: 6379 }, maxActive: 20, name: 'own' });
   * await own.close();
   */
  constructor(url?: string, options?: PoolOptions);
  constructor(options: PoolOptions);
  /** @internal */
  constructor(options: PoolOptions, deps: Partial<Dependencies>);
  constructor(first?: string | PoolOptions, second?: PoolOptions | Partial<Dependencies>) {
    const [given, deps] = readArguments(first, second);
    const options = resolveOptions(given);
    this.#clientOptions = clientOptions(options);
    const context = {
      options,
      deps: {
        ...defaultDependencies(options, this.#clientOptions, deps.clock, deps.events !== undefined),
        ...deps,
      },
      slots: new Slots<Connection>(options.maxActive),
      events: (deps.events ?? makeEvents)(options, () => this.stats()),
    };
    const errors = new PoolErrors(context, () => this.#connections);
    this.#context = { ...context, errors };
    this.#connections = new ConnectionPool(this.#context, {
      waiting: (callers) => this.#multiplexer?.makeRoom(callers),
      leaseLost: (slot) => this.#leases.connectionLost(slot),
    });
    this.#leases = new LeaseManager(this.#context, this.#connections, (commands) => {
      this.#multiplexer ??= this.#makeMultiplexer();
      return this.#multiplexer.sendOnceMore(commands);
    });
    this.#health = new Health(this.#context, this.#connections, () => this.#multiplexer ?? NO_LANES);
  }

  get name(): string {
    return this.#context.options.name;
  }

  get redis(): Redis {
    this.#redis ??= makePoolRedis(copyPlain(this.#clientOptions), this.backend);
    return this.#redis;
  }

  /**
   * What `redis` sends over.
   *
   * @internal
   */
  get backend(): ClientBackend {
    if (this.#backend) return this.#backend;
    this.#multiplexer ??= this.#makeMultiplexer();
    const parts = { connections: this.#connections, lanes: this.#multiplexer, leases: this.#leases };
    this.#backend = new ClientBackend(this.#context, parts, (graceMs) => this.close({ graceMs }));
    return this.#backend;
  }

  /**
   * Leases made from now on have this command.
   *
   * @internal
   */
  define(name: string, definition: Parameters<LeaseManager['define']>[1]): void {
    this.#leases.define(name, definition);
  }

  use<T>(work: (redis: Lease) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    return useLease(this, work, options);
  }

  acquire(options?: AcquireOptions): Promise<Lease> {
    const stack = this.#leases.leaks.stack(this.acquire);
    const waits = this.#context.events.contextWanted ? bindAsyncContext : undefined;
    return new Promise((resolve, failed) => {
      const served = (slot: PoolSlot, waitedMs: number): void =>
        resolve(this.#leases.create(slot, waitedMs, stack));
      this.#connections.acquire(options, { served, failed, waits });
    });
  }

  ready(options?: ReadyOptions): Promise<void> {
    return this.#connections.ready(options);
  }

  health(options?: HealthOptions): Promise<PoolHealth> {
    return this.#health.check(options);
  }

  stats(): PoolStats {
    return this.#connections.stats(this.#multiplexer ?? NO_LANES);
  }

  clear(): void {
    this.#connections.clear();
  }

  /** @internal */
  [DURATIONS](listener: DurationListener): () => void {
    return this.#context.events.addDurations(listener);
  }

  /** One line for logs and the console. */
  [inspect.custom](): string {
    const closed = this.#connections.status === 'end' ? ', closed' : '';
    return `Pool '${this.name}' (${describe(this.stats())}${closed})`;
  }

  async close(options: CloseOptions = {}): Promise<void> {
    const graceMs = readTime(options, 'graceMs', GRACE_MS);
    this.#multiplexer?.stop();
    this.#multiplexer?.dedicated.stop();
    await this.#connections.close(graceMs);
    this.#multiplexer?.end();
    this.#leases.leaks.stop();
    this.#leases.timeouts.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  on<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    this.#context.events.add(event, listener);
    return this;
  }

  once<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    this.#context.events.addOnce(event, listener);
    return this;
  }

  off<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    this.#context.events.remove(event, listener);
    return this;
  }

  removeListener<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    return this.off(event, listener);
  }

  #makeMultiplexer(): Multiplexer {
    const dedicated = new DedicatedConnections(this.#context, this.#connections, this.#leases);
    const lanes = new Multiplexer(this.#context, this.#connections, dedicated);
    if (this.#connections.status === 'end') {
      lanes.end();
      lanes.stop();
    }
    return lanes;
  }
}
