import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** A man in the middle: a way to a server on which a test can say something in between. */
export class Middle {
  /** The connections that clients have, in the order in which they came. */
  readonly clients: Socket[] = [];
  /** What becomes of bytes that the server sends. */
  change: (bytes: Buffer) => Buffer = (bytes) => bytes;
  /** More than 0: what the server sends arrives in pieces of so many bytes. */
  inPieces = 0;
  readonly #port: number;

  private constructor(port: number) {
    this.#port = port;
  }

  /** The way to the server on `port`; it is closed with the test. */
  static async to(port: number): Promise<Middle & { url: string }> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const middle = new Middle(port);
    server.on('connection', (client) => middle.#connect(client));
    onTestFinished(() => {
      for (const client of middle.clients) client.destroy();
      server.close();
    });
    return Object.assign(middle, { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` });
  }

  /** Says `bytes` to all clients, as if the server did. */
  say(bytes: string): void {
    for (const client of this.clients) client.write(bytes, 'latin1');
  }

  #connect(client: Socket): void {
    const upstream = connect(this.#port, '127.0.0.1');
    this.clients.push(client.setNoDelay());
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    client.on('data', (bytes) => upstream.write(bytes));
    pipeline(upstream, (source) => this.#passOn(source), client).catch(end);
    client.on('close', () => this.clients.splice(this.clients.indexOf(client), 1));
    for (const socket of [client, upstream]) socket.on('error', end).on('end', end).on('close', end);
  }

  async *#passOn(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const bytes of source) {
      const changed = this.change(bytes);
      const step = this.inPieces || changed.length;
      for (let at = 0; at < changed.length; at += step) {
        yield changed.subarray(at, at + step);
        if (this.inPieces) await turn(); // or the next piece would join it
      }
    }
  }
}
