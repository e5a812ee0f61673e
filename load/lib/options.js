/** The command line: what it may say, and what is said when it is wrong. */
import { parseArgs } from 'node:util';
import { bare } from './format.js';

/** What a person has to mend; its message is one sentence that says what. */
export class BadInput extends Error {}

export const STORES = ['pool', 'connect-redis', 'unbounded', 'generic-pool'];

/**
 * Which flags there are: what is read (`kind`), what it is without the flag, and what it means.
 *
 * @type {Record<string, { kind: keyof typeof KINDS, value?: string, help: string, initial?: unknown }>}
 */
const FLAGS = {
  url: {
    kind: 'http',
    value: 'URL',
    help: 'the service to test; without it, the express example with --store',
  },
  scenario: { kind: 'text', value: 'FILE', help: 'what users do; without it, load/scenarios/shop.js' },
  redis: {
    kind: 'redis',
    value: 'URL',
    help: "the service's Redis, to count connections, commands and CPU at; for the example, where to run it: `memory` needs no Redis",
  },
  metrics: {
    kind: 'http',
    value: 'URL',
    help: "the service's Prometheus endpoint (redis_pool_*, process_cpu_*)",
  },
  store: { kind: 'store', value: 'NAME', initial: 'pool', help: `of the example: ${STORES.join(', ')}` },
  'max-active': { kind: 'count', value: 'N', initial: 10, help: 'of the example, for pool and generic-pool' },
  users: { kind: 'count', value: 'N', initial: 100, help: 'how many users there are at the most' },
  'spawn-rate': {
    kind: 'positive',
    value: 'N',
    help: 'how many of them come a second; without it, all within 5 s',
  },
  duration: { kind: 'seconds', value: 'TIME', initial: 30, help: 'such as 45, 45s or 2m' },
  wave: {
    kind: 'time',
    value: 'TIME',
    initial: 2,
    help: 'users act together, at each full 2 s; 0: each one for itself',
  },
  'wait-scale': {
    kind: 'positive',
    value: 'X',
    initial: 1,
    help: "times the scenario's waits; 0.1: ten times the load",
  },
  timeout: { kind: 'seconds', value: 'TIME', initial: 10, help: 'how long a request may take' },
  processes: {
    kind: 'count',
    value: 'N',
    help: 'how many processes of the service will run: would they fit maxclients?',
  },
  'max-p99': { kind: 'positive', value: 'MS', help: 'threshold: the slowest 1 % of requests took no less' },
  'max-errors': {
    kind: 'errors',
    value: 'N',
    help: 'threshold: failed requests and tasks, such as 0, 5 or 1%',
  },
  'max-new-connections-per-request': {
    kind: 'least',
    value: 'X',
    help: 'threshold, counted at the Redis, such as 0.05',
  },
  report: { kind: 'text', value: 'FILE', initial: 'load-report.html', help: 'where the HTML report goes' },
  json: { kind: 'text', value: 'FILE', help: 'where all that was measured goes, too' },
  help: { kind: 'flag', help: 'this text' },
};

/** How a value is read, and what it has to be; `undefined`: it is not that. */
const KINDS = {
  flag: { must: 'no value', read: () => undefined },
  text: { must: 'a file', read: (text) => text || undefined },
  http: { must: 'a URL that begins with http:// or https://', read: (text) => urlOf(text, /^https?:$/) },
  redis: {
    must: 'a URL that begins with redis:// or rediss://',
    read: (text) => (text === 'memory' ? text : urlOf(text, /^rediss?:$/)),
  },
  store: { must: `one of ${STORES.join(', ')}`, read: (text) => (STORES.includes(text) ? text : undefined) },
  count: {
    must: 'a whole number from 1 on',
    read: (text) => numberOf(text, (n) => Number.isInteger(n) && n >= 1),
  },
  positive: { must: 'a number above 0', read: (text) => numberOf(text, (n) => n > 0) },
  least: { must: 'a number from 0 on', read: (text) => numberOf(text, (n) => n >= 0) },
  seconds: { must: 'a time above 0, such as 45, 45s or 2m', read: (text) => secondsOf(text, (n) => n > 0) },
  time: { must: 'a time from 0 on, such as 2 or 0.5s', read: (text) => secondsOf(text, (n) => n >= 0) },
  errors: { must: 'a number from 0 on, or a share such as 1%', read: errorsOf },
};

/** For the service of somebody, or for the example: which flags mean nothing for the other. */
const ONLY_EXAMPLE = ['store', 'max-active'];

export const HELP = `Users who log in, do weighted tasks and think in between, while connections are counted at the Redis server.

  npm run load -- --store pool --users 500         the express example, in a process of its own
  node load/load.js --url http://127.0.0.1:3000 --scenario my-shop.mjs --redis redis://127.0.0.1:6379

${Object.entries(FLAGS).map(helpOf).join('\n')}

It ends with 0; with 1 if a threshold was broken or the run could not go on; with 2 if the input was wrong; with 130 after
Ctrl-C, which ends the run and reports. docs/load-testing.md has more.`;

/** @param {[string, (typeof FLAGS)[string]]} flag */
function helpOf([name, { value = '', initial, help }]) {
  const left = `  --${name} ${value}`.padEnd(40);
  return `${left}${help}${initial === undefined ? '' : ` (${initial})`}`;
}

/**
 * @param {string[]} args
 * @returns {import('./options.js').Options}
 * @throws {BadInput}
 */
export function readOptions(args) {
  const options = Object.fromEntries(
    Object.entries(FLAGS).map(([name, { initial }]) => [camel(name), initial]),
  );
  const given = new Set();
  for (const token of tokensOf(args)) {
    if (token.kind === 'positional')
      throw new BadInput(`'${token.value}' is no flag: all flags begin with --.`);
    if (token.kind !== 'option') continue;
    const flag = FLAGS[token.name];
    if (!flag || !token.rawName.startsWith('--')) throw new BadInput(unknown(token.rawName));
    if (given.has(token.name)) throw new BadInput(`--${token.name} is given twice.`);
    given.add(token.name);
    options[camel(token.name)] = readValue(token.name, flag, token.value);
  }
  const conflict = options.help ? undefined : conflictIn(options, given);
  if (conflict) throw new BadInput(conflict);
  options.spawnRate ??= options.users / 5;
  return /** @type {import('./options.js').Options} */ (options);
}

/** @param {string[]} args */
function tokensOf(args) {
  const options = Object.fromEntries(
    Object.entries(FLAGS).map(([name, { kind }]) => [
      name,
      { type: /** @type {'string' | 'boolean'} */ (kind === 'flag' ? 'boolean' : 'string') },
    ]),
  );
  return parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

/**
 * @param {string} name
 * @param {(typeof FLAGS)[string]} flag
 * @param {string | undefined} text
 */
function readValue(name, { kind }, text) {
  if (kind === 'flag') return true;
  const { must, read } = KINDS[kind];
  if (text === undefined || text.startsWith('--')) throw new BadInput(`--${name} needs a value: ${must}.`);
  const value = read(text);
  if (value === undefined) throw new BadInput(`--${name} is '${bare(text)}', but has to be ${must}.`);
  return value;
}

/** @param {Record<string, any>} options @param {Set<string>} given */
function conflictIn(options, given) {
  if (options.url) {
    const idle = ONLY_EXAMPLE.find((name) => given.has(name));
    if (idle) return `--${idle} is about the example, so it means nothing with --url.`;
    if (options.redis === 'memory')
      return '--redis memory is where the example runs, so it means nothing with --url.';
    if (given.has('max-new-connections-per-request') && !options.redis)
      return '--max-new-connections-per-request is counted at the Redis: say which with --redis.';
  } else {
    if (options.metrics) return '--metrics is for a service given with --url: the example has its own.';
    if (given.has('max-active') && !['pool', 'generic-pool'].includes(options.store))
      return `--max-active bounds pool and generic-pool, and ${options.store} has no such bound.`;
  }
  return undefined;
}

/** @param {string} rawName */
function unknown(rawName) {
  const name = rawName.replace(/^-+/, '');
  const [nearest] = Object.keys(FLAGS)
    .map((known) => ({ known, apart: distance(name.toLowerCase(), known) }))
    .sort((a, b) => a.apart - b.apart);
  const guess = nearest && nearest.apart <= 3 ? `, did you mean --${nearest.known}?` : ': --help lists all.';
  return `There is no flag ${rawName}${guess}`;
}

/** How many letters have to be changed, added or left out. @param {string} a @param {string} b */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** @param {string} name */
const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());

/** @param {string} text @param {RegExp} protocol */
function urlOf(text, protocol) {
  return URL.canParse(text) && protocol.test(new URL(text).protocol) && new URL(text).host ? text : undefined;
}

/** @param {string} text @param {(n: number) => boolean} fits */
function numberOf(text, fits) {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) && fits(number) ? number : undefined;
}

/** @param {string} text @param {(n: number) => boolean} fits */
function secondsOf(text, fits) {
  const [, number, unit] = /^([\d.]+)(s|m)?$/.exec(text) ?? [];
  return number === undefined ? undefined : numberOf(String(Number(number) * (unit === 'm' ? 60 : 1)), fits);
}

/** @param {string} text @returns {{ count: number } | { share: number } | undefined} */
function errorsOf(text) {
  const number = numberOf(text.replace(/%$/, ''), (n) => n >= 0);
  if (number === undefined) return undefined;
  return text.endsWith('%') ? { share: number / 100 } : { count: number };
}
