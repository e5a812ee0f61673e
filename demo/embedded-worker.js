import { subscribe } from 'node:diagnostics_channel';
import { parentPort } from 'node:worker_threads';
import { createRedisServer } from 'js-redis-server';

/** How often a sample is sent. Nothing is missed between two: sockets are counted one by one. */
const INTERVAL_MS = 4;

// js-redis-server answers INFO with fixed numbers, so the sockets themselves are counted, in Node.
let total = 0;
let open = 0;
let peak = 0;
subscribe('net.server.socket', (message) => {
  const { socket } = /** @type {{ socket: import('node:net').Socket }} */ (message);
  total++;
  open++;
  peak = Math.max(peak, open);
  socket.once('close', () => open--);
});

const { port } = await createRedisServer();
parentPort?.postMessage(port);
parentPort?.on('message', look);
setInterval(look, INTERVAL_MS);

function look() {
  parentPort?.postMessage({ at: performance.timeOrigin + performance.now(), total, open: peak });
  peak = open;
}
