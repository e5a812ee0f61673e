import { isUtf8 } from 'node:buffer';
import type { Redis } from 'ioredis';
import { isPoolError } from '../../api/errors.ts';
import { untilDate } from '../../util/clock.ts';
import { escapeGlob, keysOf } from './keys-of.ts';
import type { ResolvedSessionOptions, StoredSession } from './session-options.ts';

/** The value of a key; `null` if there is none. */
type Stored = string | Buffer | null;

/** Limits how long a command may take. */
type Bound = <T>(work: Promise<T>) => Promise<T>;

/** The last moment that a Date can represent. */
const LAST_DATE_MS = 8.64e15;

/** The sessions in Redis, by id. Promises only; the stores add what their framework expects. */
export class Sessions {
  readonly #redis: Redis;
  readonly #options: ResolvedSessionOptions;
  readonly #bound: Bound;
  /** What is under way last of each session that is being set or destroyed. */
  readonly #latest = new Map<string, object>();

  constructor(redis: Redis, options: ResolvedSessionOptions, bound: Bound = (work) => work) {
    this.#redis = redis;
    this.#options = options;
    this.#bound = bound;
  }

  /** The session; `null` if there is none, or the value is not a session. Rejects if the value cannot be parsed. */
  async get(sid: string): Promise<unknown> {
    const key = this.#key(sid);
    const work: Promise<Stored> = this.#binary ? this.#redis.getBuffer(key) : this.#redis.get(key);
    return this.#parse(await this.#bound(work));
  }

  /**
   * Stores it for the milliseconds that `lives` returns; without expiry for `Infinity`. If it has expired already, it
   * is destroyed instead. If the connection is lost, the command is sent once more, unless the session was set or
   * destroyed again since; the same goes for `touch` and `destroy`.
   */
  async set(sid: string, session: object, lives = this.#lives): Promise<void> {
    const ttlMs = whole(lives(session));
    if (ttlMs <= 0) return this.destroy(sid);
    const text = await this.#stringify(session);
    const key = this.#key(sid);
    const forEver = ttlMs === Number.POSITIVE_INFINITY;
    await this.#write(sid, () =>
      forEver ? this.#redis.set(key, text) : this.#redis.set(key, text, 'PX', ttlMs),
    );
  }

  async touch(sid: string, session: object): Promise<void> {
    const { disableTouch, disableTTL } = this.#options;
    if (disableTouch) return;
    const ttlMs = whole(this.#lives(session));
    const key = this.#key(sid);
    if (ttlMs !== Number.POSITIVE_INFINITY) await this.#onceMore(() => this.#redis.pexpire(key, ttlMs));
    else if (!disableTTL) await this.#onceMore(() => this.#redis.persist(key));
  }

  async destroy(sid: string): Promise<void> {
    await this.#write(sid, () => this.#redis.del(this.#key(sid)));
  }

  /** All ids, each once. */
  async ids(): Promise<string[]> {
    const ids = new Set<string>();
    for await (const page of this.#pages()) for (const sid of page) ids.add(sid);
    return [...ids];
  }

  /** All sessions, each with its `id`. Those that expire meanwhile are left out. */
  async all(): Promise<(object & { id: string })[]> {
    const ids = await this.ids();
    const sessions: (object & { id: string })[] = [];
    const { scanCount } = this.#options;
    for (let at = 0; at < ids.length; at += scanCount) {
      const some = ids.slice(at, at + scanCount);
      const keys = some.map((sid) => this.#key(sid));
      const stored: Stored[] = await (this.#binary ? this.#redis.mgetBuffer(keys) : this.#redis.mget(keys));
      for (const [i, id] of some.entries()) {
        const session = await this.#parse(stored[i] ?? null);
        if (session) sessions.push(Object.assign(session, { id }));
      }
    }
    return sessions;
  }

  async clear(): Promise<void> {
    for await (const page of this.#pages()) {
      if (page.length > 0) await this.#redis.unlink(page.map((sid) => this.#key(sid)));
    }
  }

  /** Sends SET or DEL. A second attempt must not undo a later one of the same session. */
  async #write(sid: string, command: () => Promise<unknown>): Promise<void> {
    const turn = {};
    this.#latest.set(sid, turn);
    try {
      await this.#onceMore(command, () => this.#latest.get(sid) === turn);
    } finally {
      if (this.#latest.get(sid) === turn) this.#latest.delete(sid);
    }
  }

  /** Sends a command that may run twice, and sends it once more if its connection is lost. */
  async #onceMore(command: () => Promise<unknown>, mayRepeat = () => true): Promise<void> {
    const again = (error: unknown): Promise<unknown> => {
      const lost = isPoolError(error, 'POOL_CONNECTION_LOST') && this.#redis.status !== 'end';
      if (!lost || !mayRepeat()) throw error;
      return command();
    };
    await this.#bound(command().catch(again));
  }

  /** How long a session with this cookie lives. Milliseconds. */
  readonly #lives = (session: StoredSession): number => {
    const { ttl, disableTTL } = this.#options;
    const expires = session?.cookie?.expires;
    const ms =
      typeof ttl === 'function'
        ? ttl(session as never) * 1000
        : expires
          ? untilDate(new Date(expires))
          : ttl * 1000;
    return disableTTL && !(ms <= 0) ? Number.POSITIVE_INFINITY : ms;
  };

  /** Whether to read Buffers; JSON is always valid UTF-8. */
  get #binary(): boolean {
    return this.#options.serializer !== JSON;
  }

  #key(sid: string): string {
    return this.#options.prefix + sid;
  }

  async *#pages(): AsyncGenerator<string[]> {
    const { prefix, scanCount } = this.#options;
    for await (const keys of keysOf(this.#redis, `${escapeGlob(prefix)}*`, scanCount)) {
      yield keys.map((key) => key.slice(prefix.length));
    }
  }

  /** The parser's own error is not passed on: it may quote the session, which is private. */
  async #parse(stored: Stored): Promise<object | null> {
    if (!stored?.length) return null;
    let session: unknown;
    try {
      const text = typeof stored === 'string' || !isUtf8(stored) ? stored : stored.toString();
      session = await this.#options.serializer.parse(text);
    } catch (error) {
      throw new SyntaxError(`a stored session cannot be read: its serializer threw a ${nameOf(error)}`);
    }
    return isRecord(session) ? session : null;
  }

  async #stringify(session: object): Promise<string | Buffer> {
    const { serializer, maxLength } = this.#options;
    const made: unknown = await serializer.stringify(session);
    if (typeof made !== 'string' && !(made instanceof Uint8Array)) {
      throw new TypeError(
        `the serializer must make a string or a Buffer of a session, and made ${classOf(made)}`,
      );
    }
    const length = Buffer.byteLength(made);
    if (length <= maxLength)
      return typeof made === 'string' || Buffer.isBuffer(made) ? made : Buffer.from(made);
    throw new RangeError(
      `a session of ${length} bytes is not stored: at most ${maxLength} are allowed (maxLength)`,
    );
  }
}

/** Whether it may be a session, or a part of one. */
export function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Rounds up to whole milliseconds, as Redis wants them; more than a Date can represent is `Infinity`. */
function whole(ms: number): number {
  if (Number.isNaN(ms)) {
    throw new TypeError(
      'how long a session lives must be a number: look at option ttl, and at cookie.expires',
    );
  }
  return ms > LAST_DATE_MS ? Number.POSITIVE_INFINITY : Math.ceil(ms);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

function classOf(value: unknown): string {
  return typeof value === 'object' ? (value?.constructor?.name ?? String(value)) : typeof value;
}
