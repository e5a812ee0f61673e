/** What is tested: somebody's service, or the express example on a Redis of its own. */
import { execFileSync, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { findServer, startServer } from '../../tools/redis-server.js';
import { bare } from './format.js';
import { BadInput } from './options.js';
import { RedisWatch } from './redis-watch.js';
import { reasonOf, Scraper } from './scraper.js';

const root = join(import.meta.dirname, '../..');
const PATIENCE_MS = 5000;

/**
 * @typedef {object} Target
 * @property {string} url
 * @property {string} introduction one sentence for the user
 * @property {RedisWatch} [watch]
 * @property {import('./redis-watch.js').Sample} [before] what the Redis had counted before the service came, or now
 * @property {Scraper} [scraper]
 * @property {Promise<string>} gone resolves with a sentence when the service has ended
 * @property {() => Promise<void>} stop
 */

/** @param {import('./options.js').Options} options @returns {Promise<Target>} @throws {BadInput} */
export function prepare(options) {
  return options.url ? given(options.url, options) : example(options);
}

/** @param {string} url @param {import('./options.js').Options} options */
async function given(url, { redis, metrics }) {
  try {
    const { body } = await request(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    await body.dump();
  } catch (error) {
    throw new BadInput(`No service answers at ${bare(url)}: ${reasonOf(error)}.`);
  }
  const scraper = metrics ? new Scraper(metrics) : undefined;
  await scraper?.start();
  const watch = redis ? await RedisWatch.connect(redis) : undefined;
  const at = watch && ` Connections are counted at its ${watch.name}, whoever makes them.`;
  return {
    url,
    introduction: `The service is ${bare(url)}.${at ?? ''}`,
    watch,
    before: await watch?.start(),
    scraper,
    gone: new Promise(() => {}),
    async stop() {
      scraper?.stop();
      await watch?.stop();
    },
  };
}

/** @param {import('./options.js').Options} options */
async function example({ store, maxActive, redis }) {
  for (const needed of ['node_modules/express', 'dist/index.js'])
    if (!existsSync(join(root, needed)))
      throw new BadInput(
        `The example needs ${needed}: npm ci && npm run load, or test your own service with --url.`,
      );
  const { watch, url, stop } = await startRedis(redis);
  const before = await watch.start();
  const shop = fork(join(import.meta.dirname, '../shop/app.js'), [store, url, String(maxActive)], ALONE);
  const at = `http://127.0.0.1:${await portOf(shop)}`;
  const scraper = new Scraper(`${at}/metrics`);
  await scraper.start();
  return {
    url: at,
    introduction: `The service is the express example, its sessions in ${inWords(store, maxActive)}, on ${watch.name}.`,
    watch,
    before,
    scraper,
    gone: new Promise((resolve) => {
      shop.once('exit', (code, signal) => resolve(`The example has ended (${signal ?? `code ${code}`}).`));
    }),
    async stop() {
      scraper.stop();
      shop.kill('SIGKILL');
      await watch.stop();
      await stop();
    },
  };
}

/** Ctrl-C is for us alone: what we started goes on until we have its last figures, and ends with us. */
const ALONE = /** @type {const} */ ({ detached: true });

/** @param {import('node:child_process').ChildProcess} shop @returns {Promise<number>} */
function portOf(shop) {
  return new Promise((resolve, reject) => {
    shop.once('message', ({ port }) => resolve(port));
    shop.once('exit', (code) =>
      reject(new BadInput(`The example has not started (code ${code}), for the reason above.`)),
    );
  });
}

/** @param {string} store @param {number} maxActive */
function inWords(store, maxActive) {
  const words = {
    pool: `PoolSessionStore, maxActive ${maxActive}`,
    'connect-redis': 'connect-redis on one ioredis',
    unbounded: "connect-redis on a pool with redigo's defaults (no maximum, 3 idle)",
    'generic-pool': `connect-redis on generic-pool, max ${maxActive}`,
  };
  return words[store];
}

/** The user's, an installed one, or the mock's. @param {string} [given] */
async function startRedis(given) {
  if (given && given !== 'memory')
    return { url: given, watch: await RedisWatch.connect(given), stop: async () => {} };
  const binary = given ? undefined : findServer();
  if (!binary) return startMemory();
  const server = await startServer({ binary, ...ALONE });
  const watch = await RedisWatch.connect(server.url);
  return { url: server.url, watch, stop: () => server.stop() };
}

async function startMemory() {
  const how = '--no-config --format esm --target node20 --out-dir load/.built --silent'.split(' ');
  const tsup = join(root, 'node_modules/tsup/dist/cli-default.js');
  execFileSync(process.execPath, [tsup, 'src/integrations/mock/server.ts', ...how], { cwd: root });
  const child = fork(join(import.meta.dirname, 'memory-redis.js'), ALONE);
  const watch = new RedisWatch(child);
  const { port } = await watch.begin('the Redis in memory');
  return { url: `redis://127.0.0.1:${port}`, watch, stop: async () => {} };
}
