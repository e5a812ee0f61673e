import type { Keyspace } from './keyspace.ts';
import { Failure, type Reply } from './reply.ts';
import type { Protocol } from './resp.ts';
import type { Scripts } from './scripts.ts';

/** The connection of a command. */
export interface Client {
  readonly id: number;
  name: string;
  dbIndex: number;
  protocol: Protocol;
  readonly channels: Set<string>;
  readonly patterns: Set<string>;
  /** The command is part of a MULTI, and must not block. */
  readonly inTransaction: boolean;
  /** Sends a push. */
  tell(reply: Reply): void;
  /** Closes the connection after all replies are sent. */
  quit(): void;
}

/** What a command may use. */
export interface Context {
  readonly db: Keyspace;
  readonly dbs: readonly Keyspace[];
  readonly client: Client;
  readonly clients: Iterable<Client>;
  readonly scripts: Scripts;
  /** Runs a command as a script calls it: at once, with replies of RESP2; throws if it fails. */
  readonly call: (name: string, args: readonly string[]) => Reply;
  /** The date. Milliseconds since 1970, on the mock's clock. */
  date(): number;
  /**
   * The first reply that `retry` makes, now or after a later command of anyone; `null` if there is none within `ms`.
   */
  block(ms: number, retry: () => Reply | undefined): Reply | Promise<Reply>;
}

/** Its reply; `undefined` if it has sent its replies itself. Arguments and replies are byte strings. */
export type Run = (context: Context, ...args: string[]) => Reply | undefined | Promise<Reply>;

export interface Command {
  readonly least: number;
  readonly most: number;
  readonly run: Run;
}

/** A command with exactly this number of arguments. */
export function exactly(count: number, run: Run): Command {
  return { least: count, most: count, run };
}

/** A command with at least this number of arguments. */
export function atLeast(least: number, run: Run, most = Number.POSITIVE_INFINITY): Command {
  return { least, most, run };
}

export function syntaxError(): Failure {
  return new Failure('ERR syntax error');
}

/** Parses a 64-bit integer; throws if `text` is none. */
export function toBigInt(text: string): bigint {
  const value = /^(0|-?[1-9]\d{0,18})$/.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value !== BigInt.asIntN(64, value)) {
    throw new Failure('ERR value is not an integer or out of range');
  }
  return value;
}

/** Parses an integer; throws if `text` is none. */
export function toInt(text: string): number {
  return Number(toBigInt(text));
}

/** Parses a number, infinite ones included; throws `message` if `text` is none. */
export function toFloat(text: string, message = 'ERR value is not a valid float'): number {
  const sign = /^([+-]?)inf(inity)?$/i.exec(text)?.[1];
  if (sign !== undefined) return sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw new Failure(message);
  return value;
}

const MOST_MS = 2n ** 63n - 1n;

/** The date in milliseconds that `text` names in `unit`s, from `since` on; throws if there is no such date. */
export function toDate(command: string, text: string, unit: number, since: number): number {
  const date = toBigInt(text) * BigInt(unit) + BigInt(since);
  if (date > MOST_MS || date < -MOST_MS) throw expireError(command);
  return Number(date);
}

export function expireError(command: string): Failure {
  return new Failure(`ERR invalid expire time in '${command}' command`);
}

/** Groups arguments into pairs; throws if their number is odd. */
export function inPairs(args: readonly string[], odd: () => Failure): [string, string][] {
  if (args.length % 2 === 1) throw odd();
  const pairs: [string, string][] = [];
  for (let i = 0; i < args.length; i += 2) pairs.push([args[i] ?? '', args[i + 1] ?? '']);
  return pairs;
}

/** A command with subcommands, such as OBJECT. */
export function container(name: string, parts: Readonly<Record<string, Command>>): Command {
  return atLeast(1, (context, word, ...args) => {
    const part = Object.hasOwn(parts, word.toLowerCase()) ? parts[word.toLowerCase()] : undefined;
    if (part === undefined) {
      throw new Failure(
        `ERR the mock does not know ${name.toUpperCase()} ${word.toUpperCase()}: answer it with mock.reply('${name}', …)`,
      );
    }
    if (args.length < part.least || args.length > part.most)
      throw arityError(`${name}|${word.toLowerCase()}`);
    return part.run(context, ...args);
  });
}

/** The error for a wrong number of arguments. */
export function arityError(name: string): Failure {
  return new Failure(`ERR wrong number of arguments for '${name}' command`);
}

/** The keys that follow their number, and what comes after them. */
export function takeKeys(
  args: readonly string[],
  tooMany = 'ERR syntax error',
): [keys: string[], rest: string[]] {
  const [text = '', ...rest] = args;
  const count = /^[1-9]\d*$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new Failure('ERR numkeys should be greater than 0');
  if (count > rest.length) throw new Failure(tooMany);
  return [rest.slice(0, count), rest.slice(count)];
}

/** Reads options in any order: `flags` have no value, `valued` are followed by one. */
export function readOptions<F extends string, V extends string>(
  args: readonly string[],
  flags: readonly F[],
  valued: readonly V[],
): { [K in F]?: true } & { [K in V]?: string } {
  const found: Record<string, string | true> = {};
  for (let i = 0; i < args.length; i++) {
    const word = (args[i] ?? '').toLowerCase();
    const value = args[i + 1];
    if ((flags as readonly string[]).includes(word)) found[word] = true;
    else if ((valued as readonly string[]).includes(word) && value !== undefined) {
      found[word] = value;
      i++;
    } else throw syntaxError();
  }
  return found as { [K in F]?: true } & { [K in V]?: string };
}
