import { type Clock, dateIn } from '../../util/clock.ts';
import { Answers } from './answers.ts';
import type { Context } from './command.ts';
import { DialScript } from './dials.ts';
import { Keyspace } from './keyspace.ts';
import type { Reply } from './reply.ts';
import { Scripts } from './scripts.ts';
import { MockConnection } from './session.ts';

/** The number of dbs, as in Redis by default. */
const DBS = 16;

/** A command that the mock received. */
export interface MockCommand {
  /** In lower case. */
  readonly name: string;
  /** As text, with `keyPrefix`. */
  readonly args: readonly string[];
  /** The `connectionId` of the lease that sent it; `undefined`: `pool.redis` sent it. */
  readonly lease: number | undefined;
  /** When it was received, on the mock's clock. Milliseconds. */
  readonly at: number;
}

interface Blocked {
  readonly session: MockConnection;
  readonly retry: () => boolean;
  readonly end: () => void;
}

/** A Redis in memory: its keys, its connections, and the behaviour that a test sets. */
export class MockServer {
  readonly clock: Clock;
  readonly dials: DialScript;
  readonly answers = new Answers();
  readonly commands: MockCommand[] = [];
  /** The open connections, by their `connectionId`. */
  readonly sessions = new Map<number, MockConnection>();
  /** Whether replies are held back. */
  holding = false;
  /** Whether the pool itself is sending a command, to validate or reset a connection. */
  checking = false;
  /** The date at which the clock was at 0: that of the system when the mock was made, from where the clock goes on. */
  readonly #epoch: number;
  readonly #dbs: readonly Keyspace[];
  readonly #scripts = new Scripts();
  #blocked: Blocked[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
    this.dials = new DialScript(clock);
    this.#epoch = Number(dateIn(0)) - clock.now();
    this.#dbs = Array.from({ length: DBS }, () => new Keyspace(() => this.date()));
  }

  /** The date, as the mock's clock has it. Milliseconds since 1970. */
  date(): number {
    return this.#epoch + this.clock.now();
  }

  /** All keys of all dbs. */
  get size(): number {
    return this.#dbs.reduce((sum, { size }) => sum + size, 0);
  }

  /** Commands without a reply. */
  get owed(): number {
    return [...this.sessions.values()].reduce((sum, { owed }) => sum + owed, 0);
  }

  /** The number of connections that wait for a test's handlers. */
  get handling(): number {
    return [...this.sessions.values()].filter((session) => session.handling !== undefined).length;
  }

  /** Opens connection `id`. */
  open(id: number): MockConnection {
    const session = new MockConnection(id, this);
    this.sessions.set(id, session);
    return session;
  }

  /** The context for the commands of `session`. */
  contextOf(session: MockConnection): Context {
    const db = this.#dbs[session.dbIndex];
    if (db === undefined) throw new Error(`bug: there is no db ${session.dbIndex}`);
    return {
      db,
      dbs: this.#dbs,
      client: session,
      clients: this.sessions.values(),
      scripts: this.#scripts,
      call: (name, args) => session.call(name, args),
      date: () => Math.floor(this.date()),
      block: (ms, retry) => this.#block(session, ms, retry),
    };
  }

  note(session: MockConnection, name: string, args: readonly string[]): void {
    const lease = session.leased ? session.id : undefined;
    this.commands.push(Object.freeze({ name, args: Object.freeze(args), lease, at: this.clock.now() }));
  }

  /** Runs `send`, which sends commands of the pool itself. */
  asPool<T>(send: () => T): T {
    this.checking = true;
    try {
      return send();
    } finally {
      this.checking = false;
    }
  }

  /** Retries the blocked commands, in the order in which they came. */
  retryBlocked(): void {
    const all = this.#blocked;
    if (all.length === 0) return;
    this.#blocked = [];
    const still = all.filter((one) => !one.retry());
    this.#blocked.unshift(...still);
  }

  /** Sends the replies that were held back, and holds back no more. */
  flush(): void {
    this.holding = false;
    for (const session of this.sessions.values()) session.flush();
  }

  forget(session: MockConnection): void {
    this.sessions.delete(session.id);
    for (const one of this.#blocked) if (one.session === session) one.end();
    this.#blocked = this.#blocked.filter((one) => one.session !== session);
  }

  #block(session: MockConnection, ms: number, make: () => Reply | undefined): Reply | Promise<Reply> {
    const now = make();
    if (now !== undefined) return now;
    if (session.inTransaction) return null;
    return new Promise((resolve, reject) => {
      const end = this.clock.after(ms, () => {
        this.#blocked = this.#blocked.filter((one) => one !== blocked);
        resolve(null);
      });
      const retry = (): boolean => {
        try {
          const reply = make();
          if (reply === undefined) return false;
          resolve(reply);
        } catch (error) {
          reject(error);
        }
        end();
        return true;
      };
      const blocked: Blocked = { session, retry, end };
      this.#blocked.push(blocked);
    });
  }
}
