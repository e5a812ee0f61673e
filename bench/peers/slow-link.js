/**
 * A loopback proxy that is as slow as a network, in a process of its own. `latencyMs` delays what goes to the server;
 * `bytesPerMs` is what the line carries back in all, shared fairly between the connections, as a switch does it.
 */
import { connect, createServer } from 'node:net';

const { port, latencyMs = 0, bytesPerMs = Number.POSITIVE_INFINITY } = JSON.parse(process.argv[2]);
/** What a connection may put on the line in its turn. */
const SLICE = 16 * 1024;
/** What may wait for the line, for one connection, before the server has to wait. */
const MOST_WAITING = 256 * 1024;

/** Those with bytes for the line, each with what it waits to send. */
const line = new Map();
let budget = 0;
let last = performance.now();
let due = false;

/** Gives each its slice in turn, as far as time allows. */
function transmit() {
  due = false;
  const now = performance.now();
  budget = Math.min(budget + (now - last) * bytesPerMs, 2 * bytesPerMs);
  last = now;
  while (budget > 0 && line.size > 0) {
    for (const [socket, waiting] of line) {
      if (budget <= 0) break;
      const slice = waiting.bytes.subarray(0, SLICE);
      waiting.bytes = waiting.bytes.subarray(slice.length);
      budget -= slice.length;
      socket.write(slice);
      // To the end of the line.
      line.delete(socket);
      if (waiting.bytes.length > 0) line.set(socket, waiting);
      if (waiting.bytes.length < MOST_WAITING) waiting.server.resume();
    }
  }
  if (line.size > 0) soon();
}

function soon() {
  if (due) return;
  due = true;
  setImmediate(transmit);
}

function back(client, server, chunk) {
  if (bytesPerMs === Number.POSITIVE_INFINITY) {
    client.write(chunk);
    return;
  }
  const waiting = line.get(client) ?? { bytes: Buffer.alloc(0), server };
  waiting.bytes = Buffer.concat([waiting.bytes, chunk]);
  if (waiting.bytes.length > MOST_WAITING) server.pause();
  line.set(client, waiting);
  soon();
}

const proxy = createServer((client) => {
  const server = connect(port, '127.0.0.1').setNoDelay();
  client.setNoDelay();
  const there = (chunk) => server.write(chunk);
  client.on('data', latencyMs > 0 ? (chunk) => setTimeout(there, latencyMs, chunk) : there);
  server.on('data', (chunk) => back(client, server, chunk));
  const end = () => {
    line.delete(client);
    client.destroy();
    server.destroy();
  };
  for (const socket of [client, server]) socket.on('close', end).on('error', end);
});
proxy.listen(0, '127.0.0.1', () => process.send(proxy.address().port));
process.on('disconnect', () => process.exit());
