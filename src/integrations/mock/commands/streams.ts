import {
  arityError,
  atLeast,
  type Command,
  type Context,
  readOptions,
  syntaxError,
  toInt,
} from '../command.ts';
import { Failure, Pairs, type Reply } from '../reply.ts';
import {
  type Entry,
  excess,
  type Id,
  idOf,
  idText,
  LAST_ID,
  msOf,
  newStream,
  nextId,
  parseId,
  type Stream,
} from '../stream.ts';

const EMPTY: Readonly<Stream> = newStream();

export function readStream({ db }: Context, key: string): Readonly<Stream> {
  return db.get('stream', key) ?? EMPTY;
}

export function invalidId(): Failure {
  return new Failure('ERR Invalid stream ID specified as stream command argument');
}

/** Reads an ID; throws if it is none. */
export function toId(text: string, rest: 'first' | 'last' = 'first'): Id {
  const id = parseId(text, rest);
  if (id === undefined) throw invalidId();
  return id;
}

/** Reads the end of a range: an ID, `(` before one excludes it, `-` and `+` are the ends. */
export function toEnd(text: string, which: 'first' | 'last'): Id {
  if (text === '-') return 0n;
  if (text === '+') return LAST_ID;
  if (!text.startsWith('(')) return toId(text, which);
  const id = toId(text.slice(1), which) + (which === 'first' ? 1n : -1n);
  if (id < 0n || id > LAST_ID) {
    throw new Failure(`ERR invalid ${which === 'first' ? 'start' : 'end'} ID for the interval`);
  }
  return id;
}

export const toEntry = ({ id, fields }: Entry): Reply => [idText(id), fields];

interface Trim {
  readonly how: 'maxlen' | 'minid';
  readonly limit: string;
  readonly approximate: boolean;
}

/** Takes `MAXLEN ~ 10 LIMIT 5` and the like from the beginning of `args`. */
function takeTrim(args: string[]): Trim {
  const how = args.shift()?.toLowerCase();
  if (how !== 'maxlen' && how !== 'minid') throw syntaxError();
  const sign = args[0] === '~' || args[0] === '=' ? args.shift() : undefined;
  const limit = args.shift();
  if (limit === undefined) throw syntaxError();
  if (how === 'maxlen' && toInt(limit) < 0) throw new Failure('ERR The MAXLEN argument must be >= 0.');
  if (how === 'minid') toId(limit);
  if (args[0]?.toLowerCase() === 'limit') {
    const [, count] = args.splice(0, 2);
    if (count === undefined) throw syntaxError();
    if (toInt(count) < 0) throw new Failure('ERR The LIMIT argument must be >= 0.');
    if (sign !== '~')
      throw new Failure('ERR syntax error, LIMIT cannot be used without the special ~ option');
  }
  return { how, limit, approximate: sign === '~' };
}

/** Removes the oldest entries, and returns how many. */
function trim(stream: Stream, { how, limit, approximate }: Trim): number {
  const { length } = stream.entries;
  const least = how === 'minid' ? toId(limit) : 0n;
  const kept = how === 'maxlen' ? toInt(limit) : stream.entries.filter(({ id }) => id >= least).length;
  const gone = stream.entries.splice(0, excess(length, kept, approximate));
  return gone.length;
}

function add(context: Context, key: string, ...args: string[]): Reply {
  let create = true;
  let trimming: Trim | undefined;
  for (
    let word = args[0]?.toLowerCase();
    /^(nomkstream|maxlen|minid)$/.test(word ?? '');
    word = args[0]?.toLowerCase()
  ) {
    if (word !== 'nomkstream') trimming = takeTrim(args);
    else {
      create = false;
      args.shift();
    }
  }
  const [wanted = '', ...fields] = args;
  if (fields.length === 0 || fields.length % 2 === 1) throw arityError('xadd');
  const [, ms] = /^(\d+)-\*$/.exec(wanted) ?? [];
  const given = wanted === '*' || ms !== undefined ? undefined : toId(wanted);
  if (given === 0n) throw new Failure('ERR The ID specified in XADD must be greater than 0-0');
  const before = context.db.get('stream', key);
  if (before === undefined && !create) return null;
  const { last } = before ?? EMPTY;
  if (last === LAST_ID) {
    throw new Failure('ERR The stream has exhausted the last possible ID, unable to add more items');
  }
  const id = given ?? (ms === undefined ? nextId(last, context.date()) : within(toId(ms), last));
  if (id === undefined || id <= last) {
    throw new Failure('ERR The ID specified in XADD is equal or smaller than the target stream top item');
  }
  const stream = context.db.edit('stream', key, newStream());
  stream.entries.push({ id, fields });
  stream.last = id;
  stream.added++;
  if (trimming) trim(stream, trimming);
  context.db.changed(key);
  return idText(id);
}

/** The next ID within the milliseconds of `first`. */
function within(first: Id, last: Id): Id {
  if (msOf(first) !== msOf(last)) return first === 0n ? 1n : first;
  return msOf(last + 1n) === msOf(last) ? last + 1n : idOf(msOf(last), 0n);
}

function range(
  context: Context,
  key: string,
  from: string,
  to: string,
  rest: string[],
  down: boolean,
): Reply {
  const { count } = readOptions(rest, [], ['count']);
  const [first, last] = [toEnd(from, 'first'), toEnd(to, 'last')];
  const most = count === undefined ? Number.POSITIVE_INFINITY : toInt(count);
  const found = readStream(context, key).entries.filter(({ id }) => id >= first && id <= last);
  if (most === 0) return null;
  return (down ? found.reverse() : found).slice(0, most < 0 ? undefined : most).map(toEntry);
}

/** XDEL. */
function remove({ db }: Context, key: string, ...texts: string[]): Reply {
  const ids = texts.map((one) => toId(one));
  const stream = db.get('stream', key);
  if (stream === undefined) return 0;
  const gone = stream.entries.filter(({ id }) => ids.includes(id)).map(({ id }) => id);
  if (gone.length === 0) return 0;
  stream.entries = stream.entries.filter(({ id }) => !ids.includes(id));
  for (const id of gone) if (id > stream.deleted) stream.deleted = id;
  db.changed(key);
  return gone.length;
}

/** What XREAD and XREADGROUP have in common. */
export interface Reading {
  readonly keys: readonly string[];
  readonly ids: readonly string[];
  readonly count: number;
  /** Milliseconds; `Infinity`: for ever; `undefined`: it does not block. */
  readonly blockMs: number | undefined;
  readonly noAck: boolean;
}

export function takeReading(command: string, args: readonly string[]): Reading {
  const at = args.findIndex((one) => one.toLowerCase() === 'streams');
  const group = command === 'xreadgroup';
  const flags = group ? (['noack'] as const) : [];
  const options: { noack?: true; count?: string; block?: string } = readOptions(
    at < 0 ? args : args.slice(0, at),
    flags,
    ['count', 'block'],
  );
  if (at < 0) throw syntaxError();
  const count = toInt(options.count ?? '-1');
  const blockMs = options.block === undefined ? undefined : toMs(options.block);
  const rest = args.slice(at + 1);
  if (rest.length === 0 || rest.length % 2 === 1) {
    throw new Failure(
      `ERR Unbalanced ${command.toUpperCase()} list of streams: for each stream key an ID or '${group ? '>' : '$'}' must be specified.`,
    );
  }
  return {
    keys: rest.slice(0, rest.length / 2),
    ids: rest.slice(rest.length / 2),
    count: count > 0 ? count : Number.POSITIVE_INFINITY,
    blockMs: blockMs === 0 ? Number.POSITIVE_INFINITY : blockMs,
    noAck: options.noack ?? false,
  };
}

function toMs(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new Failure('ERR timeout is not an integer or out of range');
  if (toInt(text) < 0) throw new Failure('ERR timeout is negative');
  return toInt(text);
}

/** The reply of XREAD and XREADGROUP; `undefined` if there is nothing. */
export function toStreams(
  { client }: Context,
  found: readonly [key: string, entries: Reply][],
): Reply | undefined {
  if (found.length === 0) return undefined;
  return client.protocol === 3 ? new Pairs(found) : found;
}

function read(context: Context, ...args: string[]): Reply | Promise<Reply> {
  const { keys, ids, count, blockMs } = takeReading('xread', args);
  const after = ids.map((id, i): Id => {
    if (id === '>') {
      throw new Failure(
        'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
      );
    }
    const { last } = readStream(context, keys[i] ?? '');
    return id === '$' ? last : toId(id);
  });
  const look = (): Reply | undefined => {
    const found = keys.flatMap((key, i): [string, Reply][] => {
      const entries = readStream(context, key).entries.filter(({ id }) => id > (after[i] ?? 0n));
      return entries.length === 0 ? [] : [[key, entries.slice(0, count).map(toEntry)]];
    });
    return toStreams(context, found);
  };
  return blockMs === undefined ? (look() ?? null) : context.block(blockMs, look);
}

export const streams: Readonly<Record<string, Command>> = {
  xadd: atLeast(4, add),
  xlen: atLeast(1, (context, key) => readStream(context, key).entries.length, 1),
  xrange: atLeast(3, (context, key, from, to, ...rest) => range(context, key, from, to, rest, false)),
  xrevrange: atLeast(3, (context, key, to, from, ...rest) => range(context, key, from, to, rest, true)),
  xread: atLeast(3, read),
  xdel: atLeast(2, remove),
  xtrim: atLeast(3, ({ db }, key, ...args) => {
    const how = takeTrim(args);
    if (args.length > 0) throw syntaxError();
    const stream = db.get('stream', key);
    const gone = stream ? trim(stream, how) : 0;
    if (gone > 0) db.changed(key);
    return gone;
  }),
};
