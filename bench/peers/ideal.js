/**
 * What the Node side can do at all: GETs of one known reply, a promise each, written once a tick, or in parts too, and told
 * apart by their length alone. It knows no errors, no other reply and no other command; no client can be faster by much.
 */
export class IdealClient {
  #socket;
  #most;
  #request = '';
  #requests = 0;
  #due = false;
  #waiting = [];
  #reply = '';
  #value = '';
  #rest = 0;

  /** With `most` requests, they are written before the end of the tick: the server answers while the others are made. */
  constructor(socket, most = Number.POSITIVE_INFINITY) {
    this.#socket = socket;
    this.#most = most;
    socket.on('data', (chunk) => this.#take(chunk));
  }

  /** Names the one value that all replies have. */
  expect(value) {
    this.#value = value;
    this.#reply = `$${value.length}\r\n${value}\r\n`;
  }

  get(key) {
    if (!this.#due) setImmediate(this.#flush);
    this.#due = true;
    this.#request += `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`;
    if (++this.#requests === this.#most) this.#write();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #flush = () => {
    this.#due = false;
    if (this.#requests > 0) this.#write();
  };

  #write() {
    this.#socket.write(this.#request);
    this.#request = '';
    this.#requests = 0;
  }

  #take(chunk) {
    const before = this.#rest;
    const bytes = before + chunk.length;
    const { length } = this.#reply;
    const replies = Math.floor(bytes / length);
    this.#rest = bytes - replies * length;
    // Made anew from the bytes each time, as a client has to.
    for (let i = 0; i < replies; i++) {
      const end = (i + 1) * length - 2 - before;
      const start = end - this.#value.length;
      this.#waiting[i](start < 0 ? this.#value : chunk.latin1Slice(start, end));
    }
    this.#waiting = this.#waiting.slice(replies);
  }
}
