import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, createServer, get, type IncomingMessage, request } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { times } from './helpers/outcomes.ts';
import { until, useServer } from './helpers/redis.ts';
import { askOn, Visitor } from './helpers/web.ts';

const server = useServer();
const folder = join(import.meta.dirname, '../examples');
const { gracefulStop }: typeof import('../examples/recipes/graceful-stop.cjs') = createRequire(
  import.meta.url,
)('../examples/recipes/graceful-stop.cjs');
const apps = readdirSync(folder).filter((name) => name.endsWith('.js'));

/** Where it finds what it imports: fastify is among what is installed for the tests alone. */
function placeOf(name: string): string {
  if (name !== 'fastify.js') return join(folder, name);
  const copy = join(import.meta.dirname, 'others', `.example-${process.pid}.mjs`);
  copyFileSync(join(folder, name), copy);
  onTestFinished(() => rmSync(copy));
  return copy;
}

const environment = (): NodeJS.ProcessEnv => {
  return { ...process.env, REDIS_URL: server.url, PORT: '0', SESSION_SECRET: 'x'.repeat(32) };
};

function start(name: string): ChildProcess {
  const app = spawn(process.execPath, [placeOf(name)], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void app.kill('SIGKILL'));
  return app;
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout) for await (const line of createInterface(stdout)) return line;
  return expect.fail('it printed nothing');
}

/** All are answered, and counted from 1 on; and once again from 1 on, should a minute have ended meanwhile. */
function expectCounted(visits: readonly string[]): void {
  const numbers = visits.map((visit) => Number(/^200 visit (\d+)$/.exec(visit)?.[1]));
  const often = (n: number): number => numbers.filter((one) => one === n).length;
  for (const n of numbers) expect(often(n), `visit ${n}`).toBeLessThanOrEqual(n > 1 ? often(n - 1) : 2);
}

test('there is one for each framework', () => {
  expect(apps).toEqual(['express.js', 'fastify.js', 'http.js', 'koa.js']);
});

test.each(apps)(
  '%s serves a burst of visitors over few connections, and ends by itself when it is asked to',
  async (name) => {
    await server.observer.flushall();
    const app = start(name);
    const url = await firstLine(app);
    const watch = server.watch('redis-pool');
    const visitors = times(100, () => new Visitor(url));
    const visit = () => Promise.all(visitors.map((visitor) => visitor.ask('/')));
    const visits = [...(await visit()), ...(await visit())];
    // With sessions everybody has visits of their own; by address they are all the same visitor.
    if (name === 'http.js') expectCounted(visits);
    else expect(visits.sort()).toEqual(times(200, (i) => `200 visit ${i < 100 ? 1 : 2}`).sort());
    const most = await watch.stop();
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(name === 'http.js' ? 5 : 10);
    app.kill('SIGTERM');
    expect(await once(app, 'exit')).toEqual([0, null]);
    expect(await server.clients('redis-pool')).toEqual([]);
  },
);

test.each(['http.js', 'express.js', 'koa.js'])(
  '%s loses no request when it is stopped under the load of connections that are kept alive, and ends',
  async (name) => {
    const app = start(name);
    const url = await firstLine(app);
    let answers = 0;
    const callers = times(20, () => {
      return askOn(url, () => {
        answers++;
        if (answers === 300) app.kill('SIGTERM');
      });
    });
    const ended = once(app, 'exit');
    expect(await Promise.all(callers)).toEqual(times(20, () => 'nothing lost'));
    expect(answers).toBeGreaterThanOrEqual(300);
    expect(await ended).toEqual([0, null]);
  },
);

/** Asks over one kept connection, twice; what comes of a connection that is cut is an error. */
async function askTwice(url: string, method: string): Promise<unknown[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const answers: unknown[] = [];
  const sockets = new Set<unknown>();
  while (answers.length < 2) {
    const asked = request(url, { agent, method }).end();
    asked.once('socket', (socket) => sockets.add(socket));
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    answers.push(await text(response));
  }
  expect(sockets.size).toBe(1);
  return answers;
}

test.each([
  ['express.js', 'GET', '/', 'visit 1'],
  ['service/server.js', 'POST', '/apples', 'sold, you have 1'],
])(
  '%s answers whole, and keeps the connection, when a session cannot be saved after the answer',
  async (name, method, path, answer) => {
    await server.observer.flushall();
    const app = start(name);
    const url = await firstLine(app);
    // Whoever has no session yet reads none, so that only saving one fails.
    await server.observer.call('ACL', 'SETUSER', 'default', 'resetkeys', '~rate:*', '~stock:*', '~lock:*');
    onTestFinished(() => void server.observer.call('ACL', 'SETUSER', 'default', 'allkeys'));
    expect(await askTwice(url + path, method)).toEqual([answer, answer]);
  },
);

test.each([...apps, 'service/server.js'])(
  '%s is ready, and ends by itself on SIGINT, as a worker of a cluster, which is how PM2 runs it',
  async (name) => {
    // The channel to the primary keeps a worker alive.
    const primary = `import cluster from 'node:cluster';
      cluster.setupPrimary({ exec: ${JSON.stringify(placeOf(name))}, execArgv: [], silent: true });
      const worker = cluster.fork();
      worker.process.stderr.pipe(process.stderr);
      worker.once('message', (text) => {
        console.log(text);
        worker.process.kill('SIGINT');
      });
      worker.once('exit', (...how) => console.log(...how));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', primary], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    expect(await text(child.stdout)).toBe('ready\n0 null\n');
  },
);

test('a graceful stop has an end: a connection that nobody uses is closed, and so is one that never gets its answer', async () => {
  const asked = new Set<string | undefined>();
  const hanging = createServer((request, response) => {
    asked.add(request.url);
    if (request.url === '/idle') response.end();
  });
  await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(hanging.address() as AddressInfo).port}`;
  const stop = gracefulStop(hanging, { idleMs: 10, mostMs: 100 });
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const [idle] = (await once(get(`${url}/idle`, { agent }), 'response')) as [IncomingMessage];
  await text(idle);
  const never = once(get(`${url}/never`, { agent: false }), 'response').catch((error) => error.code);
  await until('both have asked', () => asked.size === 2);
  await stop();
  expect(await never).toBe('ECONNRESET');
});

describe('the service of docs/first-service.md', () => {
  const service = join(folder, 'service');

  test('is shown there unchanged', () => {
    const page = readFileSync(join(folder, '../docs/first-service.md'), 'utf8');
    for (const file of ['shop.js', 'shop.test.js', 'server.js']) {
      const shown = readFileSync(join(service, file), 'utf8').replaceAll('../recipes/', './');
      expect(page).toContain(`\`\`\`js\n${shown}\`\`\``);
    }
  });

  test('passes its own tests', async () => {
    const env = { ...process.env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: undefined };
    const child = spawn(process.execPath, ['--test', '--test-reporter=tap', join(service, 'shop.test.js')], {
      env,
    });
    expect(await text(child.stdout)).toMatch(/^# pass 6\n# fail 0$/m);
  });

  test('sells, counts in the session, is measured and healthy, and ends when it is asked to', async () => {
    await server.observer.flushall();
    const app = start('service/server.js');
    const url = await firstLine(app);
    const buy = async (cookie = ''): Promise<[string, string]> => {
      const response = await fetch(`${url}/apples`, { method: 'POST', headers: { cookie } });
      return [await response.text(), response.headers.get('set-cookie')?.split(';')[0] ?? cookie];
    };
    const [first, cookie] = await buy();
    expect([first, (await buy(cookie))[0]]).toEqual(['sold, you have 1', 'sold, you have 2']);
    const others = (await Promise.all(times(20, () => buy()))).map(([answer]) => answer);
    expect(others.filter((answer) => answer.startsWith('sold,')).length).toBeLessThanOrEqual(8);
    expect(Number(await server.observer.get('stock:apples'))).toBeGreaterThanOrEqual(0);
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ ok: true });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(
      'redis_pool_connections_max{pool="shop"} 10',
    );
    app.kill('SIGTERM');
    expect(await once(app, 'exit')).toEqual([0, null]);
    expect(await server.clients('shop')).toEqual([]);
  });
});
