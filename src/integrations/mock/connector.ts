import type { DialScript } from './dials.ts';
import type { MemorySocket } from './socket.ts';

/** A connector for ioredis that opens a socket in memory. */
export class Connector {
  readonly #dials: DialScript;
  readonly #open: () => MemorySocket;
  #socket: MemorySocket | undefined;
  #giveUp: () => void = () => {};

  constructor(dials: DialScript, open: () => MemorySocket) {
    this.#dials = dials;
    this.#open = open;
  }

  connect(): Promise<MemorySocket> {
    return new Promise((resolve, reject) => {
      const opened = (): void => {
        this.#socket = this.#open();
        resolve(this.#socket);
      };
      const cancel = this.#dials.begin(opened, reject);
      this.#giveUp = () => {
        cancel();
        reject(new Error('Connection is closed.')); // the message of ioredis' own connector
      };
    });
  }

  disconnect(): void {
    this.#giveUp();
    this.#socket?.end();
  }

  check(): boolean {
    return true;
  }
}
