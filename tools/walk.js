/**
 * How far does a reader travel? `npm run walk` runs some stories of a pool against a redis-server of its own, and prints
 * for each how many files of src are entered and how many calls are made in them, as the engine's own coverage counts,
 * with the files in the order of their first call. `npm run walk -- calls` lists each file's functions and their calls too.
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import ts from 'typescript';
import { findServer, installServer, startServer } from './redis-server.js';

const root = join(import.meta.dirname, '..');
// Within the package, so that the imports of packages are found.
const folder = mkdtempSync(join(root, '.walk-'));

const get = (redis) => redis.get('key');

/** Each prepares its pool, which has one connection at most, and returns what is counted. */
const STORIES = {
  'pool.use, warm': async (pool) => {
    await pool.use(get);
    return () => pool.use(get);
  },
  'pool.redis.get, warm': async (pool) => {
    await get(pool.redis);
    return () => get(pool.redis);
  },
  'a leased connection dies while somebody waits': (pool, killAll) => async () => {
    const lease = await pool.acquire();
    const next = pool.acquire();
    const gone = once(lease, 'close');
    await killAll();
    await gone;
    lease.release();
    (await next).release();
  },
  'close() of an idle pool': async (pool) => {
    await pool.use(get);
    return () => pool.close();
  },
  'pool.use with a dial': (pool) => () => pool.use(get),
  'waits, then is served': async (pool) => {
    const lease = await pool.acquire();
    await get(lease);
    return () => {
      const next = pool.use(get);
      lease.release();
      return next;
    };
  },
};

/** Files in the order of their first call: coverage counts, and knows no order. @type {Set<string>} */
const entered = new Set();
Object.assign(globalThis, { enter: (path) => entered.add(path) });

/** Puts `enter(path)` first into every function of a file. */
function notingEntry(path) {
  const { factory } = ts;
  const call = factory.createCallExpression(factory.createIdentifier('enter'), undefined, [
    factory.createStringLiteral(path),
  ]);
  const withEntry = (body) => {
    const statements = ts.isBlock(body) ? body.statements : [factory.createReturnStatement(body)];
    return factory.createBlock([factory.createExpressionStatement(call), ...statements]);
  };
  return (context) => (file) => {
    const visit = (node) => {
      const inside = ts.visitEachChild(node, visit, context);
      if (!ts.isFunctionLike(node) || !inside.body) return inside;
      return ts.visitEachChild(inside, (part) => (part === inside.body ? withEntry(part) : part), context);
    };
    return ts.visitNode(file, visit);
  };
}

/** Each file of src becomes a module of its own, so that coverage needs no map to name it. */
function build() {
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ESNext,
    rewriteRelativeImportExtensions: true,
  };
  const all = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  for (const path of all.filter((name) => name.endsWith('.ts'))) {
    const text = readFileSync(join(root, 'src', path), 'utf8');
    const transformers = { before: [notingEntry(path)] };
    const file = join(folder, path.replace(/ts$/, 'js'));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, ts.transpileModule(text, { compilerOptions, transformers }).outputText);
  }
}

async function run() {
  const { Pool } = await import(pathToFileURL(join(folder, 'index.js')).href);
  const server = await startServer({ binary: findServer() ?? (await installServer()) });
  const other = new Redis(server.url);
  const inspector = new Session();
  inspector.connect();
  await inspector.post('Profiler.enable');
  await inspector.post('Profiler.startPreciseCoverage', { callCount: true });
  console.log('story | files | calls | in the order of their first call\n--- | --- | --- | ---');
  for (const [name, prepare] of Object.entries(STORIES)) {
    const pool = new Pool(server.url, { maxActive: 1 });
    const story = await prepare(pool, () => other.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));
    await inspector.post('Profiler.takePreciseCoverage'); // counts from here on
    entered.clear();
    await story();
    const order = [...entered];
    print(name, await inspector.post('Profiler.takePreciseCoverage'), order);
    await pool.close();
  }
  inspector.disconnect();
  other.disconnect();
  await server.stop();
}

function print(story, { result }, order) {
  const base = `${pathToFileURL(folder).href}/`;
  const files = result.flatMap(({ url, functions }) => {
    if (!url.startsWith(base)) return [];
    const called = functions.flatMap(({ functionName, ranges: [{ count }] }) =>
      count > 0 ? [{ name: functionName || '(anonymous)', count }] : [],
    );
    const path = url.slice(base.length).replace(/js$/, 'ts');
    return called.length > 0 ? [{ path, called, calls: sum(called.map(({ count }) => count)) }] : [];
  });
  // A file of which only fields were initialized is not noted, and comes last.
  const place = ({ path }) => (order.includes(path) ? order.indexOf(path) : order.length);
  files.sort((a, b) => place(a) - place(b));
  const paths = files.map(({ path }) => path.replace(/\.ts$/, '')).join(', ');
  console.log(`${story} | ${files.length} | ${sum(files.map(({ calls }) => calls))} | ${paths}`);
  if (process.argv[2] !== 'calls') return;
  for (const { path, called, calls } of files) {
    console.log(`  ${path} ${calls}: ${called.map(({ name, count }) => `${name} ${count}`).join(', ')}`);
  }
}

const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

try {
  build();
  await run();
} finally {
  rmSync(folder, { recursive: true });
}
