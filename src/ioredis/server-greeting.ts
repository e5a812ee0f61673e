import { connect as connectTcp, type Socket } from 'node:net';
import { basename } from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { Redis } from 'ioredis';
import { isPoolError } from '../api/errors.ts';
import { isPlain } from '../api/plain.ts';
import type { Clock } from '../util/clock.ts';
import { Censor } from './redact.ts';

/** How long the silent socket may take; a server that refuses says so at once. */
const GREETING_MS = 250;

/** What ioredis hangs on an error: the command that failed, be it AUTH or HELLO. */
interface Failed extends Error {
  command?: { name?: unknown; args?: unknown };
}

/** Errors in the pool's own words. A gap in them would tell that a secret is the word that is missing. */
const IN_OUR_WORDS = new WeakSet<Error>();

/** Says that `error` has no word of anybody else, so that its message is to stay; what it has besides is still cleaned. */
export function inOurOwnWords<E extends Error>(error: E): E {
  IN_OUR_WORDS.add(error);
  return error;
}

/** Words of AUTH and HELLO that are no secrets. */
const SPOKEN = /^(AUTH|SETNAME|[23])$/i;

/**
 * The error without what may hold a secret: what `sources`, the options of clients, hold of them; the command that failed;
 * the URL that Node could not read; the user that Redis names; and where the files of keys and certificates lie. It is
 * changed in place, with all errors that it has within; one that cannot be changed is replaced.
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
    if (isPoolError(error)) return error; // made here, of what was clean
    this.#seen.set(error, error);
    const args = error.command?.args;
    const said = (Array.isArray(args) ? args.flat() : []).map(String).filter((arg) => !SPOKEN.test(arg));
    const censor = new Censor(this.#sources, said);
    let changed = remove(error, 'command') && remove(error, 'input');
    const { message, stack } = { message: String(error.message), stack: String(error.stack ?? '') };
    const told = IN_OUR_WORDS.has(error)
      ? message
      : shortenPath(error, censor.tidy(message)).replace(/\bUser \S+ has no\b/, 'User *** has no');
    // Of the stack only what people said is looked at: a short secret may be the name of a folder.
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

  /** What an error has besides: other errors, as ioredis' lastNodeError and previousErrors, texts, and plain data. */
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

/** Leaves the name of a file that could not be read, and not where it lies. A socket's path is an address. */
function shortenPath(error: NodeJS.ErrnoException, message: string): string {
  const { path, syscall } = error;
  if (typeof path !== 'string' || syscall === 'connect') return message;
  put(error, 'path', basename(path));
  return message.replaceAll(path, basename(path));
}

/** Whether the property has the value now; no error may be thrown by one that is frozen. */
function put(error: object, name: string, value: unknown): boolean {
  return Reflect.get(error, name) === value || Reflect.set(error, name, value);
}

function remove(error: object, name: string): boolean {
  return !(name in error) || Reflect.deleteProperty(error, name);
}

/**
 * The error that a server greets a connection with before it closes it, such as "ERR max number of clients
 * reached", or a TLS alert. ioredis speaks first, the answer to that is a reset, and the reset wipes the text out
 * (measured: ioredis told it in none of 100 dials). So a second socket, silent and in the same slot, reads it;
 * only when the first one was closed without a word.
 */
export async function realCause(
  seen: Error | undefined,
  client: Redis,
  clock: Clock,
  signal: AbortSignal,
): Promise<Error | undefined> {
  const wordless = seen ? isReset(seen) : client.status === 'end';
  if (!wordless || signal.aborted || client.options.sentinels || client.options.Connector) return undefined;
  // What cannot even be tried, as with a key that is none, has failed before, and was told then.
  const greeting = await readGreeting(client, clock, signal).catch(() => undefined);
  if (greeting instanceof Error) return isReset(greeting) ? undefined : greeting;
  return greeting?.startsWith('-') ? new Error(greeting.slice(1).trimEnd(), { cause: seen }) : undefined;
}

function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' || error.code === 'ECONNRESET';
}

/** What the server says first, or, over TLS, how it refuses. */
function readGreeting(client: Redis, clock: Clock, signal: AbortSignal): Promise<string | Error | undefined> {
  return new Promise((resolve) => {
    const socket = silentSocket(client);
    const cancel = clock.after(GREETING_MS, () => socket.destroy());
    const abandon = (): void => void socket.destroy();
    signal.addEventListener('abort', abandon, { once: true });
    let greeting: string | Error | undefined;
    socket.once('data', (data) => {
      greeting = data.toString();
      socket.end();
    });
    socket.once('error', (error) => {
      greeting ??= error;
    });
    socket.once('close', () => {
      cancel();
      signal.removeEventListener('abort', abandon);
      resolve(greeting);
    });
  });
}

function silentSocket({ options }: Redis): Socket {
  const { path, host = 'localhost', port = 6379, tls } = options;
  const target = path ? { path } : { host, port };
  return tls ? connectTls({ ...target, ...(tls as object) }) : connectTcp(target);
}
