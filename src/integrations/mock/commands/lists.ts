import { atLeast, type Command, type Context, exactly, toFloat, toInt } from '../command.ts';
import { Failure, OK, type Reply } from '../reply.ts';

type End = 'left' | 'right';

function read({ db }: Context, key: string): readonly string[] {
  return db.get('list', key) ?? [];
}

function push(end: End, { onlyIfThere = false } = {}): Command {
  return atLeast(2, (context, key, ...values) => {
    if (onlyIfThere && read(context, key).length === 0) return 0;
    const list = context.db.edit('list', key, []);
    for (const value of values) end === 'left' ? list.unshift(value) : list.push(value);
    context.db.changed(key);
    return list.length;
  });
}

function take({ db }: Context, end: End, key: string): string | undefined {
  const list = db.get('list', key);
  if (list === undefined) return undefined;
  const value = end === 'left' ? list.shift() : list.pop();
  db.changed(key);
  return value;
}

function pop(end: End): Command {
  return atLeast(
    1,
    (context, key, count) => {
      if (count === undefined) return take(context, end, key) ?? null;
      const most = toInt(count);
      if (most < 0) throw new Failure('ERR value is out of range, must be positive');
      if (read(context, key).length === 0) return null;
      const length = Math.min(most, read(context, key).length);
      return Array.from({ length }, () => take(context, end, key) ?? '');
    },
    2,
  );
}

function blockingPop(end: End): Command {
  return atLeast(2, (context, ...args) => {
    const keys = args.slice(0, -1);
    const seconds = toFloat(args.at(-1) ?? '', 'ERR timeout is not a float or out of range');
    if (seconds < 0) throw new Failure('ERR timeout is negative');
    return context.block(seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000, () => {
      const key = keys.find((one) => read(context, one).length > 0);
      return key === undefined ? undefined : [key, take(context, end, key) ?? ''];
    });
  });
}

/** The part of a list between two indexes, both included; negative ones count from the end. */
export function range<T>(list: readonly T[], from: string, to: string): T[] {
  const place = (text: string): number => {
    const at = toInt(text);
    return at < 0 ? list.length + at : at;
  };
  return list.slice(Math.max(0, place(from)), Math.max(0, place(to) + 1));
}

function remove({ db }: Context, key: string, count: string, value: string): Reply {
  const most = toInt(count);
  const list = db.get('list', key) ?? [];
  let gone = 0;
  while (most === 0 || gone < Math.abs(most)) {
    const at = most < 0 ? list.lastIndexOf(value) : list.indexOf(value);
    if (at < 0) break;
    list.splice(at, 1);
    gone++;
  }
  if (gone > 0) db.changed(key);
  return gone;
}

export const lists: Readonly<Record<string, Command>> = {
  lpush: push('left'),
  rpush: push('right'),
  lpushx: push('left', { onlyIfThere: true }),
  rpushx: push('right', { onlyIfThere: true }),
  lpop: pop('left'),
  rpop: pop('right'),
  blpop: blockingPop('left'),
  brpop: blockingPop('right'),
  llen: exactly(1, (context, key) => read(context, key).length),
  lindex: exactly(2, (context, key, at) => read(context, key).at(toInt(at)) ?? null),
  lrange: exactly(3, (context, key, from, to) => range(read(context, key), from, to)),
  lrem: exactly(3, (context, key, count, value) => remove(context, key, count, value)),
  ltrim: exactly(3, (context, key, from, to) => {
    const kept = range(read(context, key), from, to);
    if (context.db.has(key)) context.db.set('list', key, kept, { keepTtl: true });
    return OK;
  }),
};
