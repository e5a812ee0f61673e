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
import { askOn, Visitor } from '../helpers/web.ts';

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
  for (const file of files.filter((name) => !name.endsWith('.d.cts')))
    expect(page).toContain(`\n${readFileSync(join(recipes, file), 'utf8')}\`\`\``);
});

describe('NestJS', () => {
  const MODULE = `import 'reflect-metadata';
    import { setImmediate } from 'node:timers/promises';
    import { type BeforeApplicationShutdown, Controller, Get, Module } from '@nestjs/common';
    import { RedisModule, RedisService } from './nestjs.js';
    @Controller()
    class Visits implements BeforeApplicationShutdown {
      #closing = false;
      constructor(private readonly redis: RedisService) {}
      @Get() visit() {
        return this.redis.pool.redis.incr('nest');
      }
      @Get('last') async last() {
        process.kill(process.pid, 'SIGTERM');
        while (!this.#closing) await setImmediate();
        return this.visit();
      }
      /** After onModuleDestroy(), before the HTTP server is closed. */
      beforeApplicationShutdown() {
        this.#closing = true;
      }
    }
    @Module({ imports: [RedisModule], controllers: [Visits] })
    export class AppModule {}`;
  const compilerOptions = {
    ...{ module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    ...{ experimentalDecorators: true, emitDecoratorMetadata: true },
  };
  const compiled = (source: string): string => ts.transpileModule(source, { compilerOptions }).outputText;

  /** A folder with the app: its module, and the files of the recipe. */
  function appHere(): string {
    const folder = folderHere();
    copyFileSync(join(recipes, 'graceful-stop.cjs'), join(folder, 'graceful-stop.cjs'));
    mkdirSync(join(folder, 'src'));
    const sources = {
      'src/app.module.js': MODULE,
      'src/nestjs.js': readFileSync(join(recipes, 'nestjs.ts'), 'utf8'),
      'src/main.js': readFileSync(join(recipes, 'nestjs-main.ts'), 'utf8'),
    };
    for (const [name, source] of Object.entries(sources)) writeFileSync(join(folder, name), compiled(source));
    return folder;
  }

  test('the module gives a pool, and closes it with the app: after the requests that are under way', async () => {
    const folder = appHere();
    writeFileSync(
      join(folder, 'app.js'),
      `import { NestFactory } from '@nestjs/core';
      import { AppModule } from './src/app.module.js';
      import { RedisService } from './src/nestjs.js';
      const app = await NestFactory.create(AppModule, { logger: false });
      app.enableShutdownHooks();
      app.get(RedisService).pool.once('drain', () => console.log('closed'));
      await app.listen(0, '127.0.0.1');
      console.log(await app.getUrl());
      `,
    );
    await server.observer.del('nest');
    const app = start(join(folder, 'app.js'));
    let said = '';
    app.stdout?.on('data', (data) => {
      said += data;
    });
    await until('it listens', () => said.endsWith('\n'));
    const response = await fetch(`${said.trim()}/last`);
    expect([response.status, await response.text()]).toEqual([200, '1']);
    await once(app, 'exit');
    expect(said).toMatch(/\nclosed\n$/);
    expect(await server.clients('nest')).toEqual([]);
  });

  test('the app loses no request when it is stopped under the load of connections that are kept alive', async () => {
    const folder = appHere();
    writeFileSync(
      join(folder, 'src/run.js'),
      `import { Server } from 'node:net';
      const { listen } = Server.prototype;
      Server.prototype.listen = function (...given) {
        this.once('listening', () => console.log('port ' + this.address().port));
        return listen.apply(this, given);
      };
      await import('./main.js');
      `,
    );
    const app = start(join(folder, 'src/run.js'), { env: { PORT: '0' } });
    let said = '';
    app.stdout?.on('data', (data) => {
      said += data;
    });
    const port = await until('it listens', () => /port (\d+)/.exec(said)?.[1]);
    let answers = 0;
    const callers = times(20, () => {
      return askOn(`http://127.0.0.1:${port}`, () => {
        answers++;
        if (answers === 300) app.kill('SIGTERM');
      });
    });
    const ended = once(app, 'exit');
    expect(await Promise.all(callers)).toEqual(times(20, () => 'nothing lost'));
    expect(await ended).toEqual([0, null]);
    expect(await server.clients('nest')).toEqual([]);
  });
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

test('PM2: its file gives an app more time to end than it takes', async () => {
  const { default: config } = await import(join(recipes, 'pm2.config.cjs'));
  const [app] = config.apps;
  expect(app).toMatchObject({ instances: 2, exec_mode: 'cluster', wait_ready: true });
  expect(app.kill_timeout).toBeGreaterThan(8000 + 2000);
});

test('consumers: a stream and messages are read on after a restart that lost everything, and all end when asked to', async () => {
  const app = start(join(recipes, 'consumers.js'), { env: { CONSUMER: 'one' } });
  let said = '';
  app.stdout?.on('data', (data) => {
    said += data;
  });
  const line = (n: number): string => said.split('\n')[n] ?? '';
  const heard = async (news: string): Promise<void> => {
    await until(`it hears ${news}`, async () => {
      await server.observer.publish('news', news);
      return said.includes(`news ${news}\n`);
    });
  };
  await until('it listens', () => said.includes('\n'));
  const id = await (await fetch(`${line(0)}/first`)).text();
  expect(id).toMatch(/^\d+-0$/);
  await until('the job is done', () => said.includes('job /first\n'));
  await heard('one');
  await server.kill();
  await server.start();
  await until(
    'Redis is back for it',
    async () => (await fetch(`${line(0)}/second`).catch(() => undefined))?.ok,
  );
  await until('the job is done', () => said.includes('job /second\n'));
  await heard('two');
  const pending = (): Promise<unknown> => server.observer.xpending('jobs', 'workers');
  await until('it is acknowledged', async () => ((await pending()) as unknown[])[0] === 0);
  app.kill('SIGTERM');
  expect(await once(app, 'exit')).toEqual([0, null]);
  expect(said.match(/job \/first\n/g)).toHaveLength(1);
  expect(await server.clients('consumers')).toEqual([]);
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
