/** CPU time of a request that reads its session: the store over the pool, beside connect-redis 8 on one ioredis. */
import { fork } from 'node:child_process';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { interleave, row } from '../lib/measure.js';
import { numbersOf, startBenchServer } from '../lib/server.js';
import { spread } from '../lib/statistics.js';

const ROUNDS = Number(process.env.ROUNDS ?? 15);
const VISITORS = 50;
const REQUESTS = 3000;

const redis = await startBenchServer();
const admin = new Redis(redis.url);
const apps = await Promise.all(['connect-redis 8, one ioredis', 'PoolSessionStore'].map(start));
const rounds = await interleave(Object.fromEntries(apps.map((app) => [app.kind, () => serve(app)])), ROUNDS);
const columns = { perSecond: 'requests a second', app: 'CPU of the app, µs', server: 'CPU of Redis, µs' };
console.log(row('', ...Object.values(columns)));
console.log(row('---', ...Object.values(columns).map(() => '---')));
for (const [kind, measured] of Object.entries(rounds)) {
  const cells = Object.keys(columns).map((key) => spread(measured.map((one) => one[key])));
  console.log(row(kind, ...cells));
}
for (const { child } of apps) child.disconnect();
admin.disconnect();
await redis.stop();

async function start(kind) {
  const child = fork(join(import.meta.dirname, 'sessions-app.js'), [kind, redis.url]);
  const { port } = await new Promise((resolve) => child.once('message', resolve));
  const agent = new Agent({ keepAlive: true, maxSockets: VISITORS });
  const ask = (path, cookie) =>
    new Promise((resolve, reject) => {
      const headers = cookie ? { cookie } : {};
      get({ port, path, agent, headers, host: '127.0.0.1' }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text) => (body += text));
        response.on('end', () =>
          resolve({ body, cookie: response.headers['set-cookie']?.[0].split(';')[0] }),
        );
      }).on('error', reject);
    });
  const cookies = await Promise.all(
    Array.from({ length: VISITORS }, async () => (await ask('/login')).cookie),
  );
  return { kind, child, ask, cookies };
}

async function serve({ child, ask, cookies }) {
  const before = await spent(child);
  const began = performance.now();
  let left = REQUESTS;
  const visitor = async (cookie) => {
    while (left-- > 0) {
      const { body } = await ask('/', cookie);
      if (body !== '200') throw new Error(`a wrong session: ${body}`);
    }
  };
  await Promise.all(cookies.map(visitor));
  const seconds = (performance.now() - began) / 1000;
  const after = await spent(child);
  return {
    perSecond: REQUESTS / seconds,
    app: (after.app - before.app) / REQUESTS,
    server: (after.server - before.server) / REQUESTS,
  };
}

/** Microseconds that the app and Redis have used so far. */
async function spent(child) {
  child.send('cpu');
  const { cpu } = await new Promise((resolve) => child.once('message', resolve));
  const number = numbersOf(await admin.info('cpu'));
  return { app: cpu.user + cpu.system, server: (number('used_cpu_user') + number('used_cpu_sys')) * 1e6 };
}
