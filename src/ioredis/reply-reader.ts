/** What {@link ReplyReader.read} returns for a reply that it does not read. */
export const UNREAD: unique symbol = Symbol('unread');

const CR = 13;
const MINUS = 45;
const ZERO = 48;
/** The first bytes of RESP replies. */
export const ARRAY = 42; // *
const BLOB = 36; // $
const BLOB_ERROR = 33; // !
const MAP = 37; // %
const NULL = 95; // _
const NUMBER = 58; // :
export const PUSH = 62; // >
const SET = 126; // ~
const SIMPLE = 43; // +
const VERBATIM = 61; // =

/** Numbers with more digits may not be exact. */
const MOST_DIGITS = 15;

/** More deeply nested arrays are not read here: each level is a recursive call. */
const MOST_LEVELS = 32;

/** What tells which strings in a list are wanted as text. */
export interface Parts {
  /** Those in value `i` of so many. */
  isText(i: number, count: number): boolean;
}

/** What `toString` calls, after it has looked at its arguments. */
interface Sliced extends Buffer {
  latin1Slice(from: number, to: number): string;
  utf8Slice(from: number, to: number): string;
}

/**
 * Reads replies of the frequent kinds if they are complete in one chunk: strings, numbers, nulls, and arrays, sets and
 * maps of these, the latter two flat, as from ioredis. It leaves everything else, also errors, to ioredis' own decoder,
 * which takes several times as long for each.
 */
export class ReplyReader {
  /** Where the next reply begins. */
  at = 0;
  #chunk = Buffer.alloc(0) as Sliced;
  #ascii = false;
  /** The present depth of nested lists. */
  #levels = 0;

  /** `ascii`: the chunk is known to be, and is read faster. */
  begin(chunk: Buffer, at: number, ascii = false): void {
    this.#chunk = chunk as Sliced;
    this.#ascii = ascii;
    this.at = at;
  }

  /** Whether this chunk is being read. */
  has(chunk: Buffer): boolean {
    return chunk === this.#chunk;
  }

  /** The next reply, with strings as text, or as slices of the chunk; or `UNREAD`, and `at` is unchanged. */
  read(text: boolean): unknown {
    const start = this.at;
    this.#levels = 0;
    const value = this.#value(text);
    if (value === UNREAD) this.at = start;
    return value;
  }

  /** The same for a list, whose values may be wanted differently; for anything else as `read(false)`. */
  readParts(parts: Parts): unknown {
    const start = this.at;
    if (this.#chunk[start] !== ARRAY) return this.read(false);
    const count = this.#number();
    if (count === undefined) return UNREAD;
    if (count < 0) return null;
    this.#levels = 1;
    const list: unknown[] = [];
    for (let i = 0; i < count; i++) {
      const value = this.#value(parts.isText(i, count));
      if (value === UNREAD) {
        this.at = start;
        return UNREAD;
      }
      list.push(value);
    }
    return list;
  }

  #value(text: boolean): unknown {
    switch (this.#chunk[this.at]) {
      case BLOB:
        return this.#blob(text);
      case SIMPLE:
        return this.#line(text);
      case NUMBER: {
        const number = this.#number();
        return number === undefined ? UNREAD : number;
      }
      case ARRAY:
      case SET:
        return this.#list(text, 1);
      case MAP:
        return this.#list(text, 2);
      case NULL:
        if (this.at + 3 > this.#chunk.length) return UNREAD;
        this.at += 3;
        return null;
      default:
        return UNREAD;
    }
  }

  #blob(text: boolean): unknown {
    const length = this.#number();
    if (length === undefined) return UNREAD;
    if (length < 0) return null;
    const from = this.at;
    const to = from + length;
    if (to + 2 > this.#chunk.length) return UNREAD;
    this.at = to + 2;
    return text ? this.#text(from, to) : this.#chunk.subarray(from, to);
  }

  #line(text: boolean): unknown {
    const from = this.at + 1;
    const to = this.#chunk.indexOf(CR, from);
    if (to < 0 || to + 2 > this.#chunk.length) return UNREAD;
    this.at = to + 2;
    return text ? this.#text(from, to) : this.#chunk.subarray(from, to);
  }

  #text(from: number, to: number): string {
    return this.#ascii ? this.#chunk.latin1Slice(from, to) : this.#chunk.utf8Slice(from, to);
  }

  #list(text: boolean, perEntry: number): unknown {
    const entries = this.#number();
    if (entries === undefined) return UNREAD;
    if (entries < 0) return null;
    if (++this.#levels > MOST_LEVELS) return UNREAD;
    const list: unknown[] = [];
    for (let i = entries * perEntry; i > 0; i--) {
      const value = this.#value(text);
      if (value === UNREAD) return UNREAD;
      list.push(value);
    }
    this.#levels--;
    return list;
  }

  /** The number after a first byte; `undefined` if it is not complete, or may not be exact. */
  #number(): number | undefined {
    const chunk = this.#chunk;
    const negative = chunk[this.at + 1] === MINUS;
    const first = this.at + (negative ? 2 : 1);
    let number = 0;
    let at = first;
    for (let byte = chunk[at]; byte !== CR; byte = chunk[++at]) {
      if (byte === undefined || byte < ZERO || byte > ZERO + 9) return undefined;
      number = number * 10 + byte - ZERO;
    }
    if (at === first || at - first > MOST_DIGITS || at + 2 > chunk.length) return undefined;
    this.at = at + 2;
    return negative ? -number : number;
  }
}

/** Finds the end of a reply of any kind, across chunks. */
export class ReplyScanner {
  /** The number of missing values of the innermost open list, or of the reply itself. */
  #values = 0;
  /** The same for the lists around it, from the outermost on. */
  readonly #around: number[] = [];
  /** The number of missing bytes of a blob. */
  #blob = 0;
  /** The first byte of the line that is being read; 0 between lines. */
  #type = 0;
  #number = 0;
  #negative = false;
  /** The next byte ends the line, whatever it is: ioredis' decoders also check for the CR only. */
  #ending = false;
  #deepest = 0;

  /** Whether a reply has begun and has not ended. */
  get midway(): boolean {
    return this.#values > 0 || this.#blob > 0;
  }

  /** How many missing bytes are known of. */
  get due(): number {
    return this.#blob;
  }

  /** The greatest depth of nested lists in the last reply. */
  get deepest(): number {
    return this.#deepest;
  }

  /** Starts a reply with the next byte. */
  begin(): void {
    this.#values = 1;
    this.#around.length = 0;
    this.#blob = 0;
    this.#type = 0;
    this.#deepest = 0;
  }

  /** Drops the reply that has begun. */
  reset(): void {
    this.#values = 0;
    this.#blob = 0;
  }

  /** Continues from `at`; returns where the reply ends, or -1 if it continues in the next chunk. */
  scan(chunk: Buffer, at: number): number {
    while (this.midway) {
      if (at >= chunk.length) return -1;
      if (this.#blob > 0) {
        const step = Math.min(this.#blob, chunk.length - at);
        this.#blob -= step;
        at += step;
      } else {
        this.#take(chunk[at] as number);
        at++;
      }
    }
    return at;
  }

  /** Reads the next byte of a line. */
  #take(byte: number): void {
    if (this.#type === 0) {
      this.#type = byte;
      this.#number = 0;
      this.#negative = false;
      this.#ending = false;
    } else if (this.#ending) {
      this.#endLine(this.#negative ? 0 : this.#number, this.#negative);
      this.#type = 0;
    } else if (byte === CR) {
      this.#ending = true;
    } else if (byte === MINUS) {
      this.#negative = true;
    } else {
      this.#number = this.#number * 10 + byte - ZERO; // used only after first bytes that precede a count
    }
  }

  #endLine(count: number, none: boolean): void {
    this.#values--;
    switch (this.#type) {
      case BLOB:
      case BLOB_ERROR:
      case VERBATIM:
        if (!none) this.#blob = count + 2;
        break;
      case ARRAY:
      case SET:
      case PUSH:
        this.#open(count);
        break;
      case MAP:
        this.#open(count * 2);
        break;
    }
    while (this.#values === 0 && this.#around.length > 0) this.#values = this.#around.pop() as number;
  }

  #open(values: number): void {
    if (values === 0) return;
    this.#around.push(this.#values);
    this.#values = values;
    this.#deepest = Math.max(this.#deepest, this.#around.length);
  }
}

/** Longer than the head of a message, up to the word that is its kind. */
const LONGEST_HEAD = 80;
const HEAD = /^.\d+\r\n(?:\$\d+\r\n|\+)([^\r]*)\r/;
const HEAD_BEGUN = /^.\d*(\r\n?)?$|^.\d+\r\n(\$\d*\r?|\$\d+\r\n[^\r]*|\+[^\r]*)$/;

/**
 * The kind of the message that begins at `at`: its first text, '' if there is none; `undefined` if that has not arrived
 * yet.
 */
export function kindOfMessage(chunk: Buffer, at: number): string | undefined {
  const head = chunk.toString('latin1', at, at + LONGEST_HEAD);
  const kind = HEAD.exec(head)?.[1];
  if (kind !== undefined) return kind;
  return head.length < LONGEST_HEAD && HEAD_BEGUN.test(head) ? undefined : '';
}
