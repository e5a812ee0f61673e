/**
 * Makes of what was recorded the pictures, and the tables between the marks `<!-- bench:NAME -->` and `<!-- /bench -->`
 * of README.md and docs/performance.md. Run it again after the words around them were changed, as often as you like.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { drawBars, drawLines, short } from './charts.js';
import { EVERYBODY, HIGHLIGHTS, LIMITS } from './contenders.js';
import { CEILING } from './process.js';
import { Results } from './results.js';
import { byContender, CLIENT, details, narrow, RATE, SERVER, table, wide } from './tables.js';
import { WORKLOADS } from './workloads.js';

const root = join(import.meta.dirname, '../..');
const PAGES = ['README.md', 'docs/performance.md'];

const family = (...ids) =>
  WORKLOADS.filter(({ id }) => ids.some((one) => id === one || id.startsWith(`${one}-`)));
const GETS = family('get');
const COMMANDS = family('multi', 'mget', 'hgetall', 'set', 'watch');
const PLACES = family('tls', 'latency', 'bursts', 'blpop', 'large');
const SIZES = family('size');
const [OPEN] = family('open');
const [ALLOCATIONS] = family('allocations');
const [BORROW] = family('borrow');
const [COLD] = family('cold');
const DEFAULTS = family('lanes', 'in-flight');
/** Few enough for the README. */
const FEWEST = HIGHLIGHTS.filter((name) => name !== 'node-redis pool' && name !== 'valkey-glide');
const SOME = GETS.slice(0, 3);
const RATES = OPEN.load.rates.map((rate) => ({ rate, title: `${rate / 1000} 000 a second` }));

const columnsOf = (workloads, what, second) =>
  workloads.map(({ id, short: title }) => ({ id, title, what, second }));
const labelsOf = ({ contenders }) => contenders.map((one) => one.label ?? one);

/** Where all of it was measured; what was measured where, if at several places or times. */
function listOfPlaces(results) {
  const ids = WORKLOADS.map(({ id }) => id);
  const places = results.about(ids);
  const of = (place) => ids.filter((id) => results.about([id]).includes(place)).join(', ');
  return places.map((place) => `- ${place}${places.length > 1 ? ` (${of(place)})` : ''}`).join('\n');
}

/** What is between the marks, by name. @param {Results} results */
function partsOf(results) {
  const names = [...EVERYBODY, ...LIMITS];
  const threefold = (...what) =>
    [GETS, COMMANDS, PLACES]
      .map((some) => byContender(results, columnsOf(some, ...what), names))
      .join('\n\n');
  const byRate = (key, more, scale) => {
    const columns = RATES.map(({ rate, title }) => ({
      id: OPEN.id,
      title,
      what: { key: `${key}@${rate}`, scale, more },
    }));
    return byContender(results, columns, OPEN.contenders);
  };
  return {
    readme: () => {
      const lean = (columns) =>
        byContender(results, columns, FEWEST, narrow, 'callers').replace(/^\| | \|$/gm, '');
      const byCallers = (what) => SOME.map(({ id, load }) => ({ id, title: load.callers, what }));
      const server = { id: 'get-50', title: 'server, at 50', what: SERVER };
      return [
        'CPU time of a GET of 100 B, µs (middle half):',
        lean([...byCallers(CLIENT), server]),
        'Thousand GETs a second:',
        lean(byCallers(RATE).slice(1)),
        `Measured on ${results.about(SOME.map(({ id }) => id)).join('; ')}.`,
      ].join('\n\n');
    },
    about: () => listOfPlaces(results),
    cpu: () => threefold(CLIENT, SERVER),
    throughput: () => threefold(RATE),
    ceiling: () => {
      const cell = (id, name, { key, scale }) => short(results.middle(id, name, key, scale));
      const clients = [...LIMITS, 'pool.redis'];
      return table(
        ['', CEILING, ...clients, ...clients.map((name) => `${name}, CPU in µs`)],
        GETS.map(({ id, short: title }) => [
          title,
          ...[CEILING, ...clients].map((name) => cell(id, name, RATE)),
          ...clients.map((name) => cell(id, name, CLIENT)),
        ]),
      );
    },
    openLatency: () => byRate('p99'),
    openAnswered: () => byRate('perSecond', true, 1e-3),
    sizes: () => {
      const columns = SIZES.map(({ id, contenders: [{ target }] }) => ({
        id,
        title: target.size,
        what: CLIENT,
      }));
      return byContender(results, columns, labelsOf(SIZES[0]));
    },
    borrow: () => byContender(results, [{ id: BORROW.id, title: 'CPU, µs', what: CLIENT }], labelsOf(BORROW)),
    cold: () => {
      const titles = {
        cpuMs: 'CPU, ms',
        firstMs: 'first reply, ms',
        hundredMs: 'first 100 more, ms',
        connections: 'connections',
      };
      const columns = Object.entries(titles).map(([key, title]) => ({ id: COLD.id, title, what: { key } }));
      return byContender(results, columns, COLD.contenders);
    },
    allocations: () =>
      byContender(
        results,
        [{ id: ALLOCATIONS.id, title: 'bytes', what: { key: 'bytes' } }],
        ALLOCATIONS.contenders,
      ),
    defaults: () =>
      DEFAULTS.map(({ id, title, contenders }) => {
        const columns = [
          { id, title: 'CPU, µs', what: CLIENT },
          { id, title: 'thousand a second', what: RATE },
        ];
        return byContender(results, columns, labelsOf({ contenders }), wide, title);
      }).join('\n\n'),
    details: () =>
      [...GETS, ...COMMANDS, ...PLACES]
        .filter(({ id }) => results.names(id).length > 0)
        .map(({ id, title }) => `#### ${title}\n\n${details(results, id)}`)
        .join('\n\n'),
  };
}

/** What is drawn of other work: [workload, title]. */
const OTHER_WORK = [
  ['multi', 'MULTI of 5'],
  ['mget', 'MGET of 100'],
  ['hgetall', 'HGETALL of 20'],
  ['set', 'SET of 1 KiB'],
  ['tls', 'GET over TLS'],
  ['latency-500', 'GET, 1 ms away'],
  ['blpop', 'GET beside BLPOP'],
  ['bursts', 'bursts of 200 GETs'],
].map(([id, title]) => ({ id, title }));

/** The pictures, by file. @param {Results} results */
function picturesOf(results) {
  const captionOf = (some) => results.about(some.map(({ id }) => id)).join(' · ');
  const bars = (title, unit, workloads, wanted, { key, scale }, second) => {
    const names = wanted.filter((name) => workloads.some(({ id }) => results.spread(id, name, key)));
    const each = (of) => Object.fromEntries(names.map((name) => [name, of(name)]));
    const panels = workloads.map(({ id, ...workload }) => ({
      title: workload.short ?? workload.title,
      values: each((name) => results.middle(id, name, key, scale)),
      ranges: each((name) => results.spread(id, name, key, scale)),
      more: second && each((name) => results.middle(id, name, second.key)),
    }));
    return drawBars({ title, caption: captionOf(workloads), unit, names, limits: LIMITS, panels });
  };
  const cpu = 'µs: the client, behind it the server; a line for the middle half of the client';
  const most = [...EVERYBODY.filter((name) => !/tarn|lightning|held/.test(name)), ...LIMITS];
  return {
    'bench-cpu.svg': bars('CPU time of a GET of 100 B, by callers', cpu, GETS, most, CLIENT, SERVER),
    'bench-commands.svg': bars('CPU time of other work', cpu, OTHER_WORK, HIGHLIGHTS, CLIENT, SERVER),
    'bench-callers.svg': bars(
      'GET of 100 B, thousand a second, by callers',
      'a line for the middle half',
      GETS,
      most,
      RATE,
    ),
    'bench-open.svg': drawLines({
      title: 'Latency p99 of GETs that come whether or not the last is answered',
      caption: captionOf([OPEN]),
      what: 'ms, over requests a second; a line ends where less than 95 % was answered in time',
      names: HIGHLIGHTS.filter((name) => results.names(OPEN.id).includes(name)),
      ticks: [0.1, 1, 10, 100, 1000],
      points: RATES.map(({ rate }) => ({
        x: `${rate / 1000}k`,
        values: Object.fromEntries(
          HIGHLIGHTS.map((name) => [name, results.middle(OPEN.id, name, `p99@${rate}`)]),
        ),
      })),
    }),
  };
}

/** A page with its tables made anew. */
export function filled(text, parts) {
  return text.replace(
    /(<!-- bench:(\w+) -->).*?(<!-- \/bench -->)/gs,
    (_, begin, part, end) => `${begin}\n\n${parts[part]()}\n\n${end}`,
  );
}

/** Writes all of it; returns the names of the files. */
export function writeReport() {
  const results = Results.read();
  const files = Object.entries(reportOf(results));
  for (const [file, text] of files) writeFileSync(join(root, file), text);
  return files.map(([file]) => file);
}

/** What the files of the report are to be, by name. */
export function reportOf(results) {
  const parts = partsOf(results);
  const pages = PAGES.map((page) => [page, filled(readFileSync(join(root, page), 'utf8'), parts)]);
  const pictures = Object.entries(picturesOf(results)).map(([name, svg]) => [`docs/${name}`, svg]);
  return Object.fromEntries([...pages, ...pictures]);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) writeReport();
