import type { StoredSession } from './session-options.ts';

/** A request, as far as sessions are concerned. */
export interface SessionRequest {
  sessionID?: string;
  session?: { cookie: object } & object;
}

/** What express-session makes its sessions of. */
interface Makings {
  readonly Session: new (request: SessionRequest, data: object) => { cookie: object };
  readonly cookie: object;
}

type Cookie = { expires?: unknown; originalMaxAge?: unknown } & object;

/**
 * Makes express-session's sessions of stored data, without that package: its middleware gives every store a
 * `generate`, and the first session that it makes shows how.
 */
export class ExpressSessions {
  #makings: Makings | undefined;

  revive(
    request: SessionRequest,
    data: StoredSession & object,
    generate: (request: SessionRequest) => void,
  ): object {
    this.#makings ??= makingsOf(request, generate);
    const { Session, cookie: prototype } = this.#makings;
    const stored: Cookie = { ...data.cookie };
    const cookie: Cookie = Object.create(prototype);
    Object.assign(cookie, { path: '/', maxAge: null, httpOnly: true }, stored);
    if (typeof stored.expires === 'string') cookie.expires = new Date(stored.expires);
    cookie.originalMaxAge = stored.originalMaxAge; // which setting `expires` has changed
    const session = new Session(request, { ...data, cookie });
    request.session = session;
    return session;
  }
}

/** Has a session generated, and leaves the request as it was. */
function makingsOf(request: SessionRequest, generate: (request: SessionRequest) => void): Makings {
  const before = { ...request };
  generate(request);
  const made = request.session as { cookie: object };
  for (const name of ['sessionID', 'session'] as const) {
    if (name in before) Object.assign(request, { [name]: before[name] });
    else delete request[name];
  }
  const Session = made.constructor as unknown as Makings['Session'];
  return { Session, cookie: Object.getPrototypeOf(made.cookie) };
}
