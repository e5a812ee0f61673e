import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { resolve as absolute, delimiter, join, sep } from 'node:path';
import { installPackage } from './install-server.js';

/** Debian and Homebrew put servers where a user's PATH may not look. */
const USUAL_PLACES = [
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
  '/usr/local/bin',
  '/usr/bin',
  '/opt/homebrew/bin',
];
const NAMES = ['redis-server', 'valkey-server'];
/** What dies with us, should this process end without stopping its servers. @type {Set<() => void>} */
const running = new Set();
process.once('exit', () => {
  for (const end of running) end();
});

/** How often a server may find its port taken by someone else before we give up. */
const PORT_ATTEMPTS = 5;

/**
 * @typedef {object} StartOptions
 * @property {string} [binary] what to start; default: what {@link findServer} finds
 * @property {string[]} [args] further arguments; they win over ours
 * @property {number} [port] a certain port instead of a free one, as for a restart
 * @property {readonly string[]} [sentinel] lines of configuration: it is to be a sentinel
 * @property {number} [readyMs] how long the server may take until it accepts connections
 * @property {boolean} [detached] Ctrl-C on the terminal does not end it; we still do
 */

/**
 * @typedef {object} RunningServer
 * @property {number} port
 * @property {number} pid
 * @property {string} url
 * @property {number | undefined} tlsPort what `--tls-port` in the arguments says
 * @property {import('node:child_process').ChildProcess} process
 * @property {() => string} log all it has printed
 * @property {() => Promise<void>} stop kills it and resolves when it and its directory are gone
 */

/**
 * Where a Redis or Valkey server is: what `REDIS_SERVER` names (a path, or a program on PATH), else what is installed.
 *
 * @returns {string | undefined}
 * @throws {Error} when `REDIS_SERVER` names what cannot be run: another server than the one asked for would be a surprise
 */
export function findServer() {
  const { REDIS_SERVER: chosen } = process.env;
  if (!chosen) return NAMES.map(onPath).find(Boolean);
  const found = chosen.includes(sep) ? [absolute(chosen)].find(isExecutable) : onPath(chosen);
  if (found) return found;
  throw new Error(
    `REDIS_SERVER is '${chosen}', which is no program that can be run: give the path of a redis-server or ` +
      'valkey-server, or leave REDIS_SERVER unset to take the one that is installed.',
  );
}

/** @param {string} name @returns {string | undefined} */
function onPath(name) {
  const places = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...USUAL_PLACES];
  return places.map((place) => join(place, name)).find(isExecutable);
}

/**
 * Installs redis-server with apt-get, as root on Debian or Ubuntu, without leaving a daemon behind.
 *
 * @returns {Promise<string>} where it is now
 * @throws {Error} with one sentence that says what to do
 */
export async function installServer() {
  const advice = 'Install redis-server or valkey-server (apt-get install redis-server, brew install redis)';
  const debian = isExecutable('/usr/bin/apt-get') && process.getuid?.() === 0;
  const failure = debian ? await installPackage('redis-server') : undefined;
  const binary = findServer();
  if (binary) return binary;
  throw new Error(
    `${advice} and try again: no server was found on PATH${failure ? `, and ${failure}` : ''}.`,
  );
}

/** A loopback port that nobody listens on now. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });
}

/**
 * Starts a server of your own: on loopback, empty, in a temporary directory, nothing written to disk.
 *
 * @param {StartOptions} [options]
 * @returns {Promise<RunningServer>} when it accepts connections
 */
export async function startServer(options = {}) {
  const { binary = findServer(), args = [], port, sentinel, readyMs = 30_000, detached = false } = options;
  if (!binary) throw new Error('There is no redis-server or valkey-server on PATH.');
  for (let attempt = 1; ; attempt++) {
    const server = launch(binary, port ?? (await freePort()), args, { sentinel, detached });
    const failure = await untilReady(server, readyMs);
    if (!failure) return server;
    await server.stop();
    // Between our look and the server's own bind somebody else can take a free port.
    const taken = port === undefined && /address already in use/i.test(server.log());
    if (!taken || attempt === PORT_ATTEMPTS) throw new Error(`${binary} ${failure}:\n${server.log()}`);
  }
}

/**
 * @param {string} binary
 * @param {number} port
 * @param {string[]} args
 * @param {Pick<StartOptions, 'sentinel' | 'detached'>} how
 * @returns {RunningServer}
 */
function launch(binary, port, args, { sentinel, detached }) {
  const dir = mkdtempSync(join(tmpdir(), 'redis-server-'));
  const ours = { bind: '127.0.0.1', port: String(port), dir, save: '', appendonly: 'no' };
  const defaults = Object.entries(ours).flatMap(([name, value]) => [`--${name}`, value]);
  const file = join(dir, 'sentinel.conf'); // a sentinel writes into it
  if (sentinel) writeFileSync(file, sentinel.join('\n'));
  const child = spawn(binary, [...(sentinel ? [file, '--sentinel'] : []), ...defaults, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached,
  });
  const tlsPort = args.indexOf('--tls-port');
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (log += data));
  // SIGKILL ends a stopped (SIGSTOP) server too, and there is nothing to save.
  const end = () => {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  };
  running.add(end);
  const gone = new Promise((resolve) => child.once('close', resolve).once('error', resolve));
  return {
    port,
    pid: child.pid ?? 0,
    url: `redis://127.0.0.1:${port}`,
    tlsPort: tlsPort < 0 ? undefined : Number(args[tlsPort + 1]),
    process: child,
    log: () => log,
    async stop() {
      child.kill('SIGKILL');
      await gone;
      end();
      running.delete(end);
    },
  };
}

/**
 * @param {RunningServer} server
 * @param {number} readyMs
 * @returns {Promise<string | undefined>} what went wrong, if anything
 */
function untilReady({ process: child, log }, readyMs) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, readyMs, `was not ready within ${readyMs} ms`);
    /** @param {string} [failure] */
    function done(failure) {
      clearTimeout(timer);
      child.stdout?.off('data', look);
      resolve(failure);
    }
    function look() {
      if (/eady to accept connections|Sentinel ID is/.test(log())) done();
    }
    child.stdout?.on('data', look);
    child.once('error', (error) => done(`could not be started (${error.message})`));
    child.once('close', (code) => done(`ended with code ${code} before it was ready`));
  });
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK); // a folder passes, too
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
