import {
  atLeast,
  type Command,
  type Context,
  container,
  exactly,
  readOptions,
  syntaxError,
  toInt,
} from '../command.ts';
import { Failure, OK, Pairs, type Reply } from '../reply.ts';
import {
  distance,
  type Group,
  type Id,
  idText,
  lagOf,
  newStream,
  nodesOf,
  type Pending,
  parseId,
  type Stream,
} from '../stream.ts';
import { readStream, takeReading, toEnd, toEntry, toId, toStreams } from './streams.ts';

/** The stream and its group. */
type Place = readonly [stream: Stream, group: Group];

function place({ db }: Context, key: string, name: string, error?: string): Place {
  const stream = db.get('stream', key);
  const group = stream?.groups.get(name);
  if (stream === undefined || group === undefined) {
    throw new Failure(error ?? `NOGROUP No such key '${key}' or consumer group '${name}'`);
  }
  return [stream, group];
}

/** The stream that XGROUP needs. */
function needed({ db }: Context, key: string): Stream {
  const stream = db.get('stream', key);
  if (stream !== undefined) return stream;
  throw new Failure(
    'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.',
  );
}

function groupOf(context: Context, key: string, name: string): Group {
  const group = needed(context, key).groups.get(name);
  if (group === undefined)
    throw new Failure(`NOGROUP No such consumer group '${name}' for key name '${key}'`);
  return group;
}

function readOnly(what: 'CREATE' | 'SETID', rest: string[]): { mkstream?: true; entriesread?: string } {
  try {
    return readOptions(rest, what === 'CREATE' ? ['mkstream'] : [], ['entriesread']);
  } catch {
    throw new Failure(`ERR unknown subcommand or wrong number of arguments for '${what}'. Try XGROUP HELP.`);
  }
}

function create(context: Context, key: string, name: string, text: string, ...rest: string[]): Reply {
  const { mkstream, entriesread } = readOnly('CREATE', rest);
  const stream = context.db.get('stream', key) ?? (mkstream ? newStream() : needed(context, key));
  const last = text === '$' ? stream.last : toId(text);
  if (stream.groups.has(name)) throw new Failure('BUSYGROUP Consumer Group name already exists');
  const read = entriesread === undefined ? undefined : toInt(entriesread);
  stream.groups.set(name, { last, read, pending: new Map(), consumers: new Map() });
  context.db.edit('stream', key, stream);
  context.db.changed(key);
  return OK;
}

const xgroup = container('xgroup', {
  create: atLeast(3, create),
  setid: atLeast(3, (context, key, name, text, ...rest) => {
    const { entriesread } = readOnly('SETID', rest);
    const stream = needed(context, key);
    const group = groupOf(context, key, name);
    group.last = text === '$' ? stream.last : toId(text);
    group.read = entriesread === undefined ? undefined : toInt(entriesread);
    context.db.changed(key);
    return OK;
  }),
  destroy: exactly(2, (context, key, name) => {
    const gone = needed(context, key).groups.delete(name);
    if (gone) context.db.changed(key);
    return Number(gone);
  }),
  createconsumer: exactly(3, (context, key, name, consumer) => {
    const { consumers } = groupOf(context, key, name);
    if (consumers.has(consumer)) return 0;
    consumers.set(consumer, context.date());
    context.db.changed(key);
    return 1;
  }),
  delconsumer: exactly(3, (context, key, name, consumer) => {
    const { consumers, pending } = groupOf(context, key, name);
    const its = [...pending].filter(([, one]) => one.consumer === consumer);
    for (const [id] of its) pending.delete(id);
    if (consumers.delete(consumer)) context.db.changed(key);
    return its.length;
  }),
});

/** What a consumer gets that nobody in its group has got. */
function deliver(
  context: Context,
  [stream, group]: Place,
  consumer: string,
  count: number,
  noAck: boolean,
): Reply[] {
  const fresh = stream.entries.filter(({ id }) => id > group.last).slice(0, count);
  for (const { id } of fresh) {
    const known = group.read !== undefined && stream.deleted <= id;
    group.read = known ? (group.read ?? 0) + 1 : distance(stream, id);
    group.last = id;
    if (!noAck) group.pending.set(id, { consumer, at: context.date(), times: 1 });
  }
  return fresh.map(toEntry);
}

/** The pending entries of a group, by ID. */
const inOrder = ({ pending }: Group): [Id, Pending][] => [...pending].sort(([a], [b]) => (a < b ? -1 : 1));

/** What a consumer has got before, and not acknowledged. */
function repeat(
  context: Context,
  [stream, group]: Place,
  consumer: string,
  after: Id,
  count: number,
): Reply[] {
  const its = inOrder(group)
    .filter(([id, one]) => id > after && one.consumer === consumer)
    .slice(0, count);
  return its.map(([id, one]) => {
    const entry = stream.entries.find((each) => each.id === id);
    if (entry === undefined) return [idText(id), null];
    one.at = context.date();
    one.times++;
    return toEntry(entry);
  });
}

function readGroup(
  context: Context,
  word: string,
  name: string,
  consumer: string,
  ...args: string[]
): Reply | Promise<Reply> {
  if (word.toLowerCase() !== 'group') throw syntaxError();
  const { keys, ids, count, blockMs, noAck } = takeReading('xreadgroup', args);
  const find = (key: string): Place =>
    place(
      context,
      key,
      name,
      `NOGROUP No such key '${key}' or consumer group '${name}' in XREADGROUP with GROUP option`,
    );
  const after = ids.map((text, i) => {
    find(keys[i] ?? '');
    if (text === '$') {
      throw new Failure(
        'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.',
      );
    }
    return text === '>' ? undefined : toId(text);
  });
  const look = (): Reply | undefined => {
    const found = keys.flatMap((key, i): [string, Reply][] => {
      const at = find(key);
      const from = after[i];
      at[1].consumers.set(consumer, context.date());
      if (from !== undefined) return [[key, repeat(context, at, consumer, from, count)]];
      const fresh = deliver(context, at, consumer, count, noAck);
      if (fresh.length > 0) context.db.changed(key);
      return fresh.length === 0 ? [] : [[key, fresh]];
    });
    return toStreams(context, found);
  };
  return blockMs === undefined ? (look() ?? null) : context.block(blockMs, look);
}

function acknowledge(context: Context, key: string, name: string, ...texts: string[]): Reply {
  const group = readStream(context, key).groups.get(name);
  if (group === undefined) return 0;
  const ids = texts.map((one) => toId(one));
  const done = ids.filter((id) => group.pending.delete(id)).length;
  if (done > 0) context.db.changed(key);
  return done;
}

function pending(context: Context, key: string, name: string, ...args: string[]): Reply {
  const idle = args[0]?.toLowerCase() === 'idle' ? toInt(args.splice(0, 2)[1] ?? '') : 0;
  const [from, to, count, consumer, ...rest] = args;
  if (from !== undefined && (count === undefined || rest.length > 0)) throw syntaxError();
  if (from === undefined) {
    const [, group] = place(context, key, name);
    const all = inOrder(group);
    const [first, last] = [all[0], all.at(-1)];
    if (first === undefined || last === undefined) return [0, null, null, null];
    const counts = new Map<string, number>();
    for (const [, one] of all) counts.set(one.consumer, (counts.get(one.consumer) ?? 0) + 1);
    const told = [...counts].sort().map(([one, number]): Reply => [one, String(number)]);
    return [all.length, idText(first[0]), idText(last[0]), told];
  }
  const most = toInt(count ?? '');
  const [start, end] = [toEnd(from, 'first'), toEnd(to ?? '', 'last')];
  const [, group] = place(context, key, name);
  const now = context.date();
  return inOrder(group)
    .filter(([id, one]) => id >= start && id <= end && now - one.at >= idle)
    .filter(([, one]) => consumer === undefined || one.consumer === consumer)
    .slice(0, Math.max(0, most))
    .map(([id, one]): Reply => [idText(id), one.consumer, now - one.at, one.times]);
}

function toIdle(command: string, text: string): number {
  if (!/^-?\d{1,18}$/.test(text)) throw new Failure(`ERR Invalid min-idle-time argument for ${command}`);
  return Math.max(0, Number(text));
}

function claim(
  context: Context,
  key: string,
  name: string,
  consumer: string,
  idleText: string,
  ...args: string[]
): Reply {
  const [stream, group] = place(context, key, name);
  const least = toIdle('XCLAIM', idleText);
  const found = args.findIndex((one) => parseId(one) === undefined);
  const at = found < 0 ? args.length : found;
  const ids = args.slice(0, at).map((one) => toId(one));
  const options = claimOptions(args.slice(at));
  const now = context.date();
  if (options.lastid !== undefined && toId(options.lastid) > group.last) group.last = toId(options.lastid);
  const taken: Reply[] = [];
  for (const id of ids) {
    const entry = stream.entries.find((one) => one.id === id);
    const before =
      group.pending.get(id) ?? (options.force && entry ? { consumer, at: 0, times: 0 } : undefined);
    if (before === undefined) continue;
    if (entry === undefined) {
      group.pending.delete(id);
      continue;
    }
    if (group.pending.has(id) && now - before.at < least) continue;
    group.consumers.set(consumer, now);
    const since = options.time !== undefined ? toInt(options.time) : now - toInt(options.idle ?? '0');
    const times =
      options.retrycount === undefined ? before.times + Number(!options.justid) : toInt(options.retrycount);
    group.pending.set(id, { consumer, at: Math.min(since, now), times });
    taken.push(options.justid ? idText(id) : toEntry(entry));
  }
  context.db.changed(key);
  return taken;
}

const CLAIM_FLAGS = ['force', 'justid'] as const;
const CLAIM_VALUES = ['idle', 'time', 'retrycount', 'lastid'] as const;

function claimOptions(args: readonly string[]): { [F in (typeof CLAIM_FLAGS)[number]]?: true } & {
  [V in (typeof CLAIM_VALUES)[number]]?: string;
} {
  let at = 0;
  while (at < args.length) {
    const word = args[at]?.toLowerCase() ?? '';
    const valued = (CLAIM_VALUES as readonly string[]).includes(word) && at + 1 < args.length;
    if (!valued && !(CLAIM_FLAGS as readonly string[]).includes(word)) {
      throw new Failure(`ERR Unrecognized XCLAIM option '${args[at]}'`);
    }
    at += valued ? 2 : 1;
  }
  return readOptions(args, CLAIM_FLAGS, CLAIM_VALUES);
}

function autoClaim(
  context: Context,
  key: string,
  name: string,
  consumer: string,
  idleText: string,
  from: string,
  ...rest: string[]
): Reply {
  const least = toIdle('XAUTOCLAIM', idleText);
  const start = toEnd(from, 'first');
  const { count = '100', justid } = readOptions(rest, ['justid'], ['count']);
  if (toInt(count) < 1) throw new Failure('ERR COUNT must be > 0');
  const [stream, group] = place(context, key, name);
  const now = context.date();
  const taken: Reply[] = [];
  const gone: Reply[] = [];
  let next = '0-0';
  let left = toInt(count);
  for (const [id, one] of inOrder(group).filter(([each]) => each >= start)) {
    if (left === 0) {
      next = idText(id);
      break;
    }
    const entry = stream.entries.find((each) => each.id === id);
    if (entry === undefined) {
      group.pending.delete(id);
      gone.push(idText(id));
      left--;
      continue;
    }
    if (now - one.at < least) continue;
    group.consumers.set(consumer, now);
    group.pending.set(id, { consumer, at: now, times: one.times + Number(!justid) });
    taken.push(justid ? idText(id) : toEntry(entry));
    left--;
  }
  context.db.changed(key);
  return [next, taken, gone];
}

function inspected(context: Context, key: string): Stream {
  const stream = context.db.get('stream', key);
  if (stream === undefined) throw new Failure('ERR no such key');
  return stream;
}

const xinfo = container('xinfo', {
  stream: exactly(1, (context, key) => {
    const stream = inspected(context, key);
    const [first, last] = [stream.entries[0], stream.entries.at(-1)];
    return new Pairs([
      ['length', stream.entries.length],
      ['radix-tree-keys', nodesOf(stream)],
      ['radix-tree-nodes', nodesOf(stream) + 1],
      ['last-generated-id', idText(stream.last)],
      ['max-deleted-entry-id', idText(stream.deleted)],
      ['entries-added', stream.added],
      ['recorded-first-entry-id', idText(first?.id ?? 0n)],
      ['groups', stream.groups.size],
      ['first-entry', first ? toEntry(first) : null],
      ['last-entry', last ? toEntry(last) : null],
    ]);
  }),
  groups: exactly(1, (context, key) => {
    const stream = inspected(context, key);
    return [...stream.groups].sort().map(
      ([name, group]) =>
        new Pairs([
          ['name', name],
          ['consumers', group.consumers.size],
          ['pending', group.pending.size],
          ['last-delivered-id', idText(group.last)],
          ['entries-read', group.read ?? null],
          ['lag', lagOf(stream, group)],
        ]),
    );
  }),
  consumers: exactly(2, (context, key, name) => {
    const group = inspected(context, key).groups.get(name);
    if (group === undefined)
      throw new Failure(`NOGROUP No such consumer group '${name}' for key name '${key}'`);
    return [...group.consumers].sort().map(
      ([consumer, at]) =>
        new Pairs([
          ['name', consumer],
          ['pending', [...group.pending.values()].filter((one) => one.consumer === consumer).length],
          ['idle', context.date() - at],
        ]),
    );
  }),
});

export const streamGroups: Readonly<Record<string, Command>> = {
  xgroup,
  xinfo,
  xreadgroup: atLeast(6, readGroup),
  xack: atLeast(3, acknowledge),
  xpending: atLeast(2, pending),
  xclaim: atLeast(5, claim),
  xautoclaim: atLeast(5, autoClaim),
};
