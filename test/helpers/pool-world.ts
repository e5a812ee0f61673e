import type { Engine } from '../../src/engine/engine.ts';
import { genericPoolEngine } from '../../src/engine/generic-pool.ts';
import { isPoolError } from '../../src/errors.ts';
import type { Connection } from '../../src/hands.ts';
import type { BorrowContext, PoolOptions } from '../../src/options.ts';
import type { Pool } from '../../src/pool.ts';
import type { Lease, PoolEvents } from '../../src/redis-pool.ts';
import { settled } from './fake-clock.ts';
import { behind, FakeRedis } from './fake-redis.ts';

/** What a run of the model is about: the pool's options, and how its Redis and its callers are. */
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

/** What was done, as far as it explains errors and close reasons. */
export type Deed = 'broke' | 'tainted' | 'cleared' | 'dial failed';

/**
 * A pool, its Redis, and all who use it, watched from outside: it keeps its own books of who asked in which order,
 * who holds what, and what was done to the connections.
 */
export class World {
  readonly redis = new FakeRedis();
  readonly pool: Pool;
  readonly callers: Caller[] = [];
  /** What the pool did wrong, in words. */
  readonly bugs: string[] = [];
  readonly deeds = new Set<Deed>();
  /** The dials that have become connections. */
  readonly known = new Set<number>();
  /** Checks under way; a caller that is being checked for has left the queue. */
  checks = 0;
  /** The caller's own check fails. */
  ownTestFails = false;
  /** The deadlines of the `ready()` calls under way. */
  readonly readies = new Set<{ readonly deadline: number }>();
  leases = 0;
  destroyed = 0;
  /** `close()` was called; it has resolved. */
  closing = false;
  closed = false;
  /** When the first dial failed since one succeeded. */
  downSince: number | undefined;
  engine: Engine = genericPoolEngine(1);
  /** No connection with this number or below may be lent any more: `clear()` was called. */
  #staleUpTo = 0;
  #lastDial = 0;

  constructor(readonly draw: Draw) {
    this.redis.closeMs = draw.closeMs;
    this.redis.dialMs = draw.dialMs;
    const hooks: PoolOptions['hooks'] = {
      acquire: (event) => this.#lent(event),
      connecting: (event) => this.#dials(event),
      connect: ({ connectionId }) => {
        this.known.add(connectionId);
        this.downSince = undefined;
      },
      connectError: () => {
        this.downSince ??= this.now;
      },
    };
    const { ownTestMs } = draw;
    const testOnBorrow = (_: unknown, { signal }: BorrowContext) => this.#ownTest(ownTestMs ?? 0, signal);
    this.pool = this.redis.pool(
      { ...draw.options, hooks, testOnBorrow: ownTestMs === undefined ? undefined : testOnBorrow },
      {
        random: () => draw.jitter,
        check: (connection, timeoutMs) => this.#check(connection, timeoutMs),
        engine: (maxActive) => {
          this.engine = genericPoolEngine(maxActive);
          return this.engine;
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
    const deadline = this.now + (timeoutMs ?? this.draw.options.acquireTimeoutMs);
    const caller = new Caller(this.callers.length, deadline, this.closing);
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

  /** Has `caller` leave something on its connection: what can be undone, what cannot, or a reply that is owed. */
  taint({ lease }: Caller, how: 'watch' | 'monitor' | 'get' | 'blpop'): void {
    if (!lease) return;
    if (how !== 'watch') this.deeds.add('tainted');
    if (how === 'get' || how === 'blpop') behind(this.redis, lease).client.holdReplies = true;
    lease.call(how, 'k').catch(() => {});
  }

  abort(caller: Caller): void {
    caller.aborted = true;
    caller.controller.abort(caller);
  }

  clear(): void {
    this.deeds.add('cleared');
    this.#staleUpTo = this.#lastDial;
    this.pool.clear();
  }

  ready(): void {
    const one = { deadline: this.now + this.draw.options.acquireTimeoutMs };
    this.readies.add(one);
    const over = (error?: unknown): void => {
      this.readies.delete(one);
      if (error !== undefined && !isPoolError(error))
        this.bugs.push(`ready() rejected with ${String(error)}`);
    };
    this.pool.ready().then(() => over(), over);
  }

  close(graceMs: number): void {
    this.closing = true;
    this.pool.close({ graceMs }).then(
      () => {
        this.closed = true;
      },
      (error: unknown) => this.bugs.push(`close() rejected with ${String(error)}`),
    );
  }

  /** Redis is well again, and so are the connections to it. */
  heal(): void {
    this.redis.dial = 'succeeds';
    this.ownTestFails = false;
    for (const one of this.redis.dials) {
      one.succeed();
      one.pingMs = 0;
      one.client.holdReplies = false;
      if (one.alive) one.client.answer();
    }
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await settled();
  }

  async pass(ms: number): Promise<void> {
    await this.redis.clock.advance(ms);
    await this.settle();
  }

  /** Nobody is overtaken but those for whom a connection is being checked. */
  firstCome(caller: Caller, what: string): void {
    const before = this.asking.filter(({ number }) => number < caller.number);
    if (before.length <= this.checks) return;
    this.bugs.push(
      `caller ${caller.number} was ${what} before ${before.map(({ number }) => number).join(', ')}`,
    );
  }

  #served(caller: Caller, lease: Lease): void {
    this.leases++;
    if (caller.state !== 'asks') this.bugs.push(`caller ${caller.number} was served, and ${caller.state}`);
    if (caller.afterClose) this.bugs.push(`caller ${caller.number} was served after close`);
    this.firstCome(caller, 'served');
    caller.state = 'holds';
    caller.lease = lease;
  }

  #failed(caller: Caller, error: unknown): void {
    if (caller.state !== 'asks') this.bugs.push(`caller ${caller.number} failed, and ${caller.state}`);
    const why = whyWrong(this, caller, error);
    if (why) this.bugs.push(`caller ${caller.number} failed though ${why}: ${String(error)}`);
    caller.state = 'failed';
  }

  #lent({ connectionId }: PoolEvents['acquire']): void {
    if (connectionId <= this.#staleUpTo) this.bugs.push(`connection ${connectionId} was lent after clear()`);
    if (!behind(this.redis, { connectionId }).alive)
      this.bugs.push(`connection ${connectionId} was lent dead`);
  }

  /** With Redis down, one dial at a time, and not before the shortest back-off is over. */
  #dials({ connectionId, stats }: PoolEvents['connecting']): void {
    this.#lastDial = connectionId;
    if (this.downSince === undefined) return;
    if (stats.connecting > 1) this.bugs.push('a dial beside another though Redis is down');
    if (this.now < this.downSince + 25) this.bugs.push('a dial during the back-off');
  }

  async #check(connection: Connection, timeoutMs: number): Promise<void> {
    await this.#checking(() => this.redis.hands.check?.(connection, timeoutMs));
  }

  async #ownTest(ms: number, signal: AbortSignal): Promise<void> {
    const test = new Promise<void>((done) => {
      signal.addEventListener('abort', this.redis.clock.after(ms, done));
    });
    await this.#checking(() => test);
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

/** What speaks against the error that `caller` got. */
function whyWrong(world: World, caller: Caller, error: unknown): string | undefined {
  const { options } = world.draw;
  if (error === caller) return caller.aborted ? undefined : 'it was not aborted';
  if (!isPoolError(error)) return 'that is no PoolError';
  if (caller.afterClose && error.code !== 'POOL_CLOSED') return 'the pool is closed';
  const { inUse = 0, idle = 0, waiting = 0, maxActive = 0 } = error.stats ?? {};
  switch (error.code) {
    case 'POOL_CLOSED':
      return world.closing ? undefined : 'nobody closed';
    case 'POOL_ACQUIRE_TIMEOUT':
      return world.now < caller.deadline ? 'it had time' : undefined;
    case 'POOL_EXHAUSTED': {
      if (waiting < (options.wait ? options.maxWaiting : 0)) return 'it could have waited';
      const queue = world.asking.length - 1 + world.readies.size * Math.max(1, options.minIdle);
      return queue < maxActive - inUse - idle ? 'there was a place' : undefined;
    }
    case 'POOL_CONNECT_FAILED':
      if (!(error.cause instanceof Error)) return 'it has no cause';
      if (inUse + idle > 0) world.firstCome(caller, 'failed');
      return world.deeds.has('dial failed') ? undefined : 'no dial failed';
    default:
      return 'nobody may be told that';
  }
}
