import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import ts from 'typescript';
import { describe, expect, onTestFinished, test } from 'vitest';
import { times } from '../helpers/outcomes.ts';
import { until, useServer } from '../helpers/redis.ts';
import { Visitor } from '../helpers/web.ts';

const server = useServer();
const root = join(import.meta.dirname, '../..');
const recipes = join(root, 'examples/recipes');

/** Where the packages of this folder and the library are found. */
function folderHere(): string {
  const folder = mkdtempSync(join(import.meta.dirname, '.example-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Starts a file, which is killed with the test at the latest. */
function start(file: string, options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): ChildProcess {
  const env = { ...process.env, NODE_OPTIONS: '', REDIS_URL: server.url, PORT: '0', ...options.env };
  const child = spawn(process.execPath, [file], { ...options, env, stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** What it prints, until it ends by itself. */
async function output(file: string, options?: Parameters<typeof start>[1]): Promise<string> {
  const child = start(file, options);
  const [said, [code]] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    once(child, 'exit'),
  ]);
  expect(code).toBe(0);
  return said;
}

test('docs/recipes.md shows each recipe unchanged', () => {
  const page = readFileSync(join(root, 'docs/recipes.md'), 'utf8');
  const files = readdirSync(recipes);
  expect(files.length).toBeGreaterThan(8);
  for (const file of files) expect(page).toContain(`\n${readFileSync(join(recipes, file), 'utf8')}\`\`\``);
});

test('NestJS: the module gives a pool, and closes it with the app', async () => {
  const folder = folderHere();
  const compilerOptions = {
    ...{ module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    ...{ experimentalDecorators: true, emitDecoratorMetadata: true },
  };
  const source = readFileSync(join(recipes, 'nestjs.ts'), 'utf8');
  writeFileSync(join(folder, 'nestjs.mjs'), ts.transpileModule(source, { compilerOptions }).outputText);
  writeFileSync(
    join(folder, 'app.mjs'),
    `import 'reflect-metadata';
    import { NestFactory } from '@nestjs/core';
    import { RedisModule, RedisService } from './nestjs.mjs';
    const app = await NestFactory.createApplicationContext(RedisModule, { logger: false });
    app.enableShutdownHooks();
    const { pool } = app.get(RedisService);
    pool.once('drain', () => console.log('closed'));
    console.log(await pool.redis.incr('nest'));
    process.kill(process.pid, 'SIGTERM');
    `,
  );
  const child = start(join(folder, 'app.mjs'));
  const said = await text(child.stdout as NodeJS.ReadableStream);
  expect(said).toBe('1\nclosed\n');
  expect(await server.clients('nest')).toEqual([]);
});

test('a lock and a rate limiter: the third visit within a minute is refused', async () => {
  const folder = folderHere();
  copyFileSync(join(recipes, 'lock-and-limit.js'), join(folder, 'app.mjs'));
  await server.observer.flushall();
  expect(await output(join(folder, 'app.mjs'))).toBe(
    'visit 1: welcome\nvisit 2: welcome\nvisit 3: too many, come back in a minute\n',
  );
  expect(await server.observer.get('stock')).toBe('10');
  expect(await server.observer.exists('lock:stock')).toBe(0);
});

test('Next.js: a module that is evaluated anew, as by hot reloading, has the pool of before', async () => {
  const folder = folderHere();
  copyFileSync(join(recipes, 'nextjs.js'), join(folder, 'redis.mjs'));
  writeFileSync(
    join(folder, 'app.mjs'),
    `const [a, b] = [await import('./redis.mjs?1'), await import('./redis.mjs?2')];
    await Promise.all([a.pool.redis.ping(), b.pool.redis.ping()]);
    console.log(a !== b, a.pool === b.pool, a.pool.stats().connected);
    await a.pool.close();
    `,
  );
  expect(await output(join(folder, 'app.mjs'))).toBe('true true 1\n');
});

describe('bundled into one file, which needs no package any more', () => {
  const APP = `import { Pool } from 'bounded-redis-pool';
    const pool = new Pool(process.env.REDIS_URL);
    pool.use((redis) => redis.ping()).then(console.log).finally(() => pool.close());`;

  /** Runs what is in dist/ far away from all packages. */
  async function runBundles(folder: string): Promise<string[]> {
    const far = mkdtempSync(join(tmpdir(), 'bundle-'));
    onTestFinished(() => rmSync(far, { recursive: true }));
    const said = [];
    for (const file of ['app.mjs', 'app.cjs']) {
      copyFileSync(join(folder, 'dist', file), join(far, file));
      said.push(await output(join(far, file), { cwd: far }));
    }
    return said;
  }

  test('by esbuild, ESM and CommonJS', async () => {
    const folder = folderHere();
    writeFileSync(join(folder, 'app.js'), APP);
    copyFileSync(join(recipes, 'bundle-esbuild.js'), join(folder, 'build.mjs'));
    await output(join(folder, 'build.mjs'), { cwd: folder });
    expect(await runBundles(folder)).toEqual(['PONG\n', 'PONG\n']);
  });

  test('by rollup, ESM and CommonJS', async () => {
    const folder = folderHere();
    writeFileSync(join(folder, 'app.js'), APP);
    copyFileSync(join(recipes, 'rollup.config.js'), join(folder, 'rollup.config.mjs'));
    mkdirSync(join(folder, 'dist'));
    writeFileSync(
      join(folder, 'build.mjs'),
      `import { rollup } from 'rollup';
      import config from './rollup.config.mjs';
      const bundle = await rollup({ ...config, onwarn() {} });
      for (const one of config.output) await bundle.write(one);
      await bundle.close();
      `,
    );
    await output(join(folder, 'build.mjs'), { cwd: folder });
    expect(await runBundles(folder)).toEqual(['PONG\n', 'PONG\n']);
  });
});

test('cluster: each worker has a pool of its own, within the sum of their bounds, and all end when asked to', async () => {
  const watch = server.watch('cluster');
  const app = start(join(recipes, 'cluster.js'));
  let said = '';
  app.stdout?.on('data', (data) => {
    said += data;
  });
  const urls = (): string[] => said.split('\n').slice(0, -1);
  await until('both workers listen', () => urls().length === 2);
  const visitor = new Visitor(urls()[0] ?? '');
  const visits = await Promise.all(times(60, () => visitor.ask('/')));
  expect(visits.every((one) => /^200 visit \d+$/.test(one))).toBe(true);
  const most = await watch.stop();
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(10);
  app.kill('SIGTERM');
  expect(await once(app, 'exit')).toEqual([0, null]);
  expect(await server.clients('cluster')).toEqual([]);
});

test('PM2: its file names a script that is there, and gives it more time to end than it takes', async () => {
  const { default: config } = await import(join(recipes, 'pm2.config.cjs'));
  const [app] = config.apps;
  expect(readFileSync(join(recipes, app.script), 'utf8')).toContain("process.send?.('ready')");
  expect(app.wait_ready).toBe(true);
  expect(app.kill_timeout).toBeGreaterThanOrEqual(8000 + 2000);
});

test('worker threads: each has a pool of its own, and ends', async () => {
  await server.observer.del('threads');
  const said = (await output(join(recipes, 'worker-threads.js'))).trim().split('\n');
  expect(said.map((line) => line.replace(/thread-\d/, 'thread')).sort()).toEqual([
    'thread counted 1',
    'thread counted 2',
  ]);
});

test('Lambda: after it was frozen, while Redis closed its connections, an instance answers', async () => {
  const folder = folderHere();
  copyFileSync(join(recipes, 'lambda.js'), join(folder, 'lambda.mjs'));
  writeFileSync(
    join(folder, 'runtime.mjs'),
    `import { createInterface } from 'node:readline';
    import { handler } from './lambda.mjs';
    for await (const page of createInterface(process.stdin)) console.log(JSON.stringify(await handler({ page })));
    process.exit();
    `,
  );
  const instance = start(join(folder, 'runtime.mjs'));
  let said = '';
  instance.stdout?.on('data', (data) => {
    said += data;
  });
  const ask = async (answer: string): Promise<void> => {
    instance.stdin?.write('home\n');
    await until('it has answered', () => said.endsWith(answer));
  };
  await ask('{"visits":1}\n');
  instance.kill('SIGSTOP');
  await server.observer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until('its connections are closed', async () => (await server.clients('redis-pool')).length === 0);
  instance.kill('SIGCONT');
  await ask('{"visits":2}\n');
});

test('starting before Redis: it is ready as soon as Redis is there', async () => {
  await server.kill();
  const app = start(join(recipes, 'start-before-redis.js'));
  const said = text(app.stdout as NodeJS.ReadableStream);
  await once(app, 'spawn');
  await server.start();
  expect(await said).toBe('ready\n');
});
