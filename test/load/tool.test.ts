import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { collectPool } from '../../src/integrations/observe/prometheus.ts';
import { freePort, startServer } from '../../tools/redis-server.js';
import { testPool, until, useServer } from '../helpers/redis.ts';
import { serve } from '../helpers/web.ts';

const root = join(import.meta.dirname, '../..');
const server = useServer();
const locked = useServer(['--requirepass', 'right']);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'load-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The tool, as a process of its own. */
class Tool {
  readonly #process: ChildProcess;
  readonly #report = join(folder, `${Math.random()}.html`);
  readonly #json = join(folder, `${Math.random()}.json`);
  readonly ended: Promise<number | null>;
  out = '';
  err = '';

  constructor(line: string) {
    const files = line.includes('--report') ? [] : ['--report', this.#report, '--json', this.#json];
    const args = [join(root, 'load/load.js'), ...line.split(' ').filter(Boolean), ...files];
    this.#process = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void this.#process.kill('SIGKILL'));
    this.#process.stdout?.setEncoding('utf8').on('data', (text) => (this.out += text));
    this.#process.stderr?.setEncoding('utf8').on('data', (text) => (this.err += text));
    this.ended = new Promise((resolve) => this.#process.once('close', resolve));
  }

  /** Waits for the first line about a second that has gone by. */
  async running(): Promise<void> {
    await until('it tells how it goes', () => / s: \d+ users?, /.test(this.out));
  }

  /** Ctrl-C. */
  interrupt(signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): Promise<number | null> {
    this.#process.kill(signal);
    return this.ended;
  }

  get html(): string {
    return readFileSync(this.#report, 'utf8');
  }

  get measured() {
    return JSON.parse(readFileSync(this.#json, 'utf8'));
  }
}

/** Writes a scenario, and returns where it is. */
function scenario(tasks: string, start = '() => {}'): string {
  const path = join(folder, `${Math.random()}.mjs`);
  writeFileSync(path, `export default { wait: [0.05, 0.1], start: ${start}, tasks: { ${tasks} } };`);
  return path;
}

const index = (): string => scenario(`index: [1, (user) => user.get('/')]`);

/** Ended by what happens, long before. */
const LONG = '--users 10 --spawn-rate 100 --duration 30 --wave 0.1';

/** Nobody has printed a stack, and there is one sentence. */
function expectOneSentence(text: string, sentence: string): void {
  expect(text).toContain(sentence);
  expect(text.trim().split('\n')).toHaveLength(1);
}

describe('the example', () => {
  test('with the pool keeps its bound, and the report holds all that it needs', async () => {
    const tool = new Tool(
      '--users 50 --spawn-rate 50 --duration 3 --wait-scale 0.05 --wave 0.5 --max-active 3 --max-errors 0',
    );
    expect([await tool.ended, tool.err]).toEqual([0, '']);
    const { facts, series } = tool.measured;
    expect(facts).toMatchObject({ errors: 0, pools: [{ name: 'sessions', maxActive: 3 }] });
    expect(facts.requests).toBeGreaterThan(0);
    expect(facts.redis.commands).toBeGreaterThan(0);
    expect(facts.redis.newConnections).toBeLessThanOrEqual(3);
    expect(facts.redis.peak).toBeLessThanOrEqual(3);
    expect(facts.app.cpuShare).toBeGreaterThan(0);
    expect(series.length).toBeGreaterThan(0);
    expect(tool.out).toMatch(/POST \/login +50 +0 /);
    expect(tool.out).toContain("✓ maxActive 3 of pool 'sessions' was enough");
    // Nothing is fetched: what it draws with is in it, and it is forbidden to ask.
    expect(tool.html).toContain("default-src 'none'");
    expect(tool.html).toContain('uPlot');
    expect(tool.html).not.toMatch(/<(script|link|img|iframe)[^>]+(src|href)=/);
  });

  test('serves all users with each of the other stores, too', async () => {
    const few = '--users 30 --spawn-rate 100 --duration 2 --wait-scale 0.05 --wave 0.5 --max-errors 0';
    const tools = ['connect-redis', 'unbounded', 'generic-pool'].map(
      (store) => new Tool(`--store ${store} ${few}`),
    );
    for (const tool of tools) {
      expect([await tool.ended, tool.err]).toEqual([0, '']);
      expect(tool.measured.facts.redis.newConnections).toBeGreaterThan(0);
    }
  });

  test('runs without any Redis, too, and leaves no tracked file changed', async () => {
    const changed = () =>
      execFileSync('git', ['status', '--porcelain', '--untracked-files=no'], { cwd: root, encoding: 'utf8' });
    const before = changed();
    const tool = new Tool('--redis memory --users 10 --duration 2 --wait-scale 0.05 --wave 0.2');
    expect([await tool.ended, tool.err]).toEqual([0, '']);
    expect(tool.out).toContain('on the Redis in memory of MockPool');
    expect(tool.measured.facts.redis.newConnections).toBeGreaterThan(0);
    expect(changed()).toBe(before);
  });

  test('ends with 1 when a threshold is broken, and says which by what', async () => {
    const tool = new Tool('--users 5 --duration 1 --wait-scale 0.05 --max-new-connections-per-request 0');
    expect(await tool.ended).toBe(1);
    expectOneSentence(tool.err, '--max-new-connections-per-request allows 0.');
    expect(tool.out).toContain('requests a second');
  });
});

describe('a service', () => {
  test('sees users who log in once, keep their own cookies, and try again when the login fails', async () => {
    const logins = new Map<string, number>();
    const [strangers, served] = [new Set<string>(), new Set<string>()];
    const url = await serve(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { pathname } = new URL(request.url ?? '', 'http://any');
      if (pathname === '/shop/login') {
        const name = new URLSearchParams(body).get('name') ?? '';
        logins.set(name, (logins.get(name) ?? 0) + 1);
        if (name === '3' && logins.get(name) === 1) return void response.writeHead(503).end();
        response.setHeader('set-cookie', [`user=${name}; HttpOnly`, 'seen=1; Path=/']);
        return void response.writeHead(302, { location: '/' }).end();
      }
      const [, user] = /user=(\d+)/.exec(request.headers.cookie ?? '') ?? [];
      const id = new URL(request.url ?? '', 'http://any').searchParams.get('id');
      if (id !== null) (id === user ? served : strangers).add(id); // without, it is the look whether the service is up
      response.end('hello');
    });
    const file = scenario(
      `index: [1, (user) => user.get('/?id=' + user.id, { expect: 200 })]`,
      `(user) => user.post('/login', { form: { name: String(user.id) }, expect: [302, 303] })`,
    );
    const tool = new Tool(`--url ${url}/shop/ --scenario ${file} ${LONG}`);
    await until('all have been in', () => served.size === 10);
    expect(await tool.interrupt()).toBe(130);
    expect(strangers.size).toBe(0);
    expect([...logins].sort()).toEqual(
      Array.from({ length: 10 }, (_, i) => [String(i + 1), i === 2 ? 2 : 1]).sort(),
    );
    expect(tool.measured.summary.faults).toEqual([{ what: 'POST /shop/login: status 503', count: 1 }]);
    expect(tool.out).toContain('? Who is the bottleneck needs --redis and --metrics to say.');
  });

  test('that answers wrongly, and tasks that throw, are counted as errors, and a threshold makes it fail', async () => {
    let asked = 0;
    const url = await serve((_, response) => {
      asked++;
      response.writeHead(500).end();
    });
    const file = scenario(
      `index: [1, (user) => user.get('/')], other: [1, () => { throw new Error('the basket is empty') }]`,
    );
    const tool = new Tool(`--url ${url} --scenario ${file} ${LONG} --max-errors 1%`);
    await until('both tasks were done', () => asked > 100);
    expect(await tool.interrupt()).toBe(1);
    expect(tool.err).toContain('--max-errors allows 1 %.');
    expect(tool.out).toMatch(/\d+ × GET \/: status 500/);
    expect(tool.out).toMatch(/\d+ × task other: the basket is empty/);
  });

  test('with a pool that is too small hears it, with the numbers of Little', async () => {
    const pool = testPool({ redis: server.url, maxActive: 1, name: 'jobs' });
    const register = new Registry();
    collectPool(pool, { register });
    const url = await serve(async ({ url: path }, response) => {
      if (path === '/metrics') return void response.end(await register.metrics());
      await pool.use(async (redis) => {
        await redis.ping();
        await sleep(50);
      });
      response.end();
    });
    const tool = new Tool(
      `--url ${url} --redis ${server.url} --metrics ${url}/metrics --scenario ${index()} ${LONG}`,
    );
    await until('many have waited', () => pool.stats().waits > 100);
    expect(await tool.interrupt()).toBe(130);
    expect(tool.out).toContain("✗ maxActive 1 of pool 'jobs' was too small");
    expect(tool.out).toMatch(/connections in use on average \(Little's law\)/);
    expect(tool.out).toContain('✗ The pool: callers waited for a connection');
  });

  test('may have any text in what it is asked for: the report shows it as text', async () => {
    const evil = '</script><img src=x onerror=alert(1)>';
    const url = await serve((_, response) => response.end());
    const file = scenario(`index: [1, (user) => user.get('/', { name: ${JSON.stringify(evil)} })]`);
    const tool = new Tool(`--url ${url} --scenario ${file} ${LONG}`);
    await tool.running();
    expect(await tool.interrupt()).toBe(130);
    expect(tool.html).not.toContain('<img');
    expect(tool.html).toContain('&#60;/script&#62;&#60;img src=x onerror=alert(1)&#62;');
  });
});

describe('what cannot go on', () => {
  test('Ctrl-C ends it, with the report of what was measured', async () => {
    const url = await serve((_, response) => response.end());
    const tool = new Tool(`--url ${url} --scenario ${index()} ${LONG}`);
    await tool.running();
    void tool.interrupt();
    // As npm passes it on a second time; two of the same kind might arrive as one.
    expect(await tool.interrupt('SIGTERM')).toBe(130);
    expectOneSentence(tool.err, 'Ended by Ctrl-C; what was measured until then is above.');
    expect(tool.out).toMatch(/GET \/ +[\d,]+ /);
    expect(tool.html).toContain('It was ended by Ctrl-C.');
  });

  test('Redis that goes away ends it, with the report of what was measured', async () => {
    const redis = await startServer();
    onTestFinished(() => redis.stop());
    const url = await serve((_, response) => response.end());
    const tool = new Tool(`--url ${url} --redis ${redis.url} --scenario ${index()} ${LONG}`);
    await tool.running();
    await redis.stop();
    expect(await tool.ended).toBe(1);
    expect(tool.err).toContain('Redis is gone: ');
    expect(tool.out).toMatch(/GET \/ +[\d,]+ /);
    expect(tool.html).toContain('Redis is gone: ');
  });

  test('a service that goes away ends it, with the report of what was measured', async () => {
    const service = createServer((_, response) => response.end());
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    const { port } = service.address() as AddressInfo;
    const tool = new Tool(`--url http://127.0.0.1:${port} --scenario ${index()} ${LONG}`);
    await tool.running();
    service.close();
    service.closeAllConnections();
    expect(await tool.ended).toBe(1);
    expectOneSentence(tool.err, `The service is gone: nobody listens at http://127.0.0.1:${port} any more.`);
    expect(tool.out).toMatch(/GET \/ +[\d,]+ /);
  });

  test('a Redis that the service does not use is found out', async () => {
    let asked = 0;
    const url = await serve((_, response) => {
      asked++;
      response.end();
    });
    const tool = new Tool(`--url ${url} --redis ${server.url} --scenario ${index()} ${LONG}`); // nobody else talks to it
    await until('enough was asked for', () => asked > 100);
    expect(await tool.interrupt()).toBe(1);
    expect(tool.err).toContain('is it the one that the service uses?');
  });
});

describe('wrong input is one sentence, at once, and ends with 2:', () => {
  const hello: RequestListener = (_, response) => void response.end('hello');
  const broken = (text: string): string => {
    const path = join(folder, `${Math.random()}.mjs`);
    writeFileSync(path, text);
    return path;
  };

  test.each([
    ['a flag that is none', async () => '--user 3', 'There is no flag --user, did you mean --users?'],
    [
      'a service that is not up',
      async () => `--url http://127.0.0.1:${await freePort()}`,
      'nobody listens there (connection refused).',
    ],
    [
      'a Redis that is not up',
      async () => `--redis redis://127.0.0.1:${await freePort()}`,
      'Cannot watch the Redis of --redis, 127.0.0.1:',
    ],
    [
      'a Redis that is none',
      async () => `--redis ${(await serve(hello)).replace('http', 'redis')}`,
      'Cannot watch the Redis of --redis, ',
    ],
    [
      'a password that is wrong',
      async () => `--redis ${locked.url.replace('//', '//:secret@')}`,
      'Cannot watch the Redis of --redis, ',
    ],
    [
      'metrics that are none',
      async () => `--url ${await serve(hello)} --metrics ${await serve(hello)}`,
      'has neither redis_pool_* nor process_cpu_seconds_total.',
    ],
    [
      'metrics that are not there',
      async () => `--url ${await serve(hello)} --metrics http://127.0.0.1:${await freePort()}`,
      'Cannot read --metrics',
    ],
    [
      'a scenario that is not there',
      async () => '--scenario nowhere.js',
      'The scenario nowhere.js is not there.',
    ],
    [
      'a scenario with a mistake',
      async () => `--scenario ${broken('export default {')}`,
      'cannot be loaded: Unexpected end of input.',
    ],
    [
      'a scenario without tasks',
      async () => `--scenario ${broken('export default { wait: [1, 2] };')}`,
      'needs tasks: { name: [weight, function] }.',
    ],
    [
      'a report that cannot be written',
      async () => '--report nowhere/report.html',
      'is no folder that can be written to.',
    ],
  ])('%s', async (_, line, sentence) => {
    const tool = new Tool(await line());
    expect([await tool.ended, tool.out]).toEqual([2, expect.not.stringContaining(' s: ')]);
    expectOneSentence(tool.err, sentence);
    expect(tool.err).not.toContain('secret');
  });
});
