import { execFile } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { useCluster } from '../helpers/cluster.ts';
import { installTarball } from '../helpers/packed.ts';
import { useServer } from '../helpers/redis.ts';
import { mute, tcpServer } from '../helpers/tcp-server.ts';

const server = useServer();
const cluster = useCluster();
const OTHERS = ['@ioredis', '@opentelemetry/api', '@types', 'generic-pool', 'prom-client'];
const SUBPATHS = {
  main: '',
  cluster: '/cluster',
  session: '/session',
  prometheus: '/prometheus',
  opentelemetry: '/opentelemetry',
  mock: '/mock',
};
const specifiers = Object.entries(SUBPATHS).map(([key, path]) => [key, `bounded-redis-pool${path}`] as const);

/**
 * What the published types have: every exported value; of types called `…Options` every option; of classes, and of
 * interfaces with methods, every member.
 */
function surface(project: string): string[] {
  const file = join(project, 'surface.mts');
  writeFileSync(file, specifiers.map(([key, path]) => `export * as ${key} from '${path}';`).join('\n'));
  const program = ts.createProgram([file], {
    module: ts.ModuleKind.NodeNext,
    types: ['node'],
    target: ts.ScriptTarget.ES2022,
  });
  const types = program.getTypeChecker();
  const source = program.getSourceFile(file) ?? expect.fail('no source');
  const exportsOf = (symbol: ts.Symbol): ts.Symbol[] => types.getExportsOfModule(symbol);
  const whole = types.getSymbolAtLocation(source) ?? expect.fail('no module');
  const aliased = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? types.getAliasedSymbol(symbol) : symbol;
  const found = new Set<string>();
  for (const one of exportsOf(whole).flatMap((module) => exportsOf(aliased(module)))) {
    const symbol = aliased(one);
    if (symbol.flags & ts.SymbolFlags.Value) found.add(one.name);
    const own = types
      .getDeclaredTypeOfSymbol(symbol)
      .getProperties()
      .filter((member) => isOurs(member, project));
    const methods = own.some(({ flags }) => flags & ts.SymbolFlags.Method);
    const options = /Options$/.test(one.name) && one.name !== 'ClientOptions'; // which are ioredis', and given by us
    const members = options || symbol.flags & ts.SymbolFlags.Class || methods;
    for (const { name } of members ? own : []) found.add(`${one.name}.${name}`);
  }
  return [...found].sort();
}

function isOurs({ name, declarations = [] }: ts.Symbol, project: string): boolean {
  const ours = join(project, 'node_modules/bounded-redis-pool');
  return (
    !/^(__[@#]|#)/.test(name) && declarations.some((one) => one.getSourceFile().fileName.startsWith(ours))
  );
}

const LOAD = {
  ESM: ['load.mjs', (path: string): string => `await import('${path}')`],
  CommonJS: ['load.cjs', (path: string): string => `require('${path}')`],
} as const;

/** Runs a script until its process ends by itself. */
async function run(project: string, file: string): Promise<{ wrong: unknown; stderr: string }> {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { cwd: project, env });
  return { wrong: JSON.parse(stdout), stderr };
}

describe.each(['ioredis', 'ioredis5'])('on %s', (ioredis) => {
  const project = installTarball([...OTHERS, `${ioredis} as ioredis`]);
  for (const file of ['smoke.mjs', 'cluster-lifecycle.mjs']) {
    copyFileSync(join(import.meta.dirname, '../fixtures', file), join(project, file));
  }
  const names = surface(project);

  test('the published types describe all exports', () => {
    const paths = Object.keys(manifest.exports).filter((path) => !path.endsWith('.json'));
    expect(Object.values(SUBPATHS).map((path) => `.${path}`)).toEqual(paths);
    expect(names.length).toBeGreaterThan(100);
    expect(names).toEqual(
      expect.arrayContaining(['Pool', 'PoolOptions.maxActive', 'MockPool.exhaust', 'NodeRedisView.mGet']),
    );
  });

  test.each(Object.entries(LOAD))(
    'every export and option of the %s build runs',
    { timeout: 120_000 },
    async (_, [file, load]) => {
      const lib = specifiers.map(([key, path]) => `${key}: ${load(path)}`).join(', ');
      const told = `console.log(JSON.stringify(await smoke({ ${lib}, url: '${server.url}', node: '${cluster.urls[0]}' }, ${JSON.stringify(names)})));`;
      writeFileSync(
        join(project, file),
        `(async () => { const { smoke } = await import('./smoke.mjs'); ${told} })();`,
      );
      expect(await run(project, file)).toEqual({ wrong: {}, stderr: '' });
    },
  );

  test.each(Object.entries(LOAD))(
    'nothing of a cluster of the %s build goes unheard, or keeps the process alive, whatever becomes of it',
    async (_, [file, load]) => {
      const [still, http] = [
        await tcpServer(mute),
        await tcpServer((socket) => socket.end('HTTP/1.1 400 No\r\n\r\n')),
      ];
      const down = ['redis://127.0.0.1:1', { host: '127.0.0.1', port: 2 }];
      const servers = { urls: cluster.urls, mute: still.url, http: http.url, down, single: server.url };
      const own = `cluster-${file}`;
      writeFileSync(
        join(project, own),
        `(async () => {
          const { lifecycle } = await import('./cluster-lifecycle.mjs');
          const { ClusterPool } = ${load('bounded-redis-pool/cluster')};
          console.log(JSON.stringify(await lifecycle(ClusterPool, ${JSON.stringify(servers)})));
        })();`,
      );
      expect(await run(project, own)).toEqual({ wrong: {}, stderr: '' });
      for (const node of cluster.nodes) expect(await node.clients()).toEqual([]);
    },
  );
});
