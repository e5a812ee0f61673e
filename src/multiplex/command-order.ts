/** What a command does to the order of things. */
export interface Touch {
  /** It only reads: two that do so may take effect in any order. */
  readonly reads: boolean;
  /** What it reads or writes, as far as that is known. */
  readonly keys: readonly string[];
  /**
   * Whose order with it matters beyond its keys: `keys`, of nobody; `writers`, of all that do more than read, since it
   * reads one does not know what, or tells others that something was written; `all`, since it may write anything.
   */
  readonly scope: 'keys' | 'writers' | 'all';
}

/** What went over one connection in one go. What goes over the same `carrier` later takes effect later. */
export interface Run {
  readonly carrier: object;
  /** All of it is answered, or lost with its connection. */
  readonly over: boolean;
}

/** So many keys of a carrier are remembered before one looks which of them are of the past. */
const SWEEP_AT = 2000;

/** What went over one carrier since it last owed nothing: the last run of each sort, and of each key. */
class Book<R extends Run> {
  readonly #written = new Map<string, R>();
  readonly #read = new Map<string, R>();
  #sweepAt = SWEEP_AT;
  #last: R;
  /** The last one that did more than read keys; and those with a wide scope. */
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

  /** Whether something here, which is not over, has to take effect before what has `touch`. */
  comesBefore({ reads, keys, scope }: Touch): boolean {
    if (scope === 'all') return true;
    // What was last is over last: without a writer there is nothing here but reads of keys.
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
 * Where the commands are that have not taken effect for all one knows, by what they touch: what comes next must go the
 * same way, or wait.
 */
export class Order<R extends Run> {
  /** One for each carrier that owes something. */
  readonly #books: Book<R>[] = [];

  /** What has `touch` goes out with `run`. */
  note(touch: Touch, run: R): void {
    let book: Book<R> | undefined;
    for (const one of this.#books) if (one.carrier === run.carrier) book = one;
    if (book === undefined) {
      book = new Book(run);
      this.#books.push(book);
    }
    book.note(touch, run);
  }

  /** On which carrier that is which has to take effect before what has `touch`. */
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

  /** A carrier of something that does more than read, if there is one. */
  get writer(): R['carrier'] | undefined {
    return this.#books.find((book) => !book.over && book.writes)?.carrier;
  }
}
