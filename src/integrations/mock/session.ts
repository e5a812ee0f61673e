import { toFailure } from './answers.ts';
import { arityError, type Client, type Context } from './command.ts';
import { commandOf } from './commands.ts';
import { callingHandler, Handling } from './handling.ts';
import { Failure, type Reply, textOf } from './reply.ts';
import { encode, type Protocol, RequestReader } from './resp.ts';
import type { MockServer } from './server.ts';
import { MemorySocket, type Peer } from './socket.ts';
import { TRANSACTION, Transaction } from './transaction.ts';

/** What the pool itself sends over a connection that nobody holds, to reset it after a lease. */
const UNDOING: ReadonlySet<string> = new Set(['discard', 'unwatch', 'select']);

/** What scripts may not call. */
const NOT_IN_SCRIPTS = new Set([
  ...['auth', 'client', 'eval', 'evalsha', 'hello', 'quit', 'script', ...TRANSACTION],
  ...['subscribe', 'unsubscribe', 'psubscribe', 'punsubscribe', 'config', 'role'],
  ...['blpop', 'brpop', 'blmove', 'brpoplpush', 'blmpop', 'bzpopmin', 'bzpopmax', 'bzmpop'],
]);

/** The outcome of a command: its reply, now or later; nothing if the command has sent its replies itself. */
type Outcome = Reply | undefined | Promise<Reply | undefined>;

/** The server's side of one connection: runs one command after the other, and replies in that order. */
export class MockConnection implements Client, Peer {
  readonly socket = new MemorySocket(this);
  name = '';
  dbIndex = 0;
  readonly channels = new Set<string>();
  readonly patterns = new Set<string>();
  /** The pool has made it available. Earlier commands belong to its connect. */
  ready = false;
  /** It belongs to a lease. */
  leased = false;
  /** Commands that were received, and whose replies were not sent. */
  owed = 0;
  /** The call of a test's handler that the connection waits for. */
  handling: Handling | undefined;
  readonly #server: MockServer;
  readonly #reader = new RequestReader();
  readonly #waiting: string[][] = [];
  readonly #transaction = new Transaction();
  #busy = false;
  #protocol: Protocol = 2;
  /** A script is running. */
  #scripting = false;
  #working = false;
  /** The replies that are being held back. */
  #held = '';

  constructor(
    readonly id: number,
    server: MockServer,
  ) {
    this.#server = server;
  }

  get inTransaction(): boolean {
    return this.#transaction.running || this.#scripting;
  }

  /** The one in which its commands are answered: to scripts always the second. */
  get protocol(): Protocol {
    return this.#scripting ? 2 : this.#protocol;
  }

  set protocol(protocol: Protocol) {
    this.#protocol = protocol;
  }

  /** Runs a command that a script calls. */
  call(name: string, args: readonly string[]): Reply {
    if (NOT_IN_SCRIPTS.has(name)) throw new Failure('ERR This Redis command is not allowed from script');
    const command = commandOf(name);
    if (command === undefined) {
      throw new Failure(`ERR Unknown Redis command called from script: the mock does not have '${name}'`);
    }
    if (args.length < command.least || args.length > command.most) {
      throw new Failure('ERR Wrong number of args calling Redis command from script');
    }
    this.#scripting = true;
    try {
      const reply = command.run(this.#server.contextOf(this), ...args);
      if (reply === undefined || reply instanceof Promise) throw new Error(`bug: ${name} in a script`);
      return reply;
    } finally {
      this.#scripting = false;
    }
  }

  receive(data: string | Uint8Array): void {
    const requests = this.#reader.read(data);
    this.owed += requests.length;
    this.#waiting.push(...requests);
    const handler = callingHandler();
    if (handler && handler === this.handling) void handler.asksFor('a command over the same connection');
    this.#work();
  }

  gone(): void {
    this.#server.forget(this);
  }

  tell(reply: Reply): void {
    const bytes = encode(reply, this.#protocol);
    if (this.#holds) this.#held += bytes;
    else this.socket.deliver(bytes);
  }

  /** Sends the replies that were held back. */
  flush(): void {
    const bytes = this.#held;
    this.#held = '';
    this.owed = this.#waiting.length + Number(this.#busy);
    if (bytes !== '') this.socket.deliver(bytes);
  }

  quit(): void {
    this.socket.end();
  }

  get #holds(): boolean {
    return this.#server.holding && this.ready;
  }

  #work(): void {
    // A handler may send commands itself; they run after it has returned.
    if (this.#working) return;
    this.#working = true;
    try {
      this.#workOff();
    } finally {
      this.#working = false;
    }
  }

  #workOff(): void {
    while (!this.#busy) {
      const request = this.#waiting.shift();
      if (request === undefined) return;
      const outcome = this.#do((request[0] ?? '').toLowerCase(), request.slice(1));
      if (!(outcome instanceof Promise)) {
        this.#done(outcome);
        continue;
      }
      this.#busy = true;
      void outcome.catch(toFailure).then((reply) => {
        this.#busy = false;
        this.#done(reply);
        this.#work();
      });
    }
  }

  #done(reply: Reply | undefined): void {
    this.handling = undefined;
    if (reply !== undefined) this.tell(reply);
    if (!this.#holds) this.owed--;
    this.#server.retryBlocked();
  }

  #do(name: string, args: string[]): Outcome {
    const transaction = this.#transaction;
    const ours =
      this.#server.checking || !this.ready || (!this.leased && !transaction.open && UNDOING.has(name));
    if (!ours) this.#server.note(this, name, args.map(textOf));
    try {
      if (TRANSACTION.has(name)) return this.#control(name, args);
      if (!transaction.open) return this.#perform(name, args, ours);
      this.#find(name, args);
      return transaction.queue(name, args);
    } catch (error) {
      if (!TRANSACTION.has(name)) transaction.spoil();
      return toFailure(error);
    }
  }

  /** MULTI and its related commands. */
  #control(name: string, args: readonly string[]): Outcome {
    const { db } = this.#server.contextOf(this);
    if (name === 'watch' ? args.length === 0 : args.length > 0) throw arityError(name);
    if (name === 'watch') return this.#transaction.watch(db, args);
    if (name !== 'exec') return this.#transaction[name as 'multi' | 'discard' | 'unwatch']();
    return this.#transaction.exec((one, its) => {
      try {
        return this.#perform(one, its, false);
      } catch (error) {
        return toFailure(error);
      }
    });
  }

  /** Replies with the test's answer, or else with the store's. */
  #perform(name: string, args: readonly string[], ours: boolean): Outcome {
    const context = this.#server.contextOf(this);
    if (name === 'eval' && this.#server.answers.has(name)) context.scripts.load(args[0] ?? '');
    const { answers } = this.#server;
    if (name === 'evalsha' && !answers.has(name)) {
      if (args.length < 2) throw arityError(name);
      return this.#perform('eval', withText(context, args), ours);
    }
    const { dbIndex } = this;
    const own = (): Outcome => {
      try {
        return this.#find(name, args)(context, ...args);
      } finally {
        if (name === 'eval') this.dbIndex = dbIndex; // a SELECT in a script ends with it
      }
    };
    if (ours || !answers.has(name)) return own();
    const handling = new Handling(name);
    this.handling = handling;
    const give = (): Outcome => handling.answer(() => answers.give(name, args.map(textOf)));
    // ioredis queues a command only when it is written: a command that a handler sends at once would be queued before
    // it.
    const given = this.inTransaction ? give() : Promise.resolve().then(give);
    if (given instanceof Promise) return given.then((reply) => (reply === undefined ? own() : reply));
    return given === undefined ? own() : given;
  }

  /** The function that runs the command; throws if there is no such command, or the number of arguments is wrong. */
  #find(name: string, args: readonly string[]): (context: Context, ...args: string[]) => Outcome {
    const command = commandOf(name);
    if (command === undefined) {
      if (this.#server.answers.has(name) || name === 'evalsha') return () => null;
      throw new Failure(
        `ERR unknown command '${name}': the mock does not have it, answer it with mock.reply('${name}', (...args) => …)`,
      );
    }
    if (args.length < command.least || args.length > command.most) throw arityError(name);
    return command.run;
  }
}

/** The arguments of EVALSHA with the text of the script in place of its hash, as for EVAL. */
function withText({ scripts }: Context, [sha = '', ...rest]: readonly string[]): string[] {
  const text = scripts.get(sha);
  if (text === undefined) throw new Failure('NOSCRIPT No matching script. Please use EVAL.');
  return [text, ...rest];
}
