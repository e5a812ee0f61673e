import { isPlain } from '../api/plain.ts';

/** Names of options that hold no secret. All other texts among the options do, for all anyone knows: a URL's query too. */
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

/** What Redis and ioredis say without repeating what they were told. A secret that is one of these words must not stand out by a gap. */
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

/** What Node says of a socket: where to is an address, and no name that may be the piece of a password. */
const OF_SOCKETS = /^(connect|read|write) E[A-Z]+( [\d.a-f:]+)?$/;

/** Where a server, or ioredis, repeats what it was sent, perhaps cut short, or replies of others: the rest of the text goes. */
const ECHOES = [/,? with args beginning with:.*$/su, /\bLast reply:.*$/su];

/** As much of a longer secret is enough to know it by: servers repeat but the beginning. */
const TELLING = 8;

const LONGEST_TEXT = 512;

/** A secret, as the ways in which each of its characters may be written. */
interface Secret {
  readonly chars: readonly (readonly string[])[];
  /** How many letters it begins with: as much of it may be any word. */
  readonly letters: number;
  /** It is short and looks like any word or number: only where it stands alone can it be meant. */
  readonly word: boolean;
}

/** Takes secrets out of texts. They are looked for as they are, escaped, URL-encoded, and cut short. */
export class Censor {
  readonly #secrets: readonly Secret[];

  /** `sources` are options of clients; `said` is what was sent to the server. */
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

  /** For people and logs: without secrets and control characters, and not too long. */
  tidy(text: string): string {
    if (SET_PHRASES.has(text.trim()) || OF_SOCKETS.test(text)) return text.trim();
    const cut = ECHOES.reduce((rest, echo) => rest.replace(echo, ''), text.slice(0, 16 * LONGEST_TEXT));
    const clean = this.censor(cut).replace(CONTROL, escapeChar);
    return clean.length > LONGEST_TEXT ? `${clean.slice(0, LONGEST_TEXT - 1)}…` : clean;
  }

  /** Without secrets; with `words` false, those that look like any word stay. */
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

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for, and those that turn the direction.
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

/** Where the secret ends that begins at `at`, whole or long enough to tell it; `at` if there is none. */
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

/** A character as it may be written: in a URL, in capitals or not, in JSON, and by a server that has no line breaks in its errors. */
function formsOf(char: string, anyCase: boolean): string[] {
  const bytes = [...Buffer.from(char)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const json = JSON.stringify(char).slice(1, -1);
  const more = char <= ' ' ? [' ', '+'] : anyCase ? [char.toLowerCase(), char.toUpperCase()] : [];
  return [bytes.toUpperCase(), bytes, json, `\\${char}`, char, ...more];
}

/** All texts, and keys as bytes, that options hold. */
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

/** What is known to everyone of TLS and sentinels, and what is no text. */
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
