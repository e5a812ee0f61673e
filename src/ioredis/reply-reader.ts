/** What {@link ReplyReader.read} returns instead of a reply that it leaves to somebody else. */
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

/** Arrays nested more deeply are left to others: each level takes a call of its own. */
const MOST_LEVELS = 32;

/**
 * Reads replies of the frequent kinds, where the whole of one lies in a chunk: strings, numbers, nulls, and arrays,
 * sets and maps of these, the latter two flat, as ioredis gives them. It leaves everything else, errors among it,
 * to ioredis' own decoder, which takes several times as long for each.
 */
export class ReplyReader {
  /** Where the next reply begins. */
  at = 0;
  #chunk: Buffer = Buffer.alloc(0);
  /** How many lists are being read, one within the other. */
  #levels = 0;

  begin(chunk: Buffer, at: number): void {
    this.#chunk = chunk;
    this.at = at;
  }

  /** The next reply, with strings as text, or as bytes of the chunk; `UNREAD`, and nothing has moved. */
  read(text: boolean): unknown {
    const start = this.at;
    this.#levels = 0;
    const value = this.#value(text);
    if (value === UNREAD) this.at = start;
    return value;
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
    return text ? this.#chunk.toString('utf8', from, to) : this.#chunk.subarray(from, to);
  }

  #line(text: boolean): unknown {
    const from = this.at + 1;
    const to = this.#chunk.indexOf(CR, from);
    if (to < 0 || to + 2 > this.#chunk.length) return UNREAD;
    this.at = to + 2;
    return text ? this.#chunk.toString('utf8', from, to) : this.#chunk.subarray(from, to);
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

  /** The number behind a first byte; `undefined` if it is not all here, or not sure to be exact. */
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

/** Finds where a reply ends, of whatever kind, through chunks that come one by one. */
export class ReplyScanner {
  /** Values that are still to come of the innermost list that has begun, or of the reply itself. */
  #values = 0;
  /** The same of the lists around it, from the outermost on. */
  readonly #around: number[] = [];
  /** Bytes of a blob that are still to come. */
  #blob = 0;
  /** The first byte of the line that is being read; 0 between lines. */
  #type = 0;
  #number = 0;
  #negative = false;
  /** The next byte ends the line, whatever it is: ioredis' decoders only look for the CR too. */
  #ending = false;
  #deepest = 0;

  /** Whether a reply has begun, and not ended yet. */
  get midway(): boolean {
    return this.#values > 0 || this.#blob > 0;
  }

  /** How many bytes are known to be still to come. */
  get due(): number {
    return this.#blob;
  }

  /** How many lists were open at once, one within the other, in the reply that has begun last. */
  get deepest(): number {
    return this.#deepest;
  }

  /** A reply begins with the next byte. */
  begin(): void {
    this.#values = 1;
    this.#around.length = 0;
    this.#blob = 0;
    this.#type = 0;
    this.#deepest = 0;
  }

  /** Gives up on the reply that had begun. */
  reset(): void {
    this.#values = 0;
    this.#blob = 0;
  }

  /** Looks on from `at`; returns where the reply has ended, or -1 when it goes on in the next chunk. */
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

  /** Takes the next byte of a line. */
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
      this.#number = this.#number * 10 + byte - ZERO; // of use only behind first bytes that a count follows
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

/** More than the head of a message takes, up to the word that says of what kind it is. */
const LONGEST_HEAD = 80;
const HEAD = /^.\d+\r\n(?:\$\d+\r\n|\+)([^\r]*)\r/;
const HEAD_BEGUN = /^.\d*(\r\n?)?$|^.\d+\r\n(\$\d*\r?|\$\d+\r\n[^\r]*|\+[^\r]*)$/;

/**
 * Of what kind the message is that begins at `at`: the text that comes first in it, '' if there is none. `undefined` if
 * that has not come yet.
 */
export function kindOfMessage(chunk: Buffer, at: number): string | undefined {
  const head = chunk.toString('latin1', at, at + LONGEST_HEAD);
  const kind = HEAD.exec(head)?.[1];
  if (kind !== undefined) return kind;
  return head.length < LONGEST_HEAD && HEAD_BEGUN.test(head) ? undefined : '';
}
