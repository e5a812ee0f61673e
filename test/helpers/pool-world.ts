import { isPoolError } from '../../src/api/errors.ts';
import type { PoolEvents } from '../../src/api/events.ts';
import type { Lease } from '../../src/api/lease.ts';
import type { BorrowContext, PoolOptions } from '../../src/api/options.ts';
import type { Connection } from '../../src/core/dependencies.ts';
import { genericPoolPermits } from '../../src/core/generic-pool.ts';
import type { Permits } from '../../src/core/permits.ts';
import type { Pool } from '../../src/pool.ts';
import { settled } from './fake-clock.ts';
import { behind, type FakeConnection, FakeRedis } from './fake-redis.ts';
import { Caller, type Draw, Order } from './pool-callers.ts';
import { whyWrong } from './pool-promises.ts';

/** 50 ms, less the most that chance takes away. */
const SHORTEST_BACKOFF_MS = 25;
const LONGEST_BACKOFF_MS = 2000;
const PACED_MS = 1000;

/** What Redis says to a wrong password. */
export const WRONGPASS = new Error('WRONGPASS invalid username-password pair or user is disabled.');

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
  readonly order = new Order();
  /** What the pool did wrong, in words. */
  readonly bugs: string[] = [];
  readonly deeds = new Set<Deed>();
  /** The dials that have become connections, and when. */
  readonly known = new Map<number, number>();
  /** Checks under way; a caller that is being checked for has left the queue. */
  checks = 0;
  /** There was a check. */
  checked = false;
  /** The caller's own check fails. */
  ownTestFails = false;
  /** The deadlines of the `ready()` calls under way. */
  readonly readies = new Set<{ readonly deadline: number }>();
  leases = 0;
  destroyed = 0;
  /** `close()` was called; it has resolved. */
  closing = false;
  closed = false;
  /** Nobody meddles. */
  calm = false;
  /** When the first dial failed since one succeeded. */
  downSince: number | undefined;
  /** A dial has succeeded. */
  everConnected = false;
  /** When the first dial that failed since one succeeded had begun: before that, no outage began. */
  awayFrom = Number.POSITIVE_INFINITY;
  /** When the first failed with no connection open: the outage had begun by then. */
  awayBy = Number.POSITIVE_INFINITY;
  /** When the last dial failed, and that is a cause that may pass. */
  lastFailure = { at: 0, mayPass: true };
  /** Until when dials may be held back since a connection died that nobody had used. */
  doubtUntil = 0;
  /** Until when dials may be paced: after an outage, and while connections are lost young. */
  pacedUntil = 0;
  /** When the last dial started. */
  lastDialAt = 0;
  engine: Permits = genericPoolPermits(1);
  /** No connection with this number or below may be lent any more: `clear()` was called. */
  staleUpTo = 0;
  #lastDial = 0;
  #meddling = false;
  #meddled = 0;

  constructor(readonly draw: Draw) {
    this.redis.closeMs = draw.closeMs;
    this.redis.dialMs = draw.dialMs;
    const { ownTestMs } = draw;
    const testOnBorrow = (_: unknown, { signal }: BorrowContext) => this.#ownTest(ownTestMs ?? 0, signal);
    this.pool = this.redis.pool(
      {
        ...draw.options,
        hooks: this.#hooks(),
        testOnBorrow: ownTestMs === undefined ? undefined : testOnBorrow,
      },
      {
        random: () => draw.jitter,
        ping: (connection, timeoutMs) => this.#check(connection, timeoutMs),
        permits: (maxActive) => {
          this.engine = genericPoolPermits(maxActive);
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

  /** Connections that are open, and lent to nobody. */
  get unlent(): FakeConnection[] {
    const lent = new Set(this.holding.map(({ lease }) => lease?.connectionId));
    return this.redis.dials.filter(
      ({ id, state }) => state === 'open' && this.known.has(id) && !lent.has(id),
    );
  }

  ask(timeoutMs?: number): void {
    const deadline = this.now + (timeoutMs ?? this.draw.options.acquireTimeoutMs);
    const caller = new Caller(this.callers.length, deadline, this.closing, this.asking.length, this.now);
    this.callers.push(caller);
    const { inUse, idle } = this.pool.stats();
    const refuses = this.now < (this.downSince ?? 0) + SHORTEST_BACKOFF_MS && this.mayRefuse('surely');
    caller.doomed = inUse + idle === 0 && refuses;
    this.pool.acquire({ timeoutMs, signal: caller.controller.signal }).then(
      (lease) => this.#served(caller, lease),
      (error: unknown) => this.#failed(caller, error),
    );
  }

  /** Whether those who wait for Redis' return are told why not by now; `surely`, however late the outage began. */
  mayRefuse(surely?: 'surely'): boolean {
    const { wait, outageWaitMs } = this.draw.options;
    if (!this.everConnected || !wait || outageWaitMs === 0 || !this.lastFailure.mayPass) return true;
    return this.now >= (surely ? this.awayBy : this.awayFrom) + outageWaitMs;
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
    this.staleUpTo = this.#lastDial;
    this.pool.clear();
  }

  ready(timeoutMs?: number): void {
    const one = { deadline: this.now + (timeoutMs ?? this.draw.options.acquireTimeoutMs) };
    this.readies.add(one);
    const over = (error?: unknown): void => {
      this.readies.delete(one);
      if (error !== undefined && !isPoolError(error))
        this.bugs.push(`ready() rejected with ${String(error)}`);
    };
    this.pool.ready({ timeoutMs }).then(() => over(), over);
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

  /** `caller` failed in place of the first in line. */
  failedFirst(caller: Caller): void {
    this.order.hadTurn(caller, this.#ahead(caller), this.checks);
  }

  /** Those who came before `caller`, and have not given up. */
  #ahead({ number }: Caller): Caller[] {
    return this.asking.filter((one) => one.number < number && one.deadline > this.now && !one.aborted);
  }

  #hooks(): PoolOptions['hooks'] {
    const { meddle } = this.draw;
    if (meddle) queueMicrotask(() => this.pool.on(meddle.event, () => this.#meddle(meddle.act)));
    return {
      acquire: (event) => this.#lent(event),
      connecting: (event) => this.#dials(event),
      connect: ({ connectionId }) => {
        this.known.set(connectionId, this.now);
        if (this.downSince !== undefined) this.pace();
        this.downSince = undefined;
        this.awayFrom = Number.POSITIVE_INFINITY;
        this.awayBy = Number.POSITIVE_INFINITY;
        this.everConnected = true;
      },
      close: ({ reason, uses, ageMs }) => {
        if (reason === 'broken' && ageMs < PACED_MS) this.pace();
        if (reason === 'broken' && uses === 0) this.doubt();
      },
      connectError: ({ stats, error, durationMs }) => {
        this.downSince ??= this.now;
        this.lastFailure = { at: this.now, mayPass: error !== WRONGPASS };
        this.awayFrom = Math.min(this.awayFrom, this.now - durationMs);
        if (stats.inUse + stats.idle + this.checks > 0) return;
        this.awayBy = Math.min(this.awayBy, this.now);
        if (!this.mayRefuse('surely')) return;
        for (const caller of this.asking) caller.doomed = true;
      },
    };
  }

  /** Not for ever, and not in answer to itself. */
  #meddle(act: 'ask' | 'release' | 'abort' | 'clear'): void {
    const [asking] = this.asking;
    const [holding] = this.holding;
    if (this.calm || this.#meddling || ++this.#meddled > 30) return;
    this.#meddling = true;
    if (act === 'ask') this.ask();
    if (act === 'clear') this.clear();
    if (act === 'abort' && asking) this.abort(asking);
    if (act === 'release' && holding) this.giveBack(holding, 'release');
    this.#meddling = false;
  }

  #served(caller: Caller, lease: Lease): void {
    this.leases++;
    if (caller.state !== 'asks') this.bugs.push(`caller ${caller.number} was served, and ${caller.state}`);
    if (caller.afterClose) this.bugs.push(`caller ${caller.number} was served after close`);
    this.order.served(caller, lease, this.#ahead(caller), this.checks);
    caller.state = 'holds';
    caller.lease = lease;
  }

  #failed(caller: Caller, error: unknown): void {
    if (caller.state !== 'asks') this.bugs.push(`caller ${caller.number} failed, and ${caller.state}`);
    const why = whyWrong(this, caller, error);
    if (why) this.bugs.push(`caller ${caller.number} failed though ${why}: ${String(error)}`);
    caller.state = 'failed';
    caller.error = error;
  }

  #lent({ connectionId }: PoolEvents['acquire']): void {
    this.order.lent(connectionId);
    if (connectionId <= this.staleUpTo && !this.draw.meddle)
      this.bugs.push(`connection ${connectionId} was lent after clear()`);
    if (!behind(this.redis, { connectionId }).alive)
      this.bugs.push(`connection ${connectionId} was lent dead`);
  }

  /** A connection died that nobody may have used. */
  doubt(): void {
    this.doubtUntil = this.now + 2 * LONGEST_BACKOFF_MS;
    this.pacedUntil = this.doubtUntil + PACED_MS; // an outage may end with the doubt
  }

  /** An outage is over, or a connection was lost, young perhaps. */
  pace(): void {
    this.pacedUntil = Math.max(this.pacedUntil, this.now + PACED_MS);
  }

  /** With Redis down, one dial at a time, and not before the shortest back-off is over. */
  #dials({ connectionId, stats }: PoolEvents['connecting']): void {
    this.#lastDial = connectionId;
    this.lastDialAt = this.now;
    if (this.downSince === undefined) return;
    if (stats.connecting > 1) this.bugs.push('a dial beside another though Redis is down');
    if (this.now < this.downSince + SHORTEST_BACKOFF_MS) this.bugs.push('a dial during the back-off');
  }

  async #check(connection: Connection, timeoutMs: number): Promise<void> {
    await this.#checking(() => this.redis.deps.ping?.(connection, timeoutMs));
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
    this.checked = true;
    try {
      await look();
    } finally {
      // What follows from a check has happened by then.
      setImmediate(() => this.checks--);
    }
  }
}
