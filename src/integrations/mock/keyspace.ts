import { Failure } from './reply.ts';

/** What a key may hold. */
export interface Kinds {
  string: string;
  hash: Map<string, string>;
  list: string[];
  set: Set<string>;
  zset: Map<string, number>;
}
export type Kind = keyof Kinds;

interface Entry {
  readonly kind: Kind;
  readonly value: Kinds[Kind];
  /** When it expires, on the mock's clock; `Infinity`: never. */
  expiresAt: number;
  /** Counts up from key to key, so that SCAN finds its place again. */
  readonly serial: number;
}

/** The keys of one db, with what they hold and until when. */
export class Keyspace {
  readonly #entries = new Map<string, Entry>();
  /** How often each key was changed, for WATCH. */
  readonly #changes = new Map<string, number>();
  readonly #now: () => number;
  #serial = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.keys().length;
  }

  /** All keys, in the order of their making. */
  keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.#entry(key));
  }

  has(key: string): boolean {
    return this.#entry(key) !== undefined;
  }

  kindOf(key: string): Kind | undefined {
    return this.#entry(key)?.kind;
  }

  /** What `key` holds; throws WRONGTYPE if that is nothing of `kind`. */
  get<K extends Kind>(kind: K, key: string): Kinds[K] | undefined {
    const entry = this.#entry(key);
    if (entry === undefined) return undefined;
    if (entry.kind !== kind) {
      throw new Failure('WRONGTYPE Operation against a key holding the wrong kind of value');
    }
    return entry.value as Kinds[K];
  }

  /** Puts `value` in the place of what `key` holds, and of its kind. Without `keepTtl` it never expires. */
  set<K extends Kind>(kind: K, key: string, value: Kinds[K], { keepTtl = false } = {}): void {
    const before = this.#entry(key);
    const entry = this.#make(kind, value, before?.serial);
    if (keepTtl && before) entry.expiresAt = before.expiresAt;
    this.#entries.set(key, entry);
    this.changed(key);
  }

  /** What `key` holds of `kind`, to be changed, which `changed` is to be told of; `empty`, if it holds nothing. */
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

  /** Tells that what `key` holds was changed. A collection that has become empty is no more. */
  changed(key: string): void {
    this.#changes.set(key, this.changes(key) + 1);
    const { kind, value } = this.#entries.get(key) ?? {};
    const left = value === undefined || kind === 'string' ? 1 : sizeOf(value as Kinds['list' | 'set']);
    if (left === 0) this.#entries.delete(key);
  }

  /** How often `key` was changed. */
  changes(key: string): number {
    return this.#changes.get(key) ?? 0;
  }

  /** How long `key` has still to live; `Infinity`: for ever. Milliseconds. */
  timeLeft(key: string): number | undefined {
    const entry = this.#entry(key);
    return entry && entry.expiresAt - this.#now();
  }

  /** Has `key` expire `ms` from now; `Infinity`: never. */
  expire(key: string, ms: number): void {
    const entry = this.#entry(key);
    if (entry === undefined) return;
    entry.expiresAt = this.#now() + ms;
    this.changed(key);
    this.#entry(key);
  }

  /** Up to `count` keys from place `cursor` on, and the place of the next; 0 when there are no more. */
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
