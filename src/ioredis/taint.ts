/**
 * What commands leave behind on their connection, as bits of one number; after redigo's commandinfo.go, and more.
 * An ordinary command leaves nothing.
 */
export const Taint = {
  none: 0,
  /** A MULTI is open: DISCARD undoes it. */
  multi: 1,
  /** Keys are watched: UNWATCH undoes it. */
  watch: 2,
  /** Another db may be selected: SELECT undoes it. */
  select: 4,
  /** The next command may be about a slot that is only being moved to this node: any command undoes it. */
  asking: 16,
  /** Something that cannot be undone cheaply and reliably: the connection has to be closed. */
  dirty: 8,
} as const;

const sets =
  (bits: number) =>
  (taint: number): number =>
    taint | bits;
const clears =
  (bits: number) =>
  (taint: number): number =>
    taint & ~bits;

type Rule = (taint: number, args: readonly unknown[]) => number;

/** The subcommands of CLIENT that leave this connection unchanged: they read, or act on others. */
const HARMLESS_CLIENT = new Set(
  'getname getredir help id info kill list pause setinfo trackinginfo unblock unpause'.split(' '),
);

const first = (args: readonly unknown[]): string => String(args[0]).toLowerCase();

const RULES = new Map<string, Rule>([
  ['watch', sets(Taint.watch)],
  ['unwatch', clears(Taint.watch)],
  ['multi', sets(Taint.multi)],
  ['exec', clears(Taint.multi | Taint.watch)],
  ['discard', clears(Taint.multi | Taint.watch)],
  ['select', sets(Taint.select)],
  ['asking', sets(Taint.asking)],
  ['client', (taint, args) => (HARMLESS_CLIENT.has(first(args)) ? taint : taint | Taint.dirty)],
  ['script', (taint, args) => (first(args) === 'debug' ? taint | Taint.dirty : taint)],
]);
for (const name of [
  ...['subscribe', 'psubscribe', 'ssubscribe', 'monitor', 'sync', 'psync', 'replconf'],
  ...['auth', 'hello', 'reset', 'quit', 'readonly', 'readwrite', 'himport'],
]) {
  RULES.set(name, sets(Taint.dirty));
}

/** The taint after `name`, in lower case, was sent on a connection with `taint`. Replies are not considered. */
export function taintAfter(taint: number, name: string, args: readonly unknown[]): number {
  const rule = RULES.get(name);
  const left = taint & Taint.asking && !(taint & Taint.multi) ? taint & ~Taint.asking : taint;
  return rule === undefined ? left : rule(left, args);
}

/** The commands that reliably undo `taint`, in order; or 'close'. `db` is the one of the pool's connections. */
export function undoFor(taint: number, db: number): readonly (readonly [string, ...number[]])[] | 'close' {
  if (taint & Taint.dirty) return 'close';
  const undo: [string, ...number[]][] = [];
  if (taint & Taint.multi) undo.push(['discard']);
  else if (taint & Taint.watch) undo.push(['unwatch']);
  if (taint & Taint.select) undo.push(['select', db]);
  else if (taint === Taint.asking) undo.push(['ping']);
  return undo;
}
