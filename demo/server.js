import { findServer, startServer } from '../tools/redis-server.js';
import { Observer } from './observer.js';

/**
 * @typedef {object} DemoServer
 * @property {string} url
 * @property {string} name as in "redis-server 7.0.15"
 * @property {string} introduction one sentence for the user
 * @property {Observer} observer
 * @property {boolean} shared others may use it, and be counted
 * @property {() => Promise<void>} stop
 */

/** The server to replay the outage on: the user's, an installed one, or the mock's. @returns {Promise<DemoServer>} */
export async function findDemoServer() {
  const url = process.env.REDIS_URL;
  if (url) return given(url);
  const binary = findServer();
  return binary ? installed(binary) : embedded();
}

/** @param {string} url */
async function given(url) {
  if (!/^rediss?:\/\//.test(url)) throw new Error('REDIS_URL has to start with redis:// or rediss://.');
  const { observer, name } = await watch(url);
  // The URL may hold a password, so only where it points is printed.
  const introduction = `Runs against the server of REDIS_URL: ${name} at ${new URL(url).host}.
Its keys have a random prefix and are deleted at the end. Connections are counted with
total_connections_received: if others connect meanwhile, theirs count in.`;
  return { url, name, introduction, observer, shared: true, stop: () => observer.stop() };
}

/** @param {string} binary */
async function installed(binary) {
  const server = await startServer({ binary });
  const { observer, name } = await watch(server.url);
  const introduction = `Runs on a ${name} of its own, found on this machine.`;
  const stop = async () => {
    await observer.stop();
    await server.stop();
  };
  return { url: server.url, name, introduction, observer, shared: false, stop };
}

async function embedded() {
  const observer = new Observer('./embedded-worker.js');
  const url = `redis://127.0.0.1:${await observer.ready()}`;
  const name = 'the Redis in memory of MockPool';
  const introduction = `Found no redis-server or valkey-server, so it runs on ${name}.`;
  return { url, name, introduction, observer, shared: false, stop: () => observer.stop() };
}

/** @param {string} url */
async function watch(url) {
  const observer = new Observer('./info-worker.js', { url });
  return { observer, name: await observer.ready() };
}
