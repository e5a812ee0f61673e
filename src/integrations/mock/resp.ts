import { bytesOf, Failure, Members, Pairs, Push, type Reply, Score, Status } from './reply.ts';

/** The version of RESP that a connection uses. */
export type Protocol = 2 | 3;

/** Encodes a reply in RESP; the result is a byte string. */
export function encode(reply: Reply, protocol: Protocol): string {
  const list = (sign: string, items: readonly Reply[], entries = items.length): string =>
    `${sign}${entries}\r\n${items.map((one) => encode(one, protocol)).join('')}`;
  if (reply === null) return protocol === 3 ? '_\r\n' : '$-1\r\n';
  if (typeof reply === 'string') return `$${reply.length}\r\n${reply}\r\n`;
  if (typeof reply === 'number' || typeof reply === 'bigint') return `:${reply}\r\n`;
  if (reply instanceof Status) return `+${line(reply.text)}`;
  if (reply instanceof Failure) return `-${line(reply.message)}`;
  const resp3 = protocol === 3;
  if (reply instanceof Score) {
    return resp3 ? `,${reply.text}\r\n` : encode(reply.text, protocol);
  }
  if (reply instanceof Members) return list(resp3 ? '~' : '*', reply.items);
  if (reply instanceof Push) return list(resp3 ? '>' : '*', reply.items);
  if (reply instanceof Pairs) {
    return list(resp3 ? '%' : '*', reply.entries.flat(), reply.entries.length * (resp3 ? 1 : 2));
  }
  return list('*', reply);
}

/** A reply that ends with its line must not contain a line break. */
function line(text: string): string {
  return `${bytesOf(text.replace(/[\r\n]+/g, ' '))}\r\n`;
}

/** Reads commands, each an array of bulk strings, from bytes that arrive in pieces. */
export class RequestReader {
  #bytes = '';
  #at = 0;

  /** The commands that are complete by now; their arguments are byte strings. */
  read(data: string | Uint8Array): string[][] {
    this.#bytes = this.#bytes.slice(this.#at) + bytesOf(data);
    this.#at = 0;
    const requests: string[][] = [];
    for (let one = this.#request(); one !== undefined; one = this.#request()) requests.push(one);
    return requests;
  }

  #request(): string[] | undefined {
    const start = this.#at;
    const count = this.#number();
    if (count === undefined) return undefined;
    const parts: string[] = [];
    while (parts.length < count) {
      const length = this.#number();
      const end = this.#at + (length ?? 0);
      if (length === undefined || end + 2 > this.#bytes.length) {
        this.#at = start;
        return undefined;
      }
      parts.push(this.#bytes.slice(this.#at, end));
      this.#at = end + 2;
    }
    return parts;
  }

  /** The number in a line such as `*3` or `$12`. */
  #number(): number | undefined {
    const end = this.#bytes.indexOf('\r\n', this.#at);
    if (end < 0) return undefined;
    const number = Number(this.#bytes.slice(this.#at + 1, end));
    this.#at = end + 2;
    return number;
  }
}
