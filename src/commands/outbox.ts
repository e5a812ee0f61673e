import type { Redis } from 'ioredis';

/** Text is written out when it is this long, long before a string cannot grow any more. */
const MOST_TEXT = 1 << 20;

/** What is gathered for a connection's next write. */
export class Outbox {
  readonly #client: Redis;
  #text = '';
  #corked = false;
  /** Stands in for the stream that ioredis' sendCommand writes to. */
  readonly gatherer = { writable: true, write: (data: string | Buffer) => this.gather(data) };

  constructor(client: Redis) {
    this.#client = client;
  }

  gather(data: string | Buffer): boolean {
    if (typeof data === 'string') {
      this.#text += data;
      if (this.#text.length < MOST_TEXT) return true;
    }
    const { stream } = this.#client;
    if (!this.#corked) stream.cork();
    this.#corked = true;
    if (this.#text !== '') stream.write(this.#text);
    this.#text = '';
    return typeof data === 'string' || stream.write(data);
  }

  flush(): void {
    const text = this.#text;
    this.#text = '';
    if (text !== '') this.#client.stream.write(text);
    if (!this.#corked) return;
    this.#corked = false;
    this.#client.stream.uncork();
  }
}
