/** How a command relates to the order of others. */
export interface Touch {
  /** It only reads: two that do so may take effect in any order. */
  readonly reads: boolean;
  /** The keys that it reads or writes, as far as they are known. */
  readonly keys: readonly string[];
  /**
   * With which commands it keeps its order, apart from those with a key in common. `keys`: with none. `writers`: with
   * all that do more than read, since it reads unknown keys, or may show others that something was written. `all`: with
   * all, since it may write any key.
   */
  readonly scope: 'keys' | 'writers' | 'all';
}

/** What was sent over one connection at once. What is sent over the same `carrier` later takes effect later. */
export interface Run {
  readonly carrier: object;
  /** Whether all of it is answered, or lost with its connection. */
  readonly over: boolean;
}

/** The number of remembered keys of a carrier at which those that are over are removed. */
const SWEEP_AT = 2000;

/** What was sent over one carrier since it last had no pending reply: the last run of each kind, and of each key. */
class Book<R extends Run> {
  readonly #written = new Map<string, R>();
  readonly #read = new Map<string, R>();
  #sweepAt = SWEEP_AT;
  #last: R;
  /** The last run that did more than read keys; and the last ones of each wider scope. */
  #writer: R | undefined;
  #narrow: R | undefined;
  #wide: R | undefined;

  constructor(first: R) {
    this.#last = first;
  }

  get carrier(): R['carrier'] {
    return this.#last.carrier;
  }

  get over(): boolean {
    return this.#last.over;
  }

  get writes(): boolean {
    return isOn(this.#writer);
  }

  note({ reads, keys, scope }: Touch, run: R): void {
    this.#last = run;
    if (!reads || scope !== 'keys') this.#writer = run;
    if (scope === 'writers') this.#narrow = run;
    if (scope === 'all') this.#wide = run;
    const map = reads ? this.#read : this.#written;
    for (const key of keys) map.set(key, run);
    if (map.size > this.#sweepAt) this.#sweep();
  }

  /** Whether something here that is not over has to take effect before a command with `touch`. */
  comesBefore({ reads, keys, scope }: Touch): boolean {
    if (scope === 'all') return true;
    // The last run is over last: without a writer there is nothing here but reads of keys.
    if (reads && !isOn(this.#writer)) return false;
    if (isOn(this.#wide)) return true;
    if (scope === 'writers' ? isOn(this.#writer) : !reads && isOn(this.#narrow)) return true;
    for (const key of keys) {
      if (isOn(this.#written.get(key)) || (!reads && isOn(this.#read.get(key)))) return true;
    }
    return false;
  }

  #sweep(): void {
    for (const map of [this.#written, this.#read]) {
      for (const [key, run] of map) if (run.over) map.delete(key);
    }
    this.#sweepAt = Math.max(SWEEP_AT, 2 * Math.max(this.#written.size, this.#read.size));
  }
}

function isOn(run: Run | undefined): boolean {
  return run !== undefined && !run.over;
}

/**
 * The commands that may not have taken effect yet, by what they touch: a later command on the same keys must use the
 * same carrier, or wait.
 */
export class Order<R extends Run> {
  /** One for each carrier with pending replies. */
  readonly #books: Book<R>[] = [];

  /** To be called when a command with `touch` is sent with `run`. */
  note(touch: Touch, run: R): void {
    let book: Book<R> | undefined;
    for (const one of this.#books) if (one.carrier === run.carrier) book = one;
    if (book === undefined) {
      book = new Book(run);
      this.#books.push(book);
    }
    book.note(touch, run);
  }

  /** The carriers of what has to take effect before a command with `touch`. */
  before(touch: Touch): R['carrier'] | 'several' | undefined {
    let found: R['carrier'] | undefined;
    for (let i = this.#books.length - 1; i >= 0; i--) {
      const book = this.#books[i] as Book<R>;
      if (book.over) this.#books.splice(i, 1);
      else if (!book.comesBefore(touch)) continue;
      else if (found !== undefined) return 'several';
      else found = book.carrier;
    }
    return found;
  }

  /** A carrier of a command that does more than read, if there is one. */
  get writer(): R['carrier'] | undefined {
    return this.#books.find((book) => !book.over && book.writes)?.carrier;
  }
}
