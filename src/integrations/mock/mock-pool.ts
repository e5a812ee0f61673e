import type { Redis } from 'ioredis';
import { invalidOption } from '../../api/errors.ts';
import type { Lease } from '../../api/lease.ts';
import type { PoolOptions } from '../../api/options.ts';
import type { AcquireOptions, CloseOptions } from '../../api/redis-pool.ts';
import { DEFAULTS } from '../../api/resolve-options.ts';
import { readArguments } from '../../core/constructor-arguments.ts';
import { ping } from '../../ioredis/ping.ts';
import { Pool } from '../../pool.ts';
import { reallyAfter } from '../../util/clock.ts';
import { warn } from '../../util/warn.ts';
import type { Answer, AnswerHandler } from './answers.ts';
import { memoryClients } from './clients.ts';
import { costOf } from './costs.ts';
import { callingHandler } from './handling.ts';
import { type MockLease, OpenLeases } from './leases.ts';
import { MockClock } from './mock-clock.ts';
import { type MockCommand, MockServer } from './server.ts';

/** The grace for leases when a mock is closed. Real milliseconds, longer than the I/O of a test takes. */
const MOST_GRACE_MS = 250;

/**
 * A pool for tests: the real {@link Pool} on connections in memory, with a clock that only the test advances. No
 * server and no socket; waiting, limits, errors, events, stats and close are those of the real pool.
 */
export class MockPool extends Pool {
  readonly #clock: MockClock;
  readonly #server: MockServer;
  readonly #leases = new OpenLeases();
  /** Why leases have cost their connections. */
  readonly #costs: string[] = [];
  /** Connections that `exhaust()` has taken and not released. */
  #exhausted = 0;
  /** close() has said which leases it did not get back. */
  #toldLeaks = false;

  /**
   * Takes the arguments of {@link Pool}. The address of Redis has no effect; `db`, `keyPrefix` and the like do.
   *
   * @throws {PoolError} `POOL_INVALID_OPTION`
   * @example
   * import { MockPool } from 'bounded-redis-pool/mock';
   *
   * const mock = new MockPool({ acquireTimeoutMs: 5000 });
   * await mock.redis.set('apples', 1);
   * const giveBack = await mock.exhaust();
   * const late = mock.acquire().catch((error) => error.code);
   * await mock.advance(5000); // takes no time
   * console.log(await late); // POOL_ACQUIRE_TIMEOUT
   * giveBack();
   * await mock.close();
   */
  constructor(url?: string, options?: PoolOptions);
  constructor(options: PoolOptions);
  constructor(first?: string | PoolOptions, second?: PoolOptions) {
    const [given] = readArguments(first, second);
    const clock = new MockClock((dueMs) =>
      warn(
        `${this} has waited for a second of real time; its own clock stands still, and what it waits for is due in ` +
          `${dueMs} ms: let them pass with \`await mock.advance(ms)\``,
      ),
    );
    const server = new MockServer(clock);
    const { createClient = DEFAULTS.createClient } = given;
    super(
      {
        ...given,
        createClient: typeof createClient === 'function' ? memoryClients(server, createClient) : createClient,
      },
      {
        clock,
        random: () => 0, // so that back-off and lifetimes are exact
        watchFailovers: () => undefined, // there are no sentinels
        ping: (connection, timeoutMs) => server.asPool(() => ping(connection, timeoutMs, clock)),
      },
    );
    this.#clock = clock;
    this.#server = server;
    const mark = (id: number, marks: { ready?: true; leased?: boolean }): void =>
      void Object.assign(server.sessions.get(id) ?? {}, marks);
    this.on('connect', ({ connectionId }) => mark(connectionId, { ready: true }));
    this.on('acquire', ({ connectionId }) => mark(connectionId, { leased: true }));
    this.on('release', ({ connectionId }) => mark(connectionId, { leased: false }));
    this.on('close', ({ connectionId, reason }) => {
      const cost = reason === 'dirty' ? costOf(server, connectionId) : undefined;
      if (cost !== undefined) this.#costs.push(cost);
    });
  }

  override get redis(): Redis {
    this.#noticeHandler('mock.redis');
    return super.redis;
  }

  override async acquire(options?: AcquireOptions): Promise<Lease> {
    const at: { stack?: string } = {};
    Error.captureStackTrace(at, this.acquire);
    this.#noticeHandler('a connection');
    const lease = await super.acquire(options);
    this.#leases.add(lease, this.#clock.now(), at.stack ?? '');
    return lease;
  }

  /**
   * As that of a pool, but since the mock's clock may never advance, the grace is at most a quarter of a second of real
   * time. Then the connections of leases are closed, and a warning says which leases those were; not with a grace of 0,
   * which asks for it.
   */
  override async close(options?: CloseOptions): Promise<void> {
    const closed = super.close(options);
    void callingHandler()?.asksFor('close()');
    const cancel = reallyAfter(MOST_GRACE_MS, () => void super.close({ graceMs: 0 }));
    try {
      await closed;
    } finally {
      cancel();
    }
    if (options?.graceMs === 0 || this.leases.length === 0 || this.#toldLeaks) return;
    this.#toldLeaks = true;
    warn(`close() did not get back all leases of ${this.#leaks()}`);
  }

  /** A handler asks for a connection. It gets none while all connections wait for handlers. */
  #noticeHandler(what: string): void {
    const none = (): boolean => this.#server.handling >= this.stats().maxActive;
    void callingHandler()?.asksFor(what, none);
  }

  /**
   * Answers command `name` in place of the store, from now on: with a value, or with what a function of the command's
   * arguments returns. If the function throws, the command rejects with that error; if it returns `undefined`, the
   * store answers. A script is answered as `eval`, whether sent by EVAL or EVALSHA: `(script, numKeys,
   * ...keysAndArgs)`.
   */
  reply(name: string, answer: Answer | AnswerHandler): this {
    this.#server.answers.set(name, answer);
    return this;
  }

  /** Like `reply()`, for one call; several are used in the order given, and before the answer of `reply()`. */
  replyOnce(name: string, answer: Answer | AnswerHandler): this {
    this.#server.answers.addOnce(name, answer);
    return this;
  }

  /** Lets the next `times` connects fail with `error`; by default all from now on, with 0 none. */
  failConnects(error: Error, times = Number.POSITIVE_INFINITY): this {
    if (!(error instanceof Error)) throw invalidOption(`failConnects() takes an Error, got ${String(error)}`);
    this.#server.dials.fail(error, atLeastZero('failConnects() takes times', times));
    return this;
  }

  /** Every connect from now on takes `ms` milliseconds on the mock's clock; `Infinity`: it never ends by itself. */
  delayConnects(ms: number): this {
    this.#server.dials.delayMs = atLeastZero('delayConnects() takes milliseconds', ms);
    return this;
  }

  /** Closes a connection from the server's side: the one with this `connectionId`, or all if none is given. */
  killConnection(connectionId?: number): this {
    const { sessions } = this.#server;
    const open = connectionId === undefined ? [...sessions.values()] : [sessions.get(connectionId)];
    for (const session of open) {
      if (session === undefined) {
        const known = [...sessions.keys()].join(', ') || 'none';
        throw invalidOption(`killConnection(): no connection ${connectionId} is open; open are ${known}`);
      }
      session.socket.destroy();
    }
    return this;
  }

  /**
   * Takes all connections that are not leased, so that the next acquire waits, or is refused. Resolves with a function
   * that releases them.
   */
  async exhaust(): Promise<() => void> {
    const { maxActive, inUse, lanes } = this.stats();
    const free = maxActive - (inUse - lanes);
    const asked = Array.from({ length: free }, () => super.acquire({ timeoutMs: Number.POSITIVE_INFINITY }));
    const taken = await Promise.allSettled(asked);
    const leases = taken.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    this.#exhausted += leases.length;
    const giveBack = (): void => {
      for (const lease of leases.splice(0)) {
        this.#exhausted--;
        lease.release();
      }
    };
    const failed = taken.find((one) => one.status === 'rejected');
    if (failed === undefined) return giveBack;
    giveBack();
    throw failed.reason;
  }

  /** Holds back all replies, like a server that hangs: commands are run, and get no reply. Connects still succeed. */
  holdReplies(): this {
    this.#server.holding = true;
    return this;
  }

  /** Sends the replies that were held back, and holds back no more. */
  flush(): this {
    this.#server.flush();
    return this;
  }

  /** Advances the mock's clock by `ms` milliseconds; all timers that are due by then fire. */
  async advance(ms: number): Promise<void> {
    if (ms === Number.POSITIVE_INFINITY)
      throw invalidOption('advance() takes milliseconds, and Infinity has no end');
    await this.#clock.advance(atLeastZero('advance() takes milliseconds', ms));
  }

  /** The commands that were received, in order, without those that the pool itself sends, such as during a connect. */
  get commands(): readonly MockCommand[] {
    return [...this.#server.commands];
  }

  /** The leases that were not released. */
  get leases(): readonly MockLease[] {
    return this.#leases.open;
  }

  /** Throws if leases were not released, with the stacks that acquired them. */
  assertNoLeaks(): void {
    if (this.leases.length > 0) throw new Error(this.#leaks());
  }

  #leaks(): string {
    const told = this.leases.map(
      ({ connectionId, stack }) => `lease of connection ${connectionId}, acquired\n${stack}`,
    );
    return `${this}: ${told.length} not released\n${told.join('\n')}`;
  }

  /**
   * Throws if anything is left over: a lease that was not released, or was released in a state that cost its
   * connection (but for subscriptions that it has ended); a caller that waits; a command without a reply; an answer of
   * `replyOnce()` or a failure of `failConnects(error, times)` that was not used; connections that `exhaust()` holds.
   */
  assertClean(): void {
    this.assertNoLeaks();
    const { waiting } = this.stats();
    const costs = this.#costs;
    const { answers, dials, owed } = this.#server;
    const left = [
      costs.length > 0 &&
        `${many(costs.length, 'connection was closed for what its lease', 'connections were closed for what their leases')} ` +
          `left behind (${costs.join('; ')})`,
      this.#exhausted > 0 && `${many(this.#exhausted, 'connection is', 'connections are')} held by exhaust()`,
      waiting > 0 && `${many(waiting, 'caller waits', 'callers wait')} for a connection`,
      owed > 0 && many(owed, 'command waits for its reply', 'commands wait for their replies'),
      answers.unused.length > 0 && `replyOnce() was not used for ${answers.unused.join(', ')}`,
      dials.failuresLeft > 0 && `failConnects() has ${many(dials.failuresLeft, 'failure', 'failures')} left`,
    ].filter(Boolean);
    if (left.length > 0) throw new Error(`${this}: ${left.join('; ')}`);
  }

  /** Its state, in one line. */
  override toString(): string {
    const { maxActive, inUse, idle, waiting } = this.stats();
    const { commands, size } = this.#server;
    const state = `${inUse} of ${maxActive} in use, ${this.leases.length} leased, ${idle} idle, ${waiting} waiting`;
    return `MockPool (${state}; ${commands.length} commands, ${size} keys)`;
  }
}

function atLeastZero(what: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw invalidOption(`${what}, a number of at least 0, got ${String(value)}`);
}

function many(n: number, one: string, more: string): string {
  return `${n} ${n === 1 ? one : more}`;
}
