import { dateIn, untilDate } from '../../util/clock.ts';
import type { StoredSession } from './session-options.ts';

/** The parts of a request that concern sessions. */
export interface SessionRequest {
  /** The id, which the cookie of the browser carries. */
  sessionID?: string;
  /** The session, once it is loaded or made. */
  session?: { cookie: object } & object;
}

/** The class of sessions, and the prototype of their cookies. */
interface Makings {
  readonly Session: new (request: SessionRequest, data: object) => { cookie: object };
  readonly cookie: object;
}

type Cookie = { expires?: unknown; originalMaxAge?: unknown } & Record<string, unknown>;

/** Not written as a literal in the import: a bundler would report it as missing in apps without it. */
const PACKAGE = 'express-session';

/**
 * Makes express-session's sessions from stored data. The package belongs to the app, so its classes are looked up:
 * imported, where possible; else, as in a bundled app, taken from the first session that its middleware makes. Until
 * then sessions are instances of an equivalent class of ours. No setting of the app, such as `genid`, is called for it.
 */
export class ExpressSessions {
  #makings: Makings | undefined;
  #looked: Promise<void> | undefined;

  /** Tries once to import the package. */
  look(): Promise<void> {
    this.#looked ??= importMakings().then((found) => {
      this.#makings ??= found;
    });
    return this.#looked;
  }

  /** Takes the classes from a session that the middleware has made. */
  learn({ session }: SessionRequest): void {
    if (this.#makings || !session?.cookie || !('resetMaxAge' in session)) return;
    const Session = session.constructor as unknown as Makings['Session'];
    this.#makings = { Session, cookie: Object.getPrototypeOf(session.cookie) };
  }

  revive(request: SessionRequest, data: StoredSession & object): object {
    const { Session, cookie: prototype } = this.#makings ?? OWN;
    const stored: Cookie = { ...data.cookie };
    const cookie: Cookie = Object.create(prototype);
    Object.assign(cookie, { path: '/', maxAge: null, httpOnly: true });
    for (const name of Object.keys(stored)) if (name !== 'data') cookie[name] = stored[name];
    if (typeof stored.expires === 'string') cookie.expires = new Date(stored.expires);
    cookie.originalMaxAge = stored.originalMaxAge; // the setter of `expires` has changed it
    const session = new Session(request, { ...data, cookie });
    request.session = session;
    return session;
  }
}

async function importMakings(): Promise<Makings | undefined> {
  try {
    const { default: found } = await import(/* @vite-ignore */ /* webpackIgnore: true */ PACKAGE);
    return { Session: found.Session, cookie: found.Cookie.prototype };
  } catch {
    return undefined;
  }
}

type Done = (error?: unknown) => void;

/** The methods of a store that a session calls. */
interface Store {
  get(sid: string, done: (error: unknown, data?: (StoredSession & object) | null) => void): unknown;
  set(sid: string, session: object, done: Done): unknown;
  destroy(sid: string, done?: Done): unknown;
  regenerate(request: SessionRequest, done?: Done): unknown;
  createSession(request: SessionRequest, data: StoredSession & object): unknown;
}

class OwnSession {
  declare cookie: { maxAge: unknown; originalMaxAge: unknown };
  declare readonly id: string;
  declare readonly req: SessionRequest & { sessionStore: Store };

  constructor(request: SessionRequest, data: object) {
    Object.defineProperty(this, 'req', { value: request });
    Object.defineProperty(this, 'id', { value: request.sessionID });
    for (const [name, value] of Object.entries(data)) {
      if (!(name in this)) Object.assign(this, { [name]: value });
    }
  }

  touch(): this {
    return this.resetMaxAge();
  }

  resetMaxAge(): this {
    this.cookie.maxAge = this.cookie.originalMaxAge;
    return this;
  }

  save(done: Done = () => {}): this {
    this.req.sessionStore.set(this.id, this, done);
    return this;
  }

  reload(done: Done): this {
    const { req } = this;
    req.sessionStore.get(this.id, (error, data) => {
      if (error || !data) return done(error || new Error('failed to load session'));
      req.sessionStore.createSession(req, data);
      done();
    });
    return this;
  }

  destroy(done?: Done): this {
    delete this.req.session;
    this.req.sessionStore.destroy(this.id, done);
    return this;
  }

  regenerate(done?: Done): this {
    this.req.sessionStore.regenerate(this.req, done);
    return this;
  }
}

class OwnCookie {
  declare originalMaxAge: unknown;
  declare _expires: unknown;

  get expires(): unknown {
    return this._expires;
  }

  set expires(date: unknown) {
    this._expires = date;
    this.originalMaxAge = this.maxAge;
  }

  get maxAge(): unknown {
    return this.expires instanceof Date ? untilDate(this.expires) : this.expires;
  }

  set maxAge(ms: unknown) {
    if (ms && typeof ms !== 'number' && !(ms instanceof Date)) {
      throw new TypeError('maxAge must be a number or Date');
    }
    this.expires = typeof ms === 'number' ? dateIn(ms) : ms;
  }

  get data(): Cookie {
    const { originalMaxAge, partitioned, priority, expires, secure, httpOnly, domain, path, sameSite } =
      this as unknown as Cookie;
    return { originalMaxAge, partitioned, priority, expires, secure, httpOnly, domain, path, sameSite };
  }

  toJSON(): Cookie {
    return this.data;
  }
}

const OWN: Makings = {
  Session: OwnSession as unknown as Makings['Session'],
  cookie: OwnCookie.prototype,
};
