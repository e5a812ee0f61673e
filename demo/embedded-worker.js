import { parentPort } from 'node:worker_threads';
import { MockServer } from './.built/server.js';
import { MemoryServer } from './memory-server.js';

/** How often a sample is sent. */
const INTERVAL_MS = 4;

const server = new MemoryServer(MockServer);
parentPort?.postMessage(await server.listen());
parentPort?.on('message', look);
setInterval(look, INTERVAL_MS);

function look() {
  const { total } = server;
  parentPort?.postMessage({ at: performance.timeOrigin + performance.now(), total, open: server.takePeak() });
}
