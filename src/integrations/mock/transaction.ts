import type { Keyspace } from './keyspace.ts';
import { Failure, OK, type Reply, Status } from './reply.ts';

/** MULTI and its related commands. */
export const TRANSACTION: ReadonlySet<string> = new Set(['multi', 'exec', 'discard', 'watch', 'unwatch']);

interface Queued {
  readonly name: string;
  readonly args: string[];
}
type Outcome = Reply | undefined | Promise<Reply | undefined>;

/** The transaction of one connection, from WATCH to EXEC. */
export class Transaction {
  /** EXEC is running. */
  running = false;
  #queue: Queued[] | undefined;
  #spoiled = false;
  /** Watched keys, with their numbers of changes at that time. */
  #watched: { readonly db: Keyspace; readonly key: string; readonly changes: number }[] = [];

  /** Commands are being queued. */
  get open(): boolean {
    return this.#queue !== undefined;
  }

  multi(): Reply {
    if (this.#queue) throw new Failure('ERR MULTI calls can not be nested');
    this.#queue = [];
    return OK;
  }

  queue(name: string, args: string[]): Reply {
    this.#queue?.push({ name, args });
    return new Status('QUEUED');
  }

  /** To be called for a command that could not be queued: EXEC will fail. */
  spoil(): void {
    this.#spoiled = this.open;
  }

  discard(): Reply {
    if (!this.#queue) throw new Failure('ERR DISCARD without MULTI');
    this.#end();
    return OK;
  }

  watch(db: Keyspace, keys: readonly string[]): Reply {
    if (this.#queue) throw new Failure('ERR WATCH inside MULTI is not allowed');
    for (const key of keys) {
      db.has(key); // deletes it if it has expired
      this.#watched.push({ db, key, changes: db.changes(key) });
    }
    return OK;
  }

  unwatch(): Reply {
    this.#watched = [];
    return OK;
  }

  /** Runs the queued commands with `perform`, unless a watched key was changed. */
  exec(perform: (name: string, args: readonly string[]) => Outcome): Reply | Promise<Reply> {
    const queue = this.#queue;
    if (!queue) throw new Failure('ERR EXEC without MULTI');
    const spoiled = this.#spoiled;
    const stale = this.#watched.some(({ db, key, changes }) => {
      db.has(key);
      return db.changes(key) !== changes;
    });
    this.#end();
    if (spoiled) throw new Failure('EXECABORT Transaction discarded because of previous errors.');
    if (stale) return null;
    this.running = true;
    const replies = queue.map(({ name, args }) => perform(name, args));
    this.running = false;
    const told = (all: readonly (Reply | undefined)[]): Reply => all.map((one) => one ?? null);
    return replies.some((one) => one instanceof Promise)
      ? Promise.all(replies).then(told)
      : told(replies as readonly (Reply | undefined)[]);
  }

  #end(): void {
    this.#queue = undefined;
    this.#spoiled = false;
    this.#watched = [];
  }
}
