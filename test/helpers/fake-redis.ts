import { type Command, Redis } from 'ioredis';
import type { PoolOptions } from '../../src/api/options.ts';
import type { Connection, ConnectionOwner, Dependencies } from '../../src/core/dependencies.ts';
import { Pool } from '../../src/pool.ts';
import { within } from '../../src/util/clock.ts';
import { FakeClock } from './fake-clock.ts';

/** A client that sends nowhere: it notes its commands, and answers OK unless told to hold its replies. */
export class FakeClient extends Redis {
  readonly log: string[] = [];
  holdReplies = false;

  constructor() {
    super({ lazyConnect: true });
    this.status = 'ready';
  }

  override sendCommand(command: Command): unknown {
    this.log.push([command.name, ...command.args].join(' '));
    if (this.holdReplies) this.commandQueue.push({ command, stream: undefined, select: 0 } as never);
    else command.resolve('OK');
    return command.promise;
  }

  /** Answers what was held. */
  answer(): void {
    for (let item = this.commandQueue.shift(); item; item = this.commandQueue.shift())
      item.command.resolve('OK');
  }

  /** Fails what was held. */
  failHeld(error: () => Error): void {
    for (let item = this.commandQueue.shift(); item; item = this.commandQueue.shift())
      item.command.reject(error());
  }
}

/** One dial, and the connection that may come of it. */
export class FakeConnection implements Connection {
  readonly client = new FakeClient();
  readonly ready: Promise<void>;
  state: 'dialling' | 'open' | 'closing' | 'closed' = 'dialling';
  /** Whether anything came over it; `undefined`: whoever had it is taken to have had an answer. */
  answered: boolean | undefined;
  /** Answers the pool's PING; otherwise refuses it at once. */
  answersPing = true;
  /** How long that answer takes; with `Infinity` it never comes. */
  pingMs = 0;
  /** The pool's PINGs: how long each was allowed to take. */
  readonly pings: number[] = [];
  succeed: () => void = () => {};
  fail: (error?: Error) => void = () => {};
  #gone: () => void = () => {};
  /** Resolves when its socket is gone. */
  readonly gone: Promise<void>;

  constructor(
    readonly id: number,
    readonly owner: ConnectionOwner,
    readonly server: FakeRedis,
  ) {
    this.ready = new Promise((resolve, reject) => {
      this.succeed = () => {
        if (this.state !== 'dialling') return;
        this.state = 'open';
        resolve();
      };
      this.fail = (error = new Error('connect ECONNREFUSED')) => reject(error);
    });
    this.ready.catch(() => {});
    this.gone = new Promise((resolve) => {
      this.#gone = () => {
        this.state = 'closed';
        this.client.failHeld(() => owner.lostError());
        resolve();
      };
    });
  }

  get alive(): boolean {
    return this.state === 'open';
  }

  get pendingReplies(): number {
    return this.client.commandQueue.length;
  }

  get db(): number {
    return this.client.options.db ?? 0;
  }

  /** The pool's PING. */
  ping(timeoutMs: number): Promise<void> {
    this.pings.push(timeoutMs);
    if (!this.answersPing) return Promise.reject(new Error('no answer'));
    if (this.pingMs === 0) return Promise.resolve();
    const { clock } = this.server;
    const answer = new Promise<void>((resolve, reject) => {
      const cancel = clock.after(this.pingMs, resolve);
      void this.gone.then(() => {
        cancel();
        reject(new Error('the connection was closed'));
      });
    });
    return within(clock, timeoutMs, answer);
  }

  /** The connection dies on its own. */
  die(): void {
    this.#gone();
    this.owner.lost();
  }

  /** What it was cut off for. */
  cutFor: Error | undefined;

  cut(cause: Error): void {
    this.cutFor = cause;
    this.die();
  }

  close(): Promise<void> {
    if (this.state === 'closed') return this.gone;
    if (this.state === 'dialling') this.fail(new Error('the connection was closed'));
    this.state = 'closing';
    if (this.server.closeMs === 0) this.#gone();
    else this.server.clock.after(this.server.closeMs, () => this.#gone());
    return this.gone;
  }
}

/** A Redis that exists in the test alone, and the hands that reach it. */
export class FakeRedis {
  readonly clock = new FakeClock();
  /** Every dial there was, in order. */
  readonly dials: FakeConnection[] = [];
  /** What becomes of a dial: it succeeds after `dialMs`, fails then, or hangs until the test decides. */
  dial: 'succeeds' | 'fails' | 'hangs' = 'succeeds';
  dialMs = 0;
  dialError: Error | undefined;
  /** How long closing a socket takes. */
  closeMs = 0;
  /** Most sockets that were there at once, dialling and closing ones included. */
  peak = 0;

  /** Sockets that are there. */
  get sockets(): number {
    return this.dials.filter((one) => one.state !== 'closed').length;
  }

  /** Connections that are open. */
  get open(): number {
    return this.dials.filter((one) => one.state === 'open').length;
  }

  readonly deps: Partial<Dependencies> = {
    clock: this.clock,
    random: () => 0,
    connect: (owner) => this.#connect(owner),
    ping: (connection, timeoutMs) => (connection as FakeConnection).ping(timeoutMs),
  };

  /** A pool on this Redis; `hands` replace its own. */
  pool(options: PoolOptions = {}, deps: Partial<Dependencies> = {}): Pool {
    const all = { ...this.deps, ...deps };
    return new (Pool as new (options: PoolOptions, deps: Partial<Dependencies>) => Pool)(options, all);
  }

  #connect(owner: ConnectionOwner): FakeConnection {
    const connection = new FakeConnection(this.dials.length + 1, owner, this);
    this.dials.push(connection);
    this.peak = Math.max(this.peak, this.sockets);
    if (this.dial === 'hangs') return connection;
    const end = this.dial === 'succeeds' ? connection.succeed : () => connection.fail(this.dialError);
    if (this.dialMs === 0) end();
    else {
      const cancel = this.clock.after(this.dialMs, end);
      connection.ready.then(cancel, cancel);
    }
    return connection;
  }
}

/** The connection behind a lease that came from a {@link FakeRedis}. */
export function behind(server: FakeRedis, lease: { readonly connectionId: number }): FakeConnection {
  const connection = server.dials[lease.connectionId - 1];
  if (!connection) throw new Error(`no connection ${lease.connectionId}`);
  return connection;
}
