import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

interface Import {
  /** Path within src, such as `core/list.ts`; or the name of a package. */
  readonly to: string;
  readonly own: boolean;
  /** `import type`, which leaves nothing behind. (`import { type T }` leaves an import behind.) */
  readonly typeOnly: boolean;
}

interface Source {
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  /** Every name that the file mentions, in its code alone: `a`, and `a.b` for members. */
  readonly names: ReadonlySet<string>;
  /** Functions and constants that it exports. */
  readonly exports: readonly string[];
  /** Fields of its classes, `#private` ones with their sign. */
  readonly fields: readonly string[];
}

function read(path: string): Source {
  const text = readFileSync(join(SRC, path), 'utf8');
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const names = new Set<string>();
  const exports: string[] = [];
  const fields: string[] = [];
  const visit = (node: ts.Node): void => {
    const found = importOf(path, node);
    if (found) imports.push(found);
    // A method of the same name is something else.
    if (ts.isIdentifier(node) && !ts.isMethodDeclaration(node.parent)) names.add(node.text);
    if (ts.isPropertyAccessExpression(node)) names.add(`${node.expression.getText()}.${node.name.text}`);
    // With arguments it is made of them.
    if (ts.isNewExpression(node) && !node.arguments?.length) names.add(`new ${node.expression.getText()}`);
    exports.push(...exportsOf(node));
    if (ts.isPropertyDeclaration(node)) fields.push(node.name.getText());
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { path, lines: text.trimEnd().split('\n').length, imports, names, exports, fields };
}

function exportsOf(node: ts.Node): string[] {
  const declared = ts.isVariableStatement(node) ? [...node.declarationList.declarations] : [node];
  const exported = ts.canHaveModifiers(node) ? node.modifiers : undefined;
  if (!exported?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return [];
  return declared.flatMap((one) =>
    ts.isFunctionDeclaration(one) || ts.isVariableDeclaration(one) ? [one.name?.getText() ?? ''] : [],
  );
}

function importOf(path: string, node: ts.Node): Import | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    const clause = ts.isImportDeclaration(node) ? node.importClause : node;
    return target(path, node.moduleSpecifier, clause?.isTypeOnly ?? false);
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return target(path, node.argument.literal, true);
  }
  const called = ts.isCallExpression(node) ? node : undefined;
  const dynamic = called?.expression.kind === ts.SyntaxKind.ImportKeyword;
  return dynamic ? target(path, called.arguments[0], false) : undefined;
}

function target(path: string, specifier: ts.Node | undefined, typeOnly: boolean): Import | undefined {
  if (!specifier || !ts.isStringLiteral(specifier)) return undefined;
  const own = specifier.text.startsWith('.');
  const to = own ? relative(SRC, join(SRC, dirname(path), specifier.text)) : specifier.text;
  return { to, own, typeOnly };
}

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map(read);

/** The files that import what `matches`, as `from -> to`. */
const importing = (matches: (one: Import, from: Source) => boolean): string[] =>
  sources.flatMap((from) =>
    from.imports.filter((one) => matches(one, from)).map(({ to }) => `${from.path} -> ${to}`),
  );

/** From the top down: each may import from itself and from those below it. docs/architecture.md says what each is for. */
const LAYERS = [
  ...[
    'index.ts',
    'integrations',
    'cluster',
    'pool.ts',
    'multiplex',
    'lease',
    'ioredis',
    'core',
    'api',
    'util',
  ],
];

/** Those that may make a pool. */
const MAKERS = ['integrations/mock/mock-pool.ts -> pool.ts', 'integrations/session/store.ts -> pool.ts'];

/** Deciders: synchronous, without I/O, timers or chance; `now` is a parameter. */
const PURE = new Set([
  ...['core/backoff.ts', 'core/outage.ts', 'core/slot.ts', 'core/transient.ts', 'util/list.ts'],
  ...['ioredis/reply-reader.ts', 'ioredis/taint.ts'],
  ...['multiplex/command-order.ts', 'multiplex/lane-choice.ts', 'multiplex/lane-meter.ts'],
  ...['core/replacement.ts', 'multiplex/timeouts.ts'],
  ...['address', 'redirection', 'slot', 'topology-reply'].map((name) => `cluster/${name}.ts`),
]);

const layerOf = (path: string): number => LAYERS.indexOf(path.split('/')[0] ?? '');

test('the files of src are found, with what they import and mention', () => {
  const pool = sources.find(({ path }) => path === 'pool.ts');
  expect(sources.length).toBeGreaterThan(20);
  expect(pool?.imports).toContainEqual({ to: 'core/slot.ts', own: true, typeOnly: false });
  expect(pool?.imports).toContainEqual({ to: 'core/dependencies.ts', own: true, typeOnly: true });
  expect(sources.find(({ path }) => path === 'util/clock.ts')?.names).toContain('performance.now');
});

test('every file is in a layer, and imports nothing from one above it, not even a type', () => {
  expect(sources.filter(({ path }) => layerOf(path) < 0).map(({ path }) => path)).toEqual([]);
  expect(importing(({ to, own }, from) => own && layerOf(to) < layerOf(from.path))).toEqual([]);
});

test('an integration knows the words and what is below them, and of the others nothing', () => {
  const of = (path: string): string | undefined => /^integrations\/(\w+)\//.exec(path)?.[1];
  const strange = importing(({ to, own }, { path }) => {
    if (!own || of(path) === undefined || of(to) === of(path)) return false;
    return !/^(api|util)\//.test(to);
  }).sort();
  // The mock takes what a Pool takes, leaves the pool's own PING out of its record, and says which commands cost a connection.
  expect(strange).toEqual(
    [
      ...MAKERS,
      'integrations/mock/costs.ts -> ioredis/taint.ts',
      ...['core/constructor-arguments.ts', 'ioredis/ping.ts'].map(
        (to) => `integrations/mock/mock-pool.ts -> ${to}`,
      ),
    ].sort(),
  );
});

test('deciders use types of others alone, no package, no I/O and no chance', () => {
  const deciders = sources.filter(({ path }) => PURE.has(path));
  expect(deciders.length).toBe(PURE.size);
  expect(importing(({ to, typeOnly }, { path }) => PURE.has(path) && !typeOnly && !PURE.has(to))).toEqual([]);
  for (const { path, names } of deciders) {
    for (const name of ['process', 'Math.random', 'fetch', 'queueMicrotask']) {
      expect(names, path).not.toContain(name);
    }
  }
});

test('only one file knows generic-pool', () => {
  expect(importing(({ to }) => /^generic-pool(\/|$)/.test(to))).toEqual([
    'core/generic-pool.ts -> generic-pool',
  ]);
});

test('ioredis is run only where connections, commands and options are made', () => {
  const free = /^(cluster\/.*|ioredis\/.*|lease\/.*|multiplex\/.*|api\/resolve-options)\.ts$/;
  const used = importing(({ to, own, typeOnly }) => !own && !typeOnly && /^ioredis(\/|$)/.test(to));
  expect(used.filter((one) => !free.test(one.split(' ')[0] ?? ''))).toEqual([]);
  expect(used.length).toBeGreaterThan(0);
});

test('only the clock knows time', () => {
  const time = [
    ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'Date.now', 'new Date'],
    ...['performance', 'performance.now', 'process.hrtime', 'process.uptime', 'AbortSignal.timeout'],
  ];
  const knowing = sources.flatMap(({ path, names }) => (time.some((name) => names.has(name)) ? [path] : []));
  expect(knowing).toEqual(['util/clock.ts']);
  expect(importing(({ to }) => /^(node:)?(timers|perf_hooks)/.test(to))).toEqual([
    'util/clock.ts -> node:timers',
  ]);
});

test('nobody but index.ts, and who makes one, imports the pool itself', () => {
  const makers = ['cluster/cluster-pool.ts -> pool.ts', 'index.ts -> pool.ts', ...MAKERS];
  expect(importing(({ to, typeOnly }) => to === 'pool.ts' && !typeOnly).sort()).toEqual(makers);
});

test('the entry points are imported by nobody', () => {
  expect(importing(({ to }) => /^(integrations\/(mock|session)\/)?index\.ts$/.test(to))).toEqual([]);
});

const isMock = (path: string): boolean => path.startsWith('integrations/mock/');

test('nobody imports the mock but the mock', () => {
  expect(importing(({ to }, { path }) => isMock(to) && !isMock(path))).toEqual([]);
});

test('the mock knows nothing of sockets, files or test frameworks', () => {
  const packages = importing(({ own, typeOnly }, { path }) => isMock(path) && !own && !typeOnly);
  // By node:module it loads fengari, if it is there.
  const names = new Set(packages.map((one) => one.split(' -> ')[1]));
  expect([...names].sort()).toEqual(['node:async_hooks', 'node:crypto', 'node:events', 'node:module']);
});

test('no field of a class is named as something exported', () => {
  // A transform of modules that knows no scopes, as some bundlers and test runners have, takes the one for the other.
  const exported = new Set(sources.flatMap(({ exports }) => exports));
  expect(exported).toContain('truth');
  const fields = sources.flatMap(({ path, fields }) => fields.map((name) => ({ path, name })));
  expect(fields.length).toBeGreaterThan(100);
  expect(fields.filter(({ name }) => exported.has(name))).toEqual([]);
});

test('what a file imports from src exists', () => {
  const paths = new Set(sources.map(({ path }) => path));
  expect(importing(({ to, own }) => own && !paths.has(to))).toEqual([]);
});

test('no file is longer than can be read at a sitting', () => {
  expect(
    sources.filter(({ lines }) => lines > 500).map(({ path, lines }) => `${path}: ${lines} lines`),
  ).toEqual([]);
});

test('at run time imports form no cycle', () => {
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) throw new Error(`a cycle: ${[...way, path].join(' -> ')}`);
    if (done.has(path)) return;
    const source = sources.find((one) => one.path === path);
    for (const { to, own, typeOnly } of source?.imports ?? []) {
      if (own && !typeOnly) visit(to, [...way, path]);
    }
    done.add(path);
  };
  for (const { path } of sources) visit(path, []);
  expect(done.size).toBe(sources.length);
});
