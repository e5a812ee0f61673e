import type { Redis } from 'ioredis';

/** Text is written out when it is this long, long before a string cannot grow any more. */
const MOST_TEXT = 1 << 20;

/** What is gathered for a connection's next write. */
export class WriteBuffer {
  readonly #client: Redis;
  #text = '';
  #corked = false;
  /** How much was gathered since the last write; text by its length. */
  gathered = 0;

  constructor(client: Redis) {
    this.#client = client;
  }

  append(data: string | Buffer): void {
    this.gathered += data.length;
    if (typeof data === 'string') {
      this.#text += data;
      if (this.#text.length < MOST_TEXT) return;
    }
    this.cork();
    if (typeof data !== 'string') this.#client.stream.write(data);
  }

  /** Has what is written past it from now on go in the same write, behind what was gathered. */
  cork(): void {
    const { stream } = this.#client;
    if (stream === undefined) return; // nothing is written, as in tests
    if (!this.#corked) stream.cork();
    this.#corked = true;
    if (this.#text !== '') stream.write(this.#text);
    this.#text = '';
  }

  flush(): void {
    const text = this.#text;
    this.#text = '';
    this.gathered = 0;
    if (text !== '') this.#client.stream.write(text);
    if (!this.#corked) return;
    this.#corked = false;
    this.#client.stream.uncork();
  }
}
