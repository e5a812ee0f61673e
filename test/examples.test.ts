import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { times } from './helpers/outcomes.ts';
import { useServer } from './helpers/redis.ts';
import { Visitor } from './helpers/web.ts';

const server = useServer();
const folder = join(import.meta.dirname, '../examples');
const apps = readdirSync(folder).filter((name) => name.endsWith('.js'));

/** Where it finds what it imports: fastify is among what is installed for the tests alone. */
function placeOf(name: string): string {
  if (name !== 'fastify.js') return join(folder, name);
  const copy = join(import.meta.dirname, 'others', `.example-${process.pid}.mjs`);
  copyFileSync(join(folder, name), copy);
  onTestFinished(() => rmSync(copy));
  return copy;
}

function start(name: string): ChildProcess {
  const env = { ...process.env, REDIS_URL: server.url, PORT: '0', SESSION_SECRET: 'x'.repeat(32) };
  const app = spawn(process.execPath, [placeOf(name)], { env, stdio: ['ignore', 'pipe', 'inherit'] });
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
