import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { invalidOption } from '../../api/errors.ts';
import type { PoolOptions } from '../../api/options.ts';
import type { RedisPool } from '../../api/redis-pool.ts';
import { checkRule, truth } from '../../api/validate.ts';
import { Pool } from '../../pool.ts';
import { asCallback, mayFailUnheard, type NodeCallback } from '../../util/callback.ts';
import { warnThrown } from '../../util/warn.ts';
import { ExpressSessions, type SessionRequest } from './express-sessions.ts';
import { FailOpen } from './fail-open.ts';
import {
  isPool,
  resolveSessionOptions,
  SESSION_OPTIONS,
  type SessionOptions,
  type StoredSession,
} from './session-options.ts';
import { isRecord, Sessions } from './sessions.ts';

/** The options of a {@link PoolSessionStore}. */
export interface PoolSessionStoreOptions extends SessionOptions {
  /**
   * The pool to use; or a URL or options to make one: then the store owns the pool, and `close()` closes it.
   * Default: a pool that the store owns, with default options.
   */
  readonly pool?: RedisPool | PoolOptions | string | undefined;
  /**
   * While Redis cannot be connected to, or has not replied to a command within a second, notify express-session (events
   * `disconnect` and `connect`), which then serves requests **without a session** instead of with an error. Requests
   * that wait for their session at that moment go on without one too. Default: `false`.
   */
  readonly failOpen?: boolean | undefined;
}

/** A session as it is stored, of which no more is known than that it may have a cookie. */
export type SessionRecord = StoredSession & Record<string, unknown>;

/** What express-session is given in place of a session, for a request that has to go on without. */
const AWAY = Object.freeze({});

/**
 * Sessions in Redis, over a bounded pool, for express-session and @fastify/session. Every method calls its callback
 * once, if it is given one, and returns a promise too. A rejection that nobody handles does not end the process, even
 * without a callback, as in `request.session.destroy()`.
 *
 * `set`, `touch` and `destroy` are sent once more, with the same content, if their connection is lost and the pool is
 * open: they may run twice without harm, unless another process writes the same session in between. They are not sent
 * again if this store has set or destroyed the session since.
 */
export class PoolSessionStore extends EventEmitter {
  /** The pool that it uses. */
  readonly pool: RedisPool;
  readonly #own: boolean;
  readonly #sessions: Sessions;
  readonly #express = new ExpressSessions();
  readonly #failOpen: FailOpen | undefined;
  #generate: ((request: SessionRequest) => void) | undefined;

  /**
   * @throws {PoolError} `POOL_INVALID_OPTION`
   * @example
   * import { PoolSessionStore } from 'bounded-redis-pool/session';
   *
   * const store = new PoolSessionStore({ pool, prefix: 'shop:' }); // session({ store, secret, … })
   * await store.set('an id', { user: 'ann' });
   * console.log(await store.get('an id'));
   */
  constructor(options: PoolSessionStoreOptions = {}) {
    super();
    const resolved = resolveSessionOptions(options, [...SESSION_OPTIONS, 'pool', 'failOpen']);
    const { pool = {}, failOpen = false } = options;
    checkRule('failOpen', failOpen, truth);
    this.#own = !isPool(pool);
    this.pool = isPool(pool) ? pool : ownPool(pool);
    const { redis } = this.pool;
    const open = failOpen ? new FailOpen(redis, this) : undefined;
    this.#failOpen = open;
    this.#sessions = new Sessions(redis, resolved, open && ((work) => open.bound(work)));
  }

  /** Set by express-session: gives a request a new session. */
  get generate(): (request: SessionRequest) => void {
    return this.#generate as (request: SessionRequest) => void;
  }

  set generate(generate: (request: SessionRequest) => void) {
    void this.#express.look();
    this.#generate = (request) => {
      generate(request);
      this.#express.learn(request);
    };
  }

  /**
   * The session; `null` also if the value is not a session, which for express-session has a cookie. The type parameter
   * is what your sessions are, such as `SessionData` of express-session; nothing checks it.
   */
  get<T extends object = SessionRecord>(
    sid: string,
    callback?: (error?: unknown, session?: T | null) => void,
  ): Promise<T | null> {
    const asked = callback && this.#generate ? this.#forRequest(sid) : this.#sessions.get(sid);
    return told(asked as Promise<T | null>, callback);
  }

  /** Stores a session until its cookie expires, or for `ttl`; one that has expired already is destroyed. */
  set(sid: string, session: object, callback?: NodeCallback): Promise<void> {
    return told(this.#sessions.set(sid, session), callback);
  }

  /** Renews the expiry of a session, without writing the session. */
  touch(sid: string, session: object, callback?: NodeCallback): Promise<void> {
    return told(this.#sessions.touch(sid, session), callback);
  }

  /** With `undefined` as its callback, as from `request.session.destroy()`, an error becomes a warning. */
  destroy(sid: string, ...given: [callback?: NodeCallback]): Promise<void> {
    const work = this.#sessions.destroy(sid);
    if (given.length > 0 && given[0] === undefined) warnOf(work);
    return told(work, given[0]);
  }

  /** All sessions, each with its `id`. */
  all(callback?: NodeCallback<never>): Promise<(object & { id: string })[]> {
    return told(this.#sessions.all(), callback);
  }

  /** How many sessions there are. */
  length(callback?: NodeCallback<number>): Promise<number> {
    return told(
      this.#sessions.ids().then((ids) => ids.length),
      callback,
    );
  }

  /** The ids of all sessions. */
  ids(callback?: NodeCallback<string[]>): Promise<string[]> {
    return told(this.#sessions.ids(), callback);
  }

  /** Destroys all sessions. */
  clear(callback?: NodeCallback): Promise<void> {
    return told(this.#sessions.clear(), callback);
  }

  /** Stops using the pool; closes it if the store owns it. */
  async close(): Promise<void> {
    this.#failOpen?.stop();
    if (this.#own) await this.pool.close();
  }

  /** For express-session: destroys the session of a request, and gives it one with a new id. */
  regenerate(request: SessionRequest, callback?: NodeCallback): void {
    const work = async (): Promise<void> => {
      await this.#sessions.destroy(String(request.sessionID)).finally(() => this.generate(request));
    };
    const done = told(work(), callback);
    if (callback === undefined) warnOf(done);
  }

  /** For express-session: a session by its id, as an instance of the class of sessions. */
  load(sid: string, callback: NodeCallback<never>): void {
    const work = async (): Promise<unknown> => {
      const data = await this.#find(sid);
      const request: object = { sessionID: sid, sessionStore: this };
      return data ? this.#express.revive(request, data) : undefined;
    };
    told(work(), callback);
  }

  /**
   * For express-session: makes the session of a request from stored data. `never`, since the type is express-session's.
   */
  createSession(request: SessionRequest, data: StoredSession & object): never {
    if (data === AWAY) leaveWithout(request);
    else this.#express.revive(request, data);
    return request.session as never;
  }

  /** The session for a request of express-session. */
  async #forRequest(sid: string): Promise<object | null> {
    try {
      return await this.#find(sid);
    } catch (error) {
      if (this.#failOpen?.away) return AWAY;
      throw error;
    }
  }

  /** For express-session a session has a cookie. A value without one belongs to somebody else, and is left alone. */
  async #find(sid: string): Promise<(StoredSession & object) | null> {
    const session = (await this.#sessions.get(sid)) as (StoredSession & object) | null;
    await this.#express.look();
    return isRecord(session?.cookie) ? session : null;
  }
}

/** Warns if a session could not be destroyed: it would otherwise stay valid without notice. */
function warnOf(work: Promise<void>): void {
  work.catch((error) => warnThrown('a session was not destroyed, and nobody listens', error));
}

function told<T>(work: Promise<T>, callback: NodeCallback<never> | undefined): Promise<T> {
  return asCallback(mayFailUnheard(work), callback);
}

/**
 * Leaves a request without a session, as express-session does itself while a store is disconnected. Before the request
 * goes on, express-session reads nothing of a session but its methods. A request that has a session already, and asked
 * for it again, keeps it.
 */
function leaveWithout(request: SessionRequest): void {
  if (request.session) return;
  delete request.sessionID;
  const passing = {
    cookie: {},
    reload() {},
    get save() {
      delete request.session;
      return () => {};
    },
  };
  request.session = passing;
}

function ownPool(given: unknown): Pool {
  if (typeof given === 'string') return new Pool(given);
  const options = typeof given === 'object' && given !== null && !('sendCommand' in given);
  if (options) return new Pool(given);
  const got =
    typeof given === 'object' && given !== null ? 'a client: `new Pool()` makes its own' : inspect(given);
  throw invalidOption(`option pool must be a pool, its options or a URL, got ${got}`);
}
