import { atLeast, type Command, type Context, exactly } from '../command.ts';
import { Members } from '../reply.ts';
import { scanAll } from './scan-all.ts';

function read({ db }: Context, key: string): ReadonlySet<string> {
  return db.get('set', key) ?? new Set();
}

/** Removes members from a set, and returns those that were in it. */
function take({ db }: Context, key: string, members: readonly string[]): string[] {
  const set = db.get('set', key);
  const taken = set ? members.filter((one) => set.delete(one)) : [];
  if (taken.length > 0) db.changed(key);
  return taken;
}

/** Combines sets; `keep` decides which members of the first are kept, given the others. */
function combine(keep: (member: string, others: readonly ReadonlySet<string>[]) => boolean): Command {
  return atLeast(1, (context, first, ...keys) => {
    const others = keys.map((key) => read(context, key));
    return new Members([...read(context, first)].filter((member) => keep(member, others)));
  });
}

export const sets: Readonly<Record<string, Command>> = {
  sadd: atLeast(2, ({ db }, key, ...members) => {
    const set = db.edit('set', key, new Set());
    const before = set.size;
    for (const member of members) set.add(member);
    if (set.size > before) db.changed(key);
    return set.size - before;
  }),
  srem: atLeast(2, (context, key, ...members) => take(context, key, members).length),
  smembers: exactly(1, (context, key) => new Members([...read(context, key)])),
  sismember: exactly(2, (context, key, member) => Number(read(context, key).has(member))),
  smismember: atLeast(2, (context, key, ...members) =>
    members.map((member) => Number(read(context, key).has(member))),
  ),
  scard: exactly(1, (context, key) => read(context, key).size),
  spop: exactly(1, (context, key) => take(context, key, [...read(context, key)].slice(0, 1))[0] ?? null),
  sunion: atLeast(
    1,
    (context, ...keys) => new Members([...new Set(keys.flatMap((key) => [...read(context, key)]))]),
  ),
  sinter: combine((member, others) => others.every((one) => one.has(member))),
  sdiff: combine((member, others) => !others.some((one) => one.has(member))),
  sscan: atLeast(2, (context, key, cursor, ...rest) =>
    scanAll(
      [...read(context, key)].map((member) => [member]),
      cursor,
      rest,
    ),
  ),
};
