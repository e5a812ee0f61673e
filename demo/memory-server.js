import { createServer } from 'node:net';

/** The Redis in memory of MockPool, on real time and behind a real socket. */
export class MemoryServer {
  /** Connections accepted. */
  total = 0;
  /** Connections open. */
  open = 0;
  #redis;
  #peak = 0;
  #commands = 0;

  /** @param {any} MockServer its class, as it was built */
  constructor(MockServer) {
    this.#redis = new MockServer({
      now: () => performance.now(),
      after(ms, run) {
        if (!Number.isFinite(ms)) return () => {};
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      soon: setImmediate,
    });
  }

  /** @returns {Promise<number>} its port */
  listen() {
    const server = createServer((socket) => this.#accept(socket));
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve(server.address().port));
    });
  }

  /** The most connections that were open since the last call. Nothing is missed: sockets are counted one by one. */
  takePeak() {
    const peak = this.#peak;
    this.#peak = this.open;
    return peak;
  }

  /** How many commands came so far. */
  commands() {
    // What a test would look at is a list of all.
    this.#commands += this.#redis.commands.splice(0).length;
    return this.#commands;
  }

  /** @param {import('node:net').Socket} socket */
  #accept(socket) {
    this.total++;
    this.open++;
    this.#peak = Math.max(this.#peak, this.open);
    const session = this.#redis.open(this.total);
    session.ready = true; // so that it notes what comes, with no pool around it
    const inMemory = session.socket;
    inMemory.on('data', (bytes) => socket.write(bytes));
    inMemory.on('close', () => socket.end());
    socket.on('data', (bytes) => inMemory.write(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.open--;
      inMemory.destroy();
    });
  }
}
