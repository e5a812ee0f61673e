import { basename } from 'node:path';
import { isPoolError } from '../api/errors.ts';
import { isPlain } from '../api/plain.ts';

/** Options that hold no secret. All other strings among the options may be secrets, also in a URL's query. */
const OPEN: ReadonlySet<string> = new Set([
  ...[
    'host',
    'path',
    'name',
    'keyPrefix',
    'connectionName',
    'role',
    'replyMapping',
    'clientInfoTag',
    'port',
    'db',
  ],
  ...[
    'family',
    'protocol',
    'keepAlive',
    'commandTimeout',
    'connectTimeout',
    'socketTimeout',
    'tls',
    'profile',
  ],
]);

/** Fixed messages of Redis and ioredis. They are kept: a gap would reveal a secret that is one of their words. */
const SET_PHRASES: ReadonlySet<string> = new Set([
  'WRONGPASS invalid username-password pair or user is disabled.',
  'WRONGPASS invalid username-password pair',
  'NOAUTH Authentication required.',
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
  'ERR Client sent AUTH, but no password is set',
  'ERR invalid password',
  'ERR DB index is out of range',
  'ERR max number of clients reached',
  'Connection is closed.',
  'Command timed out',
  'Command queue state error',
]);

/** Node's messages about sockets, if they contain an address only: a host name may be a piece of a password. */
const OF_SOCKETS = /^(connect|read|write) E[A-Z]+( [\d.a-f:]+)?$/;

/**
 * Where a server, or ioredis, repeats arguments, perhaps truncated, or other replies: the rest of the text is removed.
 */
const ECHOES = [/,? with args beginning with:.*$/su, /\bLast reply:.*$/su];

/** This many characters of a longer secret identify it: servers repeat only the beginning. */
const TELLING = 8;

const LONGEST_TEXT = 512;

/** A secret, with the possible encodings of each of its characters. */
interface Secret {
  readonly chars: readonly (readonly string[])[];
  /** The number of letters that it begins with: these alone may be an ordinary word. */
  readonly letters: number;
  /** It is short and may be an ordinary word or number: it is replaced only where it is a whole word. */
  readonly word: boolean;
}

/** Removes secrets from texts. They are found in plain form, escaped, URL-encoded and truncated. */
export class Censor {
  readonly #secrets: readonly Secret[];

  /** `sources` are options of clients; `said` are arguments that were sent to the server. */
  constructor(sources: readonly (object | undefined)[], said: readonly string[] = []) {
    const found = new Set(said);
    for (const source of sources) if (source) collect(source, found, 0);
    for (const secret of [...found]) {
      for (const line of secret.split(/\r?\n/)) if (line.length >= 2 * TELLING) found.add(line); // of a PEM
    }
    this.#secrets = [...found]
      .filter((secret) => secret !== '' && secret !== 'default')
      .sort((a, b) => b.length - a.length)
      .map(describe);
  }

  /** Prepares a message for logs: without secrets and control characters, and not too long. */
  tidy(text: string): string {
    if (SET_PHRASES.has(text.trim()) || OF_SOCKETS.test(text)) return text.trim();
    const cut = ECHOES.reduce((rest, echo) => rest.replace(echo, ''), text.slice(0, 16 * LONGEST_TEXT));
    const clean = this.censor(cut).replace(CONTROL, escapeChar);
    return clean.length > LONGEST_TEXT ? `${clean.slice(0, LONGEST_TEXT - 1)}…` : clean;
  }

  /** Removes secrets; with `words` false, those that may be ordinary words are kept. */
  censor(text: string, words = true): string {
    let clean = text;
    for (const secret of this.#secrets) {
      if (!secret.word || words) clean = replace(clean, secret);
    }
    return clean;
  }
}

function describe(secret: string): Secret {
  const word = secret.length < 4 || (secret.length < TELLING && /^([a-z]+|\d+)$/i.test(secret));
  const letters = /^[a-z]*/i.exec(secret)?.[0].length ?? 0;
  return { chars: [...secret].map((char) => formsOf(char, !word)), letters, word };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it matches these, and characters that change the direction.
const CONTROL = /[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

function escapeChar(char: string): string {
  const json = JSON.stringify(char).slice(1, -1);
  return json.length > 1 ? json : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function replace(text: string, secret: Secret): string {
  const { word } = secret;
  let clean = '';
  for (let at = 0; at < text.length; ) {
    const end = word && isLetter(text[at - 1]) ? at : endOf(text, at, secret);
    const found = end > at && !(word && isLetter(text[end]));
    clean += found ? '***' : text[at];
    at = found ? end : at + 1;
  }
  return clean;
}

/** Where the secret ends that begins at `at`, complete or long enough to identify it; `at` if there is none. */
function endOf(text: string, at: number, { chars, letters }: Secret): number {
  let end = at;
  for (const [i, forms] of chars.entries()) {
    const form = forms.find((one) => text.startsWith(one, end));
    if (form === undefined) return i >= TELLING && i !== letters ? end : at;
    end += form.length;
  }
  return end;
}

const isLetter = (char: string | undefined): boolean => char !== undefined && /[\p{L}\p{N}_]/u.test(char);

/**
 * The encodings of a character: in a URL, in either case, in JSON, and by a server that replaces line breaks in errors.
 */
function formsOf(char: string, anyCase: boolean): string[] {
  const bytes = [...Buffer.from(char)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const json = JSON.stringify(char).slice(1, -1);
  const more = char <= ' ' ? [' ', '+'] : anyCase ? [char.toLowerCase(), char.toUpperCase()] : [];
  return [bytes.toUpperCase(), bytes, json, `\\${char}`, char, ...more];
}

/** Collects all strings, and keys as Buffers, in options. */
function collect(value: unknown, found: Set<string>, depth: number): void {
  if (typeof value === 'string') found.add(value);
  else if (Buffer.isBuffer(value)) found.add(value.toString('latin1'));
  else if (depth < 5 && isPlain(value)) {
    for (const [name, one] of Object.entries(value)) {
      const open = OPEN.has(name) && typeof one !== 'object';
      if (!open && !PUBLIC.has(name)) collect(one, found, depth + 1);
    }
  }
}

/** Options of TLS and sentinels that are public, and options that are no text. */
const PUBLIC: ReadonlySet<string> = new Set([
  ...[
    'ca',
    'cert',
    'servername',
    'ciphers',
    'minVersion',
    'maxVersion',
    'ALPNProtocols',
    'ecdhCurve',
    'sigalgs',
  ],
  ...[
    'sentinels',
    'natMap',
    'scripts',
    'secureProtocol',
    'agent',
    'session',
    'secureContext',
    'autoPipeliningIgnoredCommands',
  ],
]);

/** ioredis adds the failed command to an error, also AUTH or HELLO with their arguments. */
interface Failed extends Error {
  command?: { name?: unknown; args?: unknown };
}

/** Errors whose messages the pool wrote. A gap in them would reveal a secret that equals the missing word. */
const IN_OUR_WORDS = new WeakSet<Error>();

/** Marks `error` as written by the pool: its message is kept; its other properties are still cleaned. */
export function inOurOwnWords<E extends Error>(error: E): E {
  IN_OUR_WORDS.add(error);
  return error;
}

/** Arguments of AUTH and HELLO that are no secrets. */
const SPOKEN = /^(AUTH|SETNAME|[23])$/i;

/**
 * Removes from the error what may hold a secret: the secrets in `sources`, which are options of clients; the failed
 * command; the URL that Node could not parse; the user that Redis names; and the paths of files of keys and
 * certificates. It is changed in place, with all errors within; one that cannot be changed is replaced by a copy.
 */
export function withoutSecrets(error: Error, ...sources: readonly (object | undefined)[]): Error {
  return new Cleaning(sources).clean(error);
}

class Cleaning {
  readonly #sources: readonly (object | undefined)[];
  readonly #seen = new Map<Error, Error>();

  constructor(sources: readonly (object | undefined)[]) {
    this.#sources = sources;
  }

  clean(error: Failed): Error {
    const known = this.#seen.get(error);
    if (known) return known;
    if (isPoolError(error)) return error; // made by the pool, of texts that were cleaned
    this.#seen.set(error, error);
    const args = error.command?.args;
    const said = (Array.isArray(args) ? args.flat() : []).map(String).filter((arg) => !SPOKEN.test(arg));
    const censor = new Censor(this.#sources, said);
    let changed = remove(error, 'command') && remove(error, 'input');
    const { message, stack } = { message: String(error.message), stack: String(error.stack ?? '') };
    const told = IN_OUR_WORDS.has(error)
      ? message
      : shortenPath(error, censor.tidy(message)).replace(/\bUser \S+ has no\b/, 'User *** has no');
    // In the stack frames, secrets that may be ordinary words are kept: they may be the name of a folder.
    const frames = stack.startsWith(`${error.name}: ${message}`)
      ? `${error.name}: ${told}${censor.censor(stack.slice(error.name.length + 2 + message.length), false)}`
      : censor.censor(stack.replaceAll(message || '\0', told));
    changed = put(error, 'message', told) && put(error, 'stack', frames) && changed;
    for (const name of Object.getOwnPropertyNames(error)) {
      if (name === 'message' || name === 'stack') continue;
      const { value } = Object.getOwnPropertyDescriptor(error, name) ?? {}; // a getter may throw
      if (value !== undefined) changed = put(error, name, this.#within(value, censor, 0)) && changed;
    }
    if (changed) return error;
    const { cause, code } = error as Error & { code?: unknown };
    const copy = Object.assign(new Error(told, { cause: this.#within(cause, censor, 0) }), {
      name: error.name,
      code: this.#within(code, censor, 0),
    });
    this.#seen.set(error, copy);
    return copy;
  }

  /** Cleans a property of an error: other errors (ioredis' lastNodeError, previousErrors), texts, and plain data. */
  #within(value: unknown, censor: Censor, depth: number): unknown {
    if (typeof value === 'string') return censor.censor(value);
    if (value instanceof Error) return this.clean(value);
    if (typeof value !== 'object' || value === null || !isPlain(value)) return value;
    if (depth > 5) return undefined;
    const inner = (one: unknown): unknown => this.#within(one, censor, depth + 1);
    const before = Object.entries(value);
    const after = before.map(([name, one]): [string, unknown] => [name, inner(one)]);
    if (after.every(([, one], i) => one === before[i]?.[1])) return value;
    return Array.isArray(value) ? after.map(([, one]) => one) : Object.fromEntries(after);
  }
}

/** Keeps the name of a file that could not be read, without its folder. The path of a socket is an address. */
function shortenPath(error: NodeJS.ErrnoException, message: string): string {
  const { path, syscall } = error;
  if (typeof path !== 'string' || syscall === 'connect') return message;
  put(error, 'path', basename(path));
  return message.replaceAll(path, basename(path));
}

/** Sets a property; returns whether it has the value now, instead of throwing if the error is frozen. */
function put(error: object, name: string, value: unknown): boolean {
  return Reflect.get(error, name) === value || Reflect.set(error, name, value);
}

function remove(error: object, name: string): boolean {
  return !(name in error) || Reflect.deleteProperty(error, name);
}
