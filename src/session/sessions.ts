import type { Redis } from 'ioredis';
import { untilDate } from '../clock.ts';
import { escapeGlob, keysOf } from './keys-of.ts';
import type { ResolvedSessionOptions, StoredSession } from './session-options.ts';

/** The sessions in Redis, by id. Promises only: what frameworks want beyond that is laid around it. */
export class Sessions {
  readonly #redis: Redis;
  readonly #options: ResolvedSessionOptions;

  constructor(redis: Redis, options: ResolvedSessionOptions) {
    this.#redis = redis;
    this.#options = options;
  }

  /** The session, or `null`. Rejects if what is stored cannot be read. */
  async get(sid: string): Promise<unknown> {
    const text = await this.#redis.get(this.#key(sid));
    return text === null ? null : this.#parse(text);
  }

  /** Stores it for `ttlMs` milliseconds; for ever, if that is `Infinity`; not at all, if that is over. */
  async set(sid: string, session: object, ttlMs = this.ttlMs(session)): Promise<void> {
    if (ttlMs <= 0) return this.destroy(sid);
    const text = await this.#stringify(session);
    const key = this.#key(sid);
    if (ttlMs === Number.POSITIVE_INFINITY) await this.#redis.set(key, text);
    else await this.#redis.set(key, text, 'PX', ttlMs);
  }

  async touch(sid: string, session: object): Promise<void> {
    if (this.#options.disableTouch) return;
    const ttlMs = this.ttlMs(session);
    if (ttlMs !== Number.POSITIVE_INFINITY) await this.#redis.pexpire(this.#key(sid), ttlMs);
  }

  async destroy(sid: string): Promise<void> {
    await this.#redis.del(this.#key(sid));
  }

  /** All ids, each once. */
  async ids(): Promise<string[]> {
    const ids = new Set<string>();
    for await (const page of this.#pages()) for (const sid of page) ids.add(sid);
    return [...ids];
  }

  /** All sessions, each with its `id`. Those that end meanwhile are left out. */
  async all(): Promise<(object & { id: string })[]> {
    const ids = await this.ids();
    const sessions: (object & { id: string })[] = [];
    const { scanCount } = this.#options;
    for (let at = 0; at < ids.length; at += scanCount) {
      const some = ids.slice(at, at + scanCount);
      const texts = await this.#redis.mget(some.map((sid) => this.#key(sid)));
      for (const [i, id] of some.entries()) {
        const text = texts[i];
        if (typeof text === 'string') sessions.push(Object.assign(Object(await this.#parse(text)), { id }));
      }
    }
    return sessions;
  }

  async clear(): Promise<void> {
    for await (const page of this.#pages()) {
      if (page.length > 0) await this.#redis.unlink(page.map((sid) => this.#key(sid)));
    }
  }

  /** How long a session may live that was given this cookie. Milliseconds. */
  ttlMs(session: StoredSession): number {
    const { ttl, disableTTL } = this.#options;
    if (disableTTL) return Number.POSITIVE_INFINITY;
    const expires = session?.cookie?.expires;
    const ms =
      typeof ttl === 'function'
        ? ttl(session as never) * 1000
        : expires
          ? untilDate(new Date(expires))
          : ttl * 1000;
    if (!Number.isNaN(ms)) return Math.ceil(ms);
    throw new TypeError(
      'how long a session lives must be a number: look at option ttl, and at cookie.expires',
    );
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

  /** What a parser says of a text may quote it, and a session is nobody's business. */
  async #parse(text: string): Promise<unknown> {
    try {
      return await this.#options.serializer.parse(text);
    } catch (error) {
      throw new SyntaxError(`a stored session cannot be read: its serializer threw a ${nameOf(error)}`);
    }
  }

  async #stringify(session: object): Promise<string> {
    const { serializer, maxLength } = this.#options;
    const text: unknown = await serializer.stringify(session);
    if (typeof text !== 'string') {
      throw new TypeError(`the serializer must make a string of a session, and made a ${typeof text}`);
    }
    const length = Buffer.byteLength(text);
    if (length <= maxLength) return text;
    throw new RangeError(
      `a session of ${length} bytes is not stored: at most ${maxLength} are allowed (maxLength)`,
    );
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
