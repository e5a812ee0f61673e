import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** A client's connection, and the one to the server that belongs to it. */
interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  /** The server's side is gone, and the client was not told. */
  halfOpen: boolean;
}

/** A man in the middle: a way to a server, on which a test can say something in between, or do harm. */
export class Middle {
  /** The connections that clients have, in the order in which they came. */
  readonly clients: Socket[] = [];
  /** What becomes of bytes that the server sends. */
  change: (bytes: Buffer) => Buffer = (bytes) => bytes;
  /** More than 0: what the server sends arrives in pieces of so many bytes; a function says so for the next one of what is left. */
  inPieces: number | ((left: number) => number) = 0;
  /** What the server sends arrives so much later, and what comes meanwhile after that. Milliseconds. */
  latencyMs = 0;
  /** As much as that may come to the latency. Milliseconds. */
  jitterMs = 0;
  /** New connections are accepted, and read, and nobody answers. */
  mute = false;
  /** What is read, and so acknowledged, and goes no further. */
  drops: 'nothing' | 'requests' | 'replies' = 'nothing';
  /** More than 0: a connection is reset after so many bytes of what the server sends next. */
  resetsAfter = 0;
  readonly #port: number;
  readonly #server = createServer((client) => this.#connect(client));
  readonly #pairs = new Set<Pair>();
  #own = 0;

  private constructor(port: number) {
    this.#port = port;
  }

  /** The way to the server on `port`, until it is closed. */
  static async open(port: number): Promise<Middle> {
    const middle = new Middle(port);
    await middle.accept();
    return middle;
  }

  /** The same, closed with the test. */
  static async to(port: number): Promise<Middle> {
    const middle = await Middle.open(port);
    onTestFinished(() => middle.close());
    return middle;
  }

  get port(): number {
    return this.#own;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#own}`;
  }

  /** Says `bytes` to all clients, as if the server did. */
  say(bytes: string): void {
    for (const client of this.clients) client.write(bytes, 'latin1');
  }

  /** Ends all connections at once. */
  cut(): void {
    for (const { upstream } of this.#pairs) upstream.destroy();
    for (const client of [...this.clients]) client.destroy();
  }

  /** The server's side of all connections goes, as with a host that lost its power: clients hear nothing. */
  loseServer(): void {
    for (const pair of this.#pairs) {
      pair.halfOpen = true;
      pair.upstream.destroy();
    }
  }

  /** From now on connections are refused. */
  refuse(): void {
    this.#server.close();
  }

  /** Accepts connections; after `refuse()` on the same port again. */
  async accept(): Promise<void> {
    this.#server.listen(this.#own, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#own = (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #connect(client: Socket): void {
    this.clients.push(client.setNoDelay());
    client.on('error', () => {}).on('close', () => this.clients.splice(this.clients.indexOf(client), 1));
    if (this.mute) {
      client.resume();
      return;
    }
    const upstream = connect(this.#port, '127.0.0.1').setNoDelay();
    const pair: Pair = { client, upstream, halfOpen: false };
    this.#pairs.add(pair);
    client.on('data', (bytes) => {
      if (this.drops !== 'requests' && !pair.halfOpen) upstream.write(bytes);
    });
    const end = (): void => {
      if (!pair.halfOpen) client.destroy();
      upstream.destroy();
      if (client.destroyed) this.#pairs.delete(pair);
    };
    client.on('end', end).on('close', end);
    upstream.on('error', end).on('close', end);
    this.#passOn(upstream, client).catch(end);
  }

  async #passOn(upstream: Socket, client: Socket): Promise<void> {
    for await (const bytes of upstream) {
      if (this.latencyMs > 0) await sleep(this.latencyMs + Math.random() * this.jitterMs);
      if (this.drops === 'replies') continue;
      const changed = this.change(bytes);
      if (this.resetsAfter > 0) {
        client.write(changed.subarray(0, this.resetsAfter), () => client.resetAndDestroy());
        return;
      }
      for (let at = 0; at < changed.length; ) {
        const step = this.#nextPiece(changed.length - at) || changed.length;
        if (!client.write(changed.subarray(at, at + step))) await once(client, 'drain');
        at += step;
        if (this.inPieces) await turn(); // or the next piece would join it
      }
    }
    client.end();
  }

  #nextPiece(left: number): number {
    return typeof this.inPieces === 'function' ? this.inPieces(left) : this.inPieces;
  }
}
