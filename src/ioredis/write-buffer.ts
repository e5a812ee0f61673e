import type { Command, Redis } from 'ioredis';

/**
 * Text is written when it is this long. To write it, Node allocates three bytes for each character; of much more than
 * that the pages come anew from the kernel each time, which takes longer than all the rest.
 */
const MOST_TEXT = 1 << 15;

/** Collects the bytes of a connection's next write. */
export class WriteBuffer {
  readonly #client: Redis;
  #text = '';
  #corked = false;
  /** How much was collected since the last write; text by its length. */
  gathered = 0;

  constructor(client: Redis) {
    this.#client = client;
  }

  append(data: string | Buffer): void {
    this.gathered += data.length;
    if (typeof data === 'string') {
      this.#text += data;
      if (this.#text.length >= MOST_TEXT) this.#write();
      return;
    }
    this.cork();
    this.#client.stream.write(data);
  }

  /** Appends all commands, or throws and appends nothing: the rest of a transaction would get the wrong replies. */
  appendAll(commands: readonly Command[]): void {
    const { condition, stream } = this.#client;
    const written = commands.map((command) => {
      command.setReplyContext?.(condition);
      return command.toWritable(stream);
    });
    for (const data of written) this.append(data);
  }

  /** Makes what others write to the socket from now on part of the same write, after what was collected. */
  cork(): void {
    const { stream } = this.#client;
    if (stream === undefined) return; // no socket, as in tests
    if (!this.#corked) stream.cork();
    this.#corked = true;
    this.#write();
  }

  flush(): void {
    this.gathered = 0;
    this.#write();
    if (!this.#corked) return;
    this.#corked = false;
    this.#client.stream.uncork();
  }

  #write(): void {
    const text = this.#text;
    this.#text = '';
    if (text !== '') this.#client.stream.write(text);
  }
}
