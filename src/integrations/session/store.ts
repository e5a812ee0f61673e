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
   * The pool to use. Or what to make one of, a URL or its options: then the pool is the store's own, and `close()`
   * closes it. Default: one of its own, to `redis://127.0.0.1:6379`.
   */
  readonly pool?: RedisPool | PoolOptions | string | undefined;
  /**
   * While no connection to Redis can be made, or it has not answered a command within a second, tell express-session so
   * (`disconnect` and `connect`), which then serves requests **without a session** instead of with an error. Requests
   * that wait for their session at that moment go on without one too. Default `false`.
   */
  readonly failOpen?: boolean | undefined;
}

/** What express-session is given as a session of a request that has to go on without. */
const AWAY = Object.freeze({});

/**
 * Sessions in Redis, over a bounded pool, for express-session and @fastify/session. Every method calls back once, if
 * it is given a callback, and returns a promise too; what that rejects with ends no process, even if nobody takes it
 * and there is no callback, as in `request.session.destroy()`.
 */
export class PoolSessionStore extends EventEmitter {
  /** The pool it stands on. */
  readonly pool: RedisPool;
  readonly #own: boolean;
  readonly #sessions: Sessions;
  readonly #express = new ExpressSessions();
  readonly #failOpen: FailOpen | undefined;
  #generate: ((request: SessionRequest) => void) | undefined;

  /** @throws {PoolError} `POOL_INVALID_OPTION` */
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

  /** The session, or `null`: for what is stored and no session too, as to express-session is what has no cookie. */
  get(sid: string, callback?: NodeCallback<never>): Promise<unknown> {
    const asked = callback && this.#generate ? this.#forRequest(sid) : this.#sessions.get(sid);
    return told(asked, callback);
  }

  /** Stores a session until its cookie ends, or for `ttl`; one that has ended already is destroyed. */
  set(sid: string, session: object, callback?: NodeCallback): Promise<void> {
    return told(this.#sessions.set(sid, session), callback);
  }

  /** Makes a session live on, without writing it. */
  touch(sid: string, session: object, callback?: NodeCallback): Promise<void> {
    return told(this.#sessions.touch(sid, session), callback);
  }

  /** With `undefined` for a callback, as of `request.session.destroy()`, nobody can hear of an error: it is a warning. */
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

  /** Lets go of the pool; closes it if it is the store's own. */
  async close(): Promise<void> {
    this.#failOpen?.stop();
    if (this.#own) await this.pool.close();
  }

  /** For express-session: gives a request a session with a new id. */
  regenerate(request: SessionRequest, callback?: NodeCallback): void {
    const work = async (): Promise<void> => {
      await this.#sessions.destroy(String(request.sessionID)).finally(() => this.generate(request));
    };
    const done = told(work(), callback);
    if (callback === undefined) warnOf(done);
  }

  /** For express-session: a session by its id, as requests have it. */
  load(sid: string, callback: NodeCallback<never>): void {
    const work = async (): Promise<unknown> => {
      const data = await this.#find(sid);
      const request: object = { sessionID: sid, sessionStore: this };
      return data ? this.#express.revive(request, data) : undefined;
    };
    told(work(), callback);
  }

  /** For express-session: makes of stored data what a request has as its session. Only its own types have a name for that. */
  createSession(request: SessionRequest, data: StoredSession & object): never {
    if (data === AWAY) leaveWithout(request);
    else this.#express.revive(request, data);
    return request.session as never;
  }

  /** What express-session asks for with a request in hand. */
  async #forRequest(sid: string): Promise<object | null> {
    try {
      return await this.#find(sid);
    } catch (error) {
      if (this.#failOpen?.away) return AWAY;
      throw error;
    }
  }

  /** To express-session a session has a cookie. What has none is somebody else's, and left alone. */
  async #find(sid: string): Promise<(StoredSession & object) | null> {
    const session = (await this.#sessions.get(sid)) as (StoredSession & object) | null;
    await this.#express.look();
    return isRecord(session?.cookie) ? session : null;
  }
}

/** Whose session goes on though it should have ended is to be known. */
function warnOf(work: Promise<void>): void {
  work.catch((error) => warnThrown('a session was not destroyed, and nobody listens', error));
}

function told<T>(work: Promise<T>, callback: NodeCallback<never> | undefined): Promise<T> {
  return asCallback(mayFailUnheard(work), callback);
}

/**
 * Leaves a request without a session, as express-session does itself while a store is away; that looks at nothing of a
 * session before the request goes on but its methods. A request that has a session, and asked for it anew, keeps it.
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
