import { Failure } from './reply.ts';
import type { Stream } from './stream.ts';

/** The kinds of values. */
export interface Kinds {
  string: string;
  hash: Map<string, string>;
  list: string[];
  set: Set<string>;
  zset: Map<string, number>;
  stream: Stream;
}
export type Kind = keyof Kinds;

interface Entry {
  readonly kind: Kind;
  readonly value: Kinds[Kind];
  /** When it expires. Milliseconds since 1970; `Infinity`: never. */
  expiresAt: number;
  /** Increases from key to key, so that SCAN can continue from a cursor. */
  readonly serial: number;
}

/** The keys of one db, with their values and expiries. */
export class Keyspace {
  readonly #entries = new Map<string, Entry>();
  /** The number of changes of each key, for WATCH. */
  readonly #changes = new Map<string, number>();
  readonly #now: () => number;
  #serial = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.keys().length;
  }

  /** All keys, in the order in which they were created. */
  keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.#entry(key));
  }

  has(key: string): boolean {
    return this.#entry(key) !== undefined;
  }

  kindOf(key: string): Kind | undefined {
    return this.#entry(key)?.kind;
  }

  /** The value of `key`; throws WRONGTYPE if it is not of `kind`. */
  get<K extends Kind>(kind: K, key: string): Kinds[K] | undefined {
    const entry = this.#entry(key);
    if (entry === undefined) return undefined;
    if (entry.kind !== kind) {
      throw new Failure('WRONGTYPE Operation against a key holding the wrong kind of value');
    }
    return entry.value as Kinds[K];
  }

  /** Sets `key` to `value`, whatever its kind was before. Without `keepTtl` it never expires. */
  set<K extends Kind>(kind: K, key: string, value: Kinds[K], { keepTtl = false } = {}): void {
    const before = this.#entry(key);
    const entry = this.#make(kind, value, before?.serial);
    if (keepTtl && before) entry.expiresAt = before.expiresAt;
    this.#entries.set(key, entry);
    this.changed(key);
  }

  /** The value of `key`, of `kind`, to be modified and then reported to `changed`; `empty` if there is none. */
  edit<K extends Kind>(kind: K, key: string, empty: Kinds[K]): Kinds[K] {
    const value = this.get(kind, key);
    if (value !== undefined) return value;
    this.#entries.set(key, this.#make(kind, empty));
    return empty;
  }

  delete(key: string): boolean {
    if (!this.has(key)) return false;
    this.#entries.delete(key);
    this.changed(key);
    return true;
  }

  clear(): void {
    for (const key of this.keys()) this.delete(key);
  }

  /** To be called after the value of `key` was modified. Deletes a collection that has become empty. */
  changed(key: string): void {
    this.#changes.set(key, this.changes(key) + 1);
    const { kind, value } = this.#entries.get(key) ?? {};
    const left =
      value === undefined || kind === 'string' || kind === 'stream'
        ? 1
        : sizeOf(value as Kinds['list' | 'set']);
    if (left === 0) this.#entries.delete(key);
  }

  /** The number of changes of `key`. */
  changes(key: string): number {
    return this.#changes.get(key) ?? 0;
  }

  /** The time until `key` expires. Milliseconds; `Infinity`: never. */
  timeLeft(key: string): number | undefined {
    const entry = this.#entry(key);
    return entry && entry.expiresAt - this.#now();
  }

  /** When `key` expires. Milliseconds since 1970; `Infinity`: never. */
  expiry(key: string): number | undefined {
    return this.#entry(key)?.expiresAt;
  }

  /** Lets `key` expire `ms` milliseconds from now; `Infinity`: never. */
  expire(key: string, ms: number): void {
    this.expireAt(key, this.#now() + ms);
  }

  /** Lets `key` expire at a date in milliseconds; `Infinity`: never. */
  expireAt(key: string, date: number): void {
    const entry = this.#entry(key);
    if (entry === undefined) return;
    entry.expiresAt = date;
    this.changed(key);
    this.#entry(key);
  }

  /** Up to `count` keys from `cursor` on, and the cursor of the next; 0 if there are no more. */
  scan(cursor: number, count: number): { next: number; keys: string[] } {
    const rest = this.keys().filter((key) => (this.#entry(key)?.serial ?? 0) > cursor);
    const keys = rest.slice(0, count);
    const last = rest.length > count ? keys.at(-1) : undefined;
    return { next: (last && this.#entry(last)?.serial) || 0, keys };
  }

  #make(kind: Kind, value: Kinds[Kind], serial = ++this.#serial): Entry {
    return { kind, value, expiresAt: Number.POSITIVE_INFINITY, serial };
  }

  #entry(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAt > this.#now()) return entry;
    this.#entries.delete(key);
    this.changed(key);
    return undefined;
  }
}

function sizeOf(value: { readonly length: number } | { readonly size: number }): number {
  return 'length' in value ? value.length : value.size;
}
