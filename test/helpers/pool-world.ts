import { expect } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { genericPoolEngine } from '../../src/engine/generic-pool.ts';
import { isPoolError, type PoolErrorCode } from '../../src/errors.ts';
import type { Connection } from '../../src/hands.ts';
import type { BorrowContext, PoolOptions } from '../../src/options.ts';
import type { Pool } from '../../src/pool.ts';
import type { Lease, PoolEvents } from '../../src/redis-pool.ts';
import { settled } from './fake-clock.ts';
import { behind, FakeRedis } from './fake-redis.ts';

/** What a run of the model is about: the pool's options, and how its Redis is. */
export interface Draw {
  readonly options: {
    readonly maxActive: number;
    readonly maxIdle: number;
    readonly minIdle: number;
    readonly wait: boolean;
    readonly maxWaiting: number;
    readonly maxConnecting: number;
    readonly acquireTimeoutMs: number;
  } & PoolOptions;
  readonly closeMs: number;
  readonly dialMs: number;
  readonly jitter: number;
  /** How long the caller's own check takes; `undefined`: there is none. */
  readonly ownTestMs: number | undefined;
}

/** Someone who asked for a connection, and what became of it. */
export class Caller {
  state: 'asks' | 'holds' | 'gave back' | 'failed' = 'asks';
  lease: Lease | undefined;
  aborted = false;
  readonly controller = new AbortController();

  constructor(
    readonly number: number,
    readonly deadline: number,
    readonly afterClose: boolean,
  ) {}
}

/**
 * A pool, its Redis, and all who use it, watched from outside: it keeps its own books of who asked in which order,
 * who holds what, and what was done to the connections, and says where the pool disagrees.
 */
export class World {
  readonly redis = new FakeRedis();
  readonly pool: Pool;
  readonly callers: Caller[] = [];
  /** What went wrong, in words. */
  readonly bugs: string[] = [];
  /** The dials that have become connections. */
  readonly known = new Set<number>();
  /** Kinds of things that were done, that explain errors and close reasons. */
  readonly done = new Set<string>();
  /** Checks under way; a caller that is being checked for has left the queue. */
  checks = 0;
  /** The caller's own check fails. */
  ownTestFails = false;
  /** `ready()` calls under way, by deadline. */
  readonly readies: { deadline: number }[] = [];
  destroyed = 0;
  leases = 0;
  /** When `close()` will cut at the latest, and whether it has resolved. */
  cutAt: number | undefined;
  closed = false;
  readonly #draw: Draw;
  #engine: Engine | undefined;
  /** No connection with this number or below may be lent any more: `clear()` was called. */
  #staleUpTo = 0;
  #lastDial = 0;
  /** When the first dial failed since one succeeded. */
  #downSince: number | undefined;

  constructor(draw: Draw) {
    this.#draw = draw;
    this.redis.closeMs = draw.closeMs;
    this.redis.dialMs = draw.dialMs;
    const hooks: PoolOptions['hooks'] = {
      acquire: (event) => this.#lent(event),
      connecting: (event) => this.#dials(event),
      connect: ({ connectionId }) => {
        this.known.add(connectionId);
        this.#downSince = undefined;
      },
      connectError: () => {
        this.#downSince ??= this.now;
      },
    };
    const { ownTestMs } = draw;
    const testOnBorrow =
      ownTestMs === undefined
        ? undefined
        : (_: unknown, { signal }: BorrowContext) => this.#ownTest(ownTestMs, signal);
    this.pool = this.redis.pool(
      { ...draw.options, hooks, testOnBorrow },
      {
        random: () => draw.jitter,
        check: (connection, timeoutMs) => this.#check(connection, timeoutMs),
        engine: (maxActive) => {
          this.#engine = genericPoolEngine(maxActive);
          return this.#engine;
        },
      },
    );
  }

  get now(): number {
    return this.redis.clock.now();
  }

  /** Those who still ask, in the order they came. */
  get asking(): Caller[] {
    return this.callers.filter(({ state }) => state === 'asks');
  }

  get holding(): Caller[] {
    return this.callers.filter(({ state }) => state === 'holds');
  }

  ask(timeoutMs?: number): void {
    const { options } = this.#draw;
    const deadline = this.now + (timeoutMs ?? options.acquireTimeoutMs);
    const caller = new Caller(this.callers.length, deadline, this.cutAt !== undefined);
    this.callers.push(caller);
    this.pool.acquire({ timeoutMs, signal: caller.controller.signal }).then(
      (lease) => this.#served(caller, lease),
      (error: unknown) => this.#failed(caller, error),
    );
  }

  giveBack(caller: Caller, how: 'release' | 'destroy'): void {
    caller.state = 'gave back';
    if (how === 'destroy') this.destroyed++;
    caller.lease?.[how]();
  }

  /** Has `caller` leave something on its connection. */
  taint({ lease }: Caller, how: string): void {
    if (!lease) return;
    const { client } = behind(this.redis, lease);
    if (how !== 'watch') this.done.add('taint');
    if (how === 'owed' || how === 'blocked') client.holdReplies = true;
    const sent =
      how === 'watch'
        ? lease.watch('k')
        : how === 'dirty'
          ? lease.call('client', 'no-touch', 'on')
          : how === 'owed'
            ? lease.get('k')
            : lease.blpop('k', 0);
    sent.catch(() => {});
  }

  abort(caller: Caller): void {
    caller.aborted = true;
    caller.controller.abort(caller);
  }

  clear(): void {
    this.done.add('clear');
    this.#staleUpTo = this.#lastDial;
    this.pool.clear();
  }

  ready(): void {
    const { options } = this.#draw;
    const one = { deadline: this.now + options.acquireTimeoutMs };
    this.readies.push(one);
    const over = (error?: unknown): void => {
      this.readies.splice(this.readies.indexOf(one), 1);
      if (error !== undefined && !isPoolError(error))
        this.bugs.push(`ready() rejected with ${String(error)}`);
    };
    this.pool.ready().then(() => over(), over);
  }

  close(graceMs: number): void {
    this.cutAt = Math.min(this.cutAt ?? Number.POSITIVE_INFINITY, this.now + graceMs);
    this.pool.close({ graceMs }).then(
      () => {
        this.closed = true;
      },
      (error: unknown) => this.bugs.push(`close() rejected with ${String(error)}`),
    );
  }

  /** Redis is well again: all who ask are served, and nothing is lost. */
  async recover(): Promise<void> {
    const { redis } = this;
    redis.dial = 'succeeds';
    this.ownTestFails = false;
    for (const one of redis.dials) {
      one.succeed();
      one.pingMs = 0;
      one.client.holdReplies = false;
      if (one.alive) one.client.answer();
    }
    for (let i = 0; i < 300 && this.asking.length + this.readies.length + this.holding.length > 0; i++) {
      for (const caller of this.holding) this.giveBack(caller, 'release');
      await redis.clock.advance(50);
      await this.settle();
      this.verifySettled();
    }
    expect(this.asking, 'never served').toEqual([]);
    await redis.clock.advance(5000);
    this.ask(5000);
    await redis.clock.advance(2500);
    expect(this.holding.length, 'served after all is well').toBe(1);
    for (const caller of this.holding) this.giveBack(caller, 'release');
    await redis.clock.advance(2000);
    await this.settle();
    this.verifySettled();
    const { inUse, idle } = this.pool.stats();
    expect(inUse, 'lost connections').toBe(0);
    expect(redis.open).toBe(idle);
  }

  /** Closes, whatever is going on, and looks at what is left. */
  async end(): Promise<void> {
    this.close(50);
    await this.settle();
    this.verifySettled();
    await this.redis.clock.advance(51 + this.#draw.closeMs);
    await this.settle();
    this.verifySettled();
    expect(this.closed, 'closed').toBe(true);
    for (const caller of this.holding) this.giveBack(caller, 'release');
    this.close(10);
    await this.settle();
    this.verifySettled();
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await settled();
  }

  /** What holds at any moment. */
  verify(): void {
    const { maxActive, maxConnecting, maxWaiting, wait } = this.#draw.options;
    const { dials, sockets } = this.redis;
    const stats = this.pool.stats();
    const dialling = dials.filter(({ state }) => state === 'dialling').length;
    expect(sockets, 'sockets').toBeLessThanOrEqual(maxActive);
    expect(this.redis.peak, 'peak').toBeLessThanOrEqual(maxActive);
    expect(Math.max(dialling, stats.connecting), 'dials at once').toBeLessThanOrEqual(maxConnecting);
    expect(stats.total).toBe(stats.inUse + stats.idle + stats.connecting + stats.closing);
    expect(stats.total).toBeLessThanOrEqual(maxActive);
    expect(stats.waiting, 'waiting').toBeLessThanOrEqual(wait ? maxWaiting : 0);
    const closed = Object.values(stats.closed).reduce((sum, count) => sum + count, 0);
    expect(stats.connected, 'connected').toBe(stats.inUse + stats.idle + closed);
    const lent = this.holding.map(({ lease }) => lease?.connectionId);
    expect(new Set(lent).size, 'connections lent').toBe(lent.length);
    expect(this.bugs).toEqual([]);
  }

  /** What holds when all is done that needs no time. */
  verifySettled(): void {
    this.verify();
    const { options } = this.#draw;
    const { dials } = this.redis;
    const stats = this.pool.stats();
    const count = (state: string): number => dials.filter((one) => one.state === state).length;
    const open = this.holding.filter(({ lease }) => lease && behind(this.redis, lease).alive).length;
    expect(this.#engine?.size, 'permits').toBe(stats.total);
    expect(stats.connecting, 'connecting').toBe(count('dialling'));
    expect(stats.closing, 'closing').toBe(count('closing'));
    expect(stats.idle, 'idle ones that are dead').toBeLessThanOrEqual(count('open') - open);
    expect(stats.idle).toBeLessThanOrEqual(options.maxIdle);
    expect(stats.acquired).toBe(this.leases);
    expect(stats.aborted).toBe(
      this.callers.filter(({ aborted, state }) => aborted && state === 'failed').length,
    );
    const queueing = this.asking.length - this.checks;
    if (stats.idle > 0) expect(queueing, 'queueing beside idle ones').toBeLessThanOrEqual(0);
    this.#verifyDials(queueing);
    this.#verifyReasons();
    if (this.cutAt !== undefined) this.#verifyClosing();
  }

  /** What holds when time has passed. */
  verifyDeadlines(): void {
    for (const { deadline, number } of this.asking)
      expect(deadline, `caller ${number}`).toBeGreaterThan(this.now);
    for (const { deadline } of this.readies) expect(deadline, 'ready()').toBeGreaterThan(this.now);
  }

  /** Whoever is in want has a dial under way, unless something forbids it. */
  #verifyDials(queueing: number): void {
    const { maxActive, maxConnecting, minIdle } = this.#draw.options;
    const { total, connecting, idle, closing } = this.pool.stats();
    if (this.#downSince !== undefined || this.cutAt !== undefined) return;
    // What is kept ready is seen to when nobody waits, and what is being closed is gone.
    const refill = this.asking.length + this.readies.length + closing === 0 ? minIdle - idle : 0;
    const wanted = Math.max(queueing, refill);
    const most = Math.min(maxConnecting, maxActive - total + connecting);
    expect(connecting, 'dials under way').toBeGreaterThanOrEqual(Math.min(wanted, most));
  }

  #verifyReasons(): void {
    const { closed } = this.pool.stats();
    const { maxIdle, maxActive } = this.#draw.options;
    if (!this.done.has('broke')) expect(closed.broken).toBe(0);
    if (!this.done.has('taint')) expect(closed.dirty).toBe(0);
    if (!this.done.has('clear')) expect(closed.cleared).toBe(0);
    if (maxIdle === maxActive) expect(closed.excess).toBe(0);
    if (this.cutAt === undefined) expect([closed.destroyed, closed.poolClosed]).toEqual([this.destroyed, 0]);
  }

  #verifyClosing(): void {
    expect(this.asking.length + this.readies.length, 'waiting though closing').toBe(0);
    const { total, idle, connecting } = this.pool.stats();
    expect([idle, connecting]).toEqual([0, 0]);
    if (total === 0) expect(this.closed, 'closed').toBe(true);
      expect(this.closed, 'closed').toBe(true);
    if (!this.closed) return;
    expect([total, this.redis.sockets, this.#engine?.size]).toEqual([0, 0, 0]);
    expect(this.redis.clock.timers(), 'timers after close').toBe(0);
  }

  #served(caller: Caller, lease: Lease): void {
    this.leases++;
    if (caller.state !== 'asks') this.bugs.push(`caller ${caller.number} was served, and ${caller.state}`);
    if (caller.afterClose) this.bugs.push(`caller ${caller.number} was served after close`);
    this.#firstCome(caller, 'served');
    caller.state = 'holds';
    caller.lease = lease;
  }

  /** Nobody is overtaken but those for whom a connection is being checked. */
  #firstCome(caller: Caller, what: string): void {
    const before = this.asking.filter(({ number }) => number < caller.number);
    if (before.length <= this.checks) return;
    this.bugs.push(
      `caller ${caller.number} was ${what} before ${before.map(({ number }) => number).join(', ')}`,
    );
  }

  #failed(caller: Caller, error: unknown): void {
    if (caller.state !== 'asks') this.bugs.push(`caller ${caller.number} failed, and ${caller.state}`);
    const why = this.#whyWrong(caller, error);
    if (why) this.bugs.push(`caller ${caller.number} failed though ${why}: ${String(error)}`);
    caller.state = 'failed';
  }

  /** What speaks against the error of `caller`. */
  #whyWrong(caller: Caller, error: unknown): string | undefined {
    if (error === caller) return caller.aborted ? undefined : 'it was not aborted';
    if (!isPoolError(error)) return 'that is no PoolError';
    const { inUse = 0, idle = 0, waiting = 0, maxActive = 0 } = error.stats ?? {};
    const { options } = this.#draw;
    const wrong: Partial<Record<PoolErrorCode, () => string | false>> = {
      POOL_CLOSED: () => this.cutAt === undefined && 'nobody closed',
      POOL_ACQUIRE_TIMEOUT: () => this.now < caller.deadline && 'it had time',
      POOL_EXHAUSTED: () => {
        if (waiting < (options.wait ? options.maxWaiting : 0)) return 'it could have waited';
        const queue = this.asking.length - 1 + this.readies.length * Math.max(1, options.minIdle);
        return queue < maxActive - inUse - idle && 'there was a place';
      },
      POOL_CONNECT_FAILED: () => {
        if (!(error.cause instanceof Error)) return 'it has no cause';
        if (inUse + idle > 0) this.#firstCome(caller, 'failed');
        return !this.done.has('dial failed') && 'no dial failed';
      },
    };
    if (caller.afterClose && error.code !== 'POOL_CLOSED') return 'the pool is closed';
    const speaks = wrong[error.code];
    return speaks ? speaks() || undefined : 'nobody may be told that';
  }

  #lent({ connectionId }: PoolEvents['acquire']): void {
    if (connectionId <= this.#staleUpTo) this.bugs.push(`connection ${connectionId} was lent after clear()`);
    if (!behind(this.redis, { connectionId }).alive)
      this.bugs.push(`connection ${connectionId} was lent dead`);
  }

  /** With Redis down, one dial at a time, and not before the back-off is over. */
  #dials({ connectionId, stats }: PoolEvents['connecting']): void {
    this.#lastDial = connectionId;
    if (this.#downSince === undefined) return;
    if (stats.connecting > 1) this.bugs.push('a dial beside another though Redis is down');
    if (this.now < this.#downSince + 25) this.bugs.push('a dial during the back-off');
  }

  async #check(connection: Connection, timeoutMs: number): Promise<void> {
    await this.#checking(() => this.redis.hands.check?.(connection, timeoutMs));
  }

  async #ownTest(ms: number, signal: AbortSignal): Promise<void> {
    await this.#checking(
      () =>
        new Promise<void>((done) => {
          signal.addEventListener('abort', this.redis.clock.after(ms, done));
        }),
    );
    if (this.ownTestFails) throw new Error('not good enough');
  }

  async #checking(look: () => unknown): Promise<void> {
    this.checks++;
    try {
      await look();
    } finally {
      // What follows from a check has happened by then.
      setImmediate(() => this.checks--);
    }
  }
}
