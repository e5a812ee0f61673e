import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { called, type NodeCallback } from '../callback.ts';
import { invalidOption } from '../errors.ts';
import { checkRule, type PoolOptions, truth } from '../options.ts';
import { Pool } from '../pool.ts';
import type { RedisPool } from '../redis-pool.ts';
import { ExpressSessions, type SessionRequest } from './express-sessions.ts';
import { FailOpen } from './fail-open.ts';
import {
  resolveSessionOptions,
  SESSION_OPTIONS,
  type SessionOptions,
  type StoredSession,
} from './session-options.ts';
import { Sessions } from './sessions.ts';

/** The options of a {@link PoolSessionStore}. */
export interface PoolSessionStoreOptions extends SessionOptions {
  /**
   * The pool to use. Or what to make one of, a URL or its options: then the pool is the store's own, and `close()`
   * closes it. Default: one of its own, to `redis://127.0.0.1:6379`.
   */
  readonly pool?: RedisPool | PoolOptions | string | undefined;
  /**
   * While no connection to Redis can be made, tell express-session so (`disconnect` and `connect`), which then serves
   * requests **without a session** instead of with an error. Default `false`.
   */
  readonly failOpen?: boolean | undefined;
}

/**
 * Sessions in Redis, over a bounded pool, for express-session and @fastify/session. Every method calls back once, if
 * it is given a callback, and returns a promise too.
 */
export class PoolSessionStore extends EventEmitter {
  /** The pool it stands on. */
  readonly pool: RedisPool;
  readonly #own: boolean;
  readonly #sessions: Sessions;
  readonly #express = new ExpressSessions();
  readonly #failOpen: FailOpen | undefined;
  /** Set by express-session: gives a request a new session. */
  declare generate: (request: SessionRequest) => void;

  /** @throws {PoolError} `POOL_INVALID_OPTION` */
  constructor(options: PoolSessionStoreOptions = {}) {
    super();
    const resolved = resolveSessionOptions(options, [...SESSION_OPTIONS, 'pool', 'failOpen']);
    const { pool = {}, failOpen = false } = options;
    checkRule('failOpen', failOpen, truth);
    this.#own = !isPool(pool);
    this.pool = isPool(pool) ? pool : ownPool(pool);
    this.#sessions = new Sessions(this.pool.redis, resolved);
    if (failOpen) this.#failOpen = new FailOpen(this.pool.redis, this);
  }

  /** The session, or `null`. */
  get(sid: string, callback?: NodeCallback<never>): Promise<unknown> {
    return called(this.#sessions.get(sid), callback);
  }

  /** Stores a session until its cookie ends, or for `ttl`; one that has ended already is destroyed. */
  set(sid: string, session: object, callback?: NodeCallback): Promise<void> {
    return called(this.#sessions.set(sid, session), callback);
  }

  /** Makes a session live on, without writing it. */
  touch(sid: string, session: object, callback?: NodeCallback): Promise<void> {
    return called(this.#sessions.touch(sid, session), callback);
  }

  destroy(sid: string, callback?: NodeCallback): Promise<void> {
    return called(this.#sessions.destroy(sid), callback);
  }

  /** All sessions, each with its `id`. */
  all(callback?: NodeCallback<never>): Promise<(object & { id: string })[]> {
    return called(this.#sessions.all(), callback);
  }

  /** How many sessions there are. */
  length(callback?: NodeCallback<number>): Promise<number> {
    return called(
      this.#sessions.ids().then((ids) => ids.length),
      callback,
    );
  }

  /** The ids of all sessions. */
  ids(callback?: NodeCallback<string[]>): Promise<string[]> {
    return called(this.#sessions.ids(), callback);
  }

  /** Destroys all sessions. */
  clear(callback?: NodeCallback): Promise<void> {
    return called(this.#sessions.clear(), callback);
  }

  /** Lets go of the pool; closes it if it is the store's own. */
  async close(): Promise<void> {
    this.#failOpen?.stop();
    if (this.#own) await this.pool.close();
  }

  /** For express-session: gives a request a session with a new id. */
  regenerate(request: SessionRequest, callback: NodeCallback): void {
    this.destroy(String(request.sessionID), (error) => {
      this.generate(request);
      callback(error);
    });
  }

  /** For express-session: a session by its id, as requests have it. */
  load(sid: string, callback: NodeCallback<never>): void {
    this.get(sid, (error?: unknown, data?: StoredSession) => {
      if (error || !data) callback(error);
      else callback(null, this.createSession({ sessionID: sid, sessionStore: this } as SessionRequest, data));
    });
  }

  /** For express-session: makes of stored data what a request has as its session. Only its own types have a name for that. */
  createSession(request: SessionRequest, data: StoredSession & object): never {
    return this.#express.revive(request, data, this.generate) as never;
  }
}

function ownPool(given: unknown): Pool {
  if (typeof given === 'string') return new Pool(given);
  const options = typeof given === 'object' && given !== null && !('sendCommand' in given);
  if (options) return new Pool(given);
  const got = typeof given === 'object' ? 'a client: `new Pool()` makes its own' : inspect(given);
  throw invalidOption(`option pool must be a pool, its options or a URL, got ${got}`);
}

function isPool(given: unknown): given is RedisPool {
  return typeof given === 'object' && given !== null && 'acquire' in given && 'redis' in given;
}
