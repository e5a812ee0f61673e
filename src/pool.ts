import { Admission } from './admission.ts';
import { readArguments } from './arguments.ts';
import { Checker } from './checker.ts';
import { Connections } from './connections.ts';
import { whyExpired } from './core/reap.ts';
import { Ledger } from './core/slot.ts';
import { invalidOption } from './errors.ts';
import { Events } from './events.ts';
import type { Connection, Hands } from './hands.ts';
import type { House, PoolSlot } from './house.ts';
import { IdleConnections } from './idle.ts';
import { Lending } from './lending.ts';
import { checkKeys, checkTime, type PoolOptions, resolveOptions } from './options.ts';
import { realHands } from './redis/hands.ts';
import type {
  AcquireOptions,
  CloseOptions,
  CloseReason,
  Lease,
  PoolEventName,
  PoolListener,
  PoolStats,
  RedisPool,
} from './redis-pool.ts';
import { Shutdown } from './shutdown.ts';
import { takeSnapshot } from './snapshot.ts';
import { type Request, type Waiter, Waiters } from './waiters.ts';

const GRACE_MS = 5000;

/** A bounded pool of ioredis connections. {@link RedisPool} says what each method promises. */
export class Pool implements RedisPool {
  readonly #house: House;
  /** Those who want a connection. */
  readonly #waiters: Waiters<PoolSlot>;
  /** The connections, from dial to end. */
  readonly #connections: Connections;
  /** Those at rest. */
  readonly #idle: IdleConnections;
  /** Those that are lent. */
  readonly #lending: Lending;
  readonly #checker: Checker;
  readonly #admission: Admission;
  #shutdown: Shutdown | undefined;

  /**
   * `new Pool()`, `new Pool(url, options?)` or `new Pool(options)`.
   *
   * @throws {PoolError} `POOL_INVALID_OPTION`
   */
  constructor(url?: string, options?: PoolOptions);
  constructor(options: PoolOptions);
  /** @internal */
  constructor(options: PoolOptions, hands: Partial<Hands>);
  constructor(first?: string | PoolOptions, second?: PoolOptions | Partial<Hands>) {
    const [given, hands] = readArguments(first, second);
    const options = resolveOptions(given);
    this.#house = {
      options,
      hands: { ...realHands(options, hands.clock), ...hands },
      ledger: new Ledger<Connection>(options.maxActive),
      events: new Events(options, () => this.stats()),
    };
    this.#waiters = new Waiters(this.#house.hands.clock, (waiter, why) =>
      this.#admission.gaveUp(waiter, why),
    );
    this.#connections = new Connections(this.#house, {
      wanted: () => this.#wanted(),
      arrived: (slot) => this.#arrived(slot),
      failed: (error) => this.#dialFailed(error),
      lost: (slot) => this.#lost(slot),
      gone: () => (this.#shutdown ? this.#shutdown.check() : this.#serve()),
    });
    this.#idle = new IdleConnections(this.#house, {
      retire: (slot, reason) => this.#connections.retire(slot, reason),
      reaped: () => this.#connections.dialMore(),
    });
    this.#lending = new Lending(this.#house, (slot, reason) => this.#rest(slot, reason));
    this.#checker = new Checker(this.#house, this.#connections, this.#idle, (slot) => this.#rest(slot));
    this.#admission = new Admission(this.#house, this.#connections);
    // In a moment, so that listeners added right after the constructor hear of it too.
    if (options.minIdle > 0) queueMicrotask(() => this.#connections.dialMore());
  }

  async use<T>(work: (redis: Lease) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    if (typeof work !== 'function') throw invalidOption(`use() takes a function, got ${typeof work}`);
    const lease = await this.acquire(options);
    try {
      return await work(lease);
    } finally {
      lease.release();
    }
  }

  acquire(options?: AcquireOptions): Promise<Lease> {
    const stack = this.#lending.leaks.stack(this.acquire);
    return new Promise((resolve, reject) => {
      this.#request(options, {
        served: (slot, waitedMs) => resolve(this.#lending.lend(slot, waitedMs, stack)),
        failed: reject,
      });
    });
  }

  async ready(): Promise<void> {
    const { ledger, options } = this.#house;
    const missing = Math.max(0, Math.max(1, options.minIdle) - ledger.count.inUse);
    const take = (): Promise<PoolSlot> =>
      new Promise((served, failed) => this.#request(undefined, { served, failed }));
    // All at once, so that each is another connection.
    const taken = await Promise.allSettled(Array.from({ length: missing }, take));
    for (const one of taken) if (one.status === 'fulfilled') this.#rest(one.value);
    for (const one of taken) if (one.status === 'rejected') throw one.reason;
  }

  stats(): PoolStats {
    const { ledger, events } = this.#house;
    return takeSnapshot(ledger, events.counts, this.#waiters);
  }

  clear(): void {
    const { ledger, events } = this.#house;
    for (const slot of ledger.slots) slot.stale = true;
    this.#idle.closeAll('cleared');
    if (events.count('clear')) events.emit('clear', {});
  }

  async close(options: CloseOptions = {}): Promise<void> {
    checkKeys('option', options, ['graceMs']);
    const { graceMs = GRACE_MS } = options;
    checkTime('graceMs', graceMs);
    this.#shutdown ??= this.#shutDown();
    this.#shutdown.cutWithin(graceMs);
    await this.#shutdown.done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  on<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    this.#house.events.add(event, listener);
    return this;
  }

  once<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    this.#house.events.addOnce(event, listener);
    return this;
  }

  off<E extends PoolEventName>(event: E, listener: PoolListener<E>): this {
    this.#house.events.remove(event, listener);
    return this;
  }

  /** Serves `request` at once, or lets it wait; throws what refuses it. */
  #request(options: AcquireOptions | undefined, request: Request<PoolSlot>): void {
    this.#admission.mayCome(options, this.#shutdown !== undefined);
    const slot = this.#waiters.length === 0 ? this.#idle.take(this.#now()) : undefined;
    if (slot && !this.#checker.due(slot)) {
      request.served(slot, 0);
      if (this.#wanted() > 0) this.#connections.dialMore(); // minIdle
      return;
    }
    const { options: defaults, ledger, events } = this.#house;
    const excess = this.#waiters.length - ledger.room;
    if (!slot) this.#admission.mayWait(excess);
    const { timeoutMs = defaults.acquireTimeoutMs, signal } = options ?? {};
    const waiter = this.#waiters.admit(request, timeoutMs, signal);
    if (slot) {
      void this.#checkFor(waiter, slot);
    } else {
      this.#waiters.enqueue(waiter, excess >= 0);
      if (excess >= 0 && events.count('wait')) events.emit('wait', { waiting: excess + 1 });
      this.#connections.dialMore();
    }
  }

  /** Serves waiters with idle connections, in order, and dials for the rest. */
  #serve(): void {
    for (let waiter = this.#waiters.first; waiter; waiter = this.#waiters.first) {
      const slot = this.#idle.take(this.#now());
      if (!slot) break;
      if (this.#checker.due(slot)) void this.#checkFor(waiter, slot);
      else this.#waiters.serve(waiter, slot);
    }
    this.#connections.dialMore();
  }

  /** Looks at the connection first. If it is no good, the waiter is first in line for another. */
  async #checkFor(waiter: Waiter<PoolSlot>, slot: PoolSlot): Promise<void> {
    this.#waiters.setAside(waiter);
    const good = await this.#checker.run(slot);
    if (good && waiter.settled) this.#rest(slot);
    else if (good) this.#waiters.serve(waiter, slot);
    else if (!waiter.settled) this.#waiters.requeue(waiter);
    if (!good) this.#serve();
  }

  /** Where a connection goes that nobody uses any more; with a `reason`, it is closed. */
  #rest(slot: PoolSlot, reason?: CloseReason): void {
    const now = this.#now();
    const why = reason ?? (this.#shutdown ? 'poolClosed' : whyExpired(slot, now));
    if (why) {
      this.#connections.retire(slot, why);
    } else {
      this.#idle.put(slot, now);
      if (this.#waiters.length > 0) this.#serve();
      this.#idle.trim();
    }
  }

  /** A connection that nobody has used goes to the first in line, and needs no check. */
  #arrived(slot: PoolSlot): void {
    const waiter = this.#waiters.first;
    if (waiter && !whyExpired(slot, this.#now())) {
      this.#house.ledger.move(slot, 'inUse', this.#now());
      this.#waiters.serve(waiter, slot);
    } else this.#rest(slot);
    this.#connections.dialMore();
  }

  #dialFailed(cause: Error): void {
    const first = this.#waiters.first;
    if (this.#house.ledger.live === 0) this.#waiters.failAll(() => this.#admission.connectFailed(cause));
    else if (first) this.#waiters.fail(first, this.#admission.connectFailed(cause));
    this.#connections.dialMore();
  }

  /** A connection died. One in use is noticed when it comes back. */
  #lost(slot: PoolSlot): void {
    if (slot.state === 'idle') this.#idle.close(slot, 'broken');
  }

  /** How many dials someone has a use for. */
  #wanted(): number {
    if (this.#shutdown) return 0;
    return this.#waiters.length || this.#house.options.minIdle - this.#idle.length;
  }

  #now(): number {
    return this.#house.hands.clock.now();
  }

  #shutDown(): Shutdown {
    this.#connections.stop();
    this.#idle.stop();
    this.#lending.leaks.stop();
    const shutdown = new Shutdown(this.#house, this.#connections);
    this.#shutdown = shutdown;
    this.#waiters.failAll(() => this.#admission.closed(), 'everyone');
    this.#idle.closeAll('poolClosed');
    for (const slot of this.#house.ledger.slots) {
      if (slot.state === 'connecting') this.#connections.retire(slot, 'poolClosed');
    }
    shutdown.check();
    return shutdown;
  }
}
