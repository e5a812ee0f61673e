import { createServer } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { MockServer } from './.built/server.js';

/** How often a sample is sent. Nothing is missed between two: sockets are counted one by one. */
const INTERVAL_MS = 4;

/** The Redis in memory of MockPool, on real time and behind a real socket. */
const redis = new MockServer({
  now: () => performance.now(),
  after(ms, run) {
    if (!Number.isFinite(ms)) return () => {};
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  soon: setImmediate,
});
let total = 0;
let open = 0;
let peak = 0;

const server = createServer((socket) => {
  total++;
  open++;
  peak = Math.max(peak, open);
  const inMemory = redis.open(total).socket;
  inMemory.on('data', (bytes) => socket.write(bytes));
  inMemory.on('close', () => socket.end());
  socket.on('data', (bytes) => inMemory.write(bytes));
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    open--;
    inMemory.destroy();
  });
});
server.listen(0, '127.0.0.1', () => {
  parentPort?.postMessage(server.address().port);
  parentPort?.on('message', look);
  setInterval(look, INTERVAL_MS);
});

function look() {
  parentPort?.postMessage({ at: performance.timeOrigin + performance.now(), total, open: peak });
  peak = open;
}
