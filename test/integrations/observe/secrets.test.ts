import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { EVENT_NAMES } from '../../../src/api/events.ts';
import type { Pool, PoolOptions } from '../../../src/index.ts';
import { instrumentPool } from '../../../src/integrations/observe/opentelemetry.ts';
import { collectPool } from '../../../src/integrations/observe/prometheus.ts';
import { withoutSecrets } from '../../../src/ioredis/redact.ts';
import { temporaryFiles } from '../../helpers/certificate.ts';
import { errorOf, take } from '../../helpers/outcomes.ts';
import { newClient, testPool, until, useServer } from '../../helpers/redis.ts';

const server = useServer();
const files = temporaryFiles({ 'client.key': 'no key at all' });
afterAll(() => files.remove());

/** What nobody may ever read in what the pool tells of itself. */
const PLANTED = {
  password: 'pa55-Planted',
  user: 'acl-user-planted',
  key: 'key:planted',
  value: 'value-planted',
  folder: files.path(''),
};

/** All that is told while a test runs. */
let told: unknown[] = [];
const note = (what: unknown): void => void told.push(what);

beforeEach(async () => {
  told = [];
  process.on('warning', note);
  for (const event of EVENT_NAMES) subscribe(`bounded-redis-pool:${event}`, note);
  const { user, password } = PLANTED;
  await server.observer.call('ACL', 'SETUSER', user, 'on', `>${password}`, '~*', '&*', '+@all');
});

afterEach(() => {
  process.off('warning', note);
  for (const event of EVENT_NAMES) unsubscribe(`bounded-redis-pool:${event}`, note);
});

/** A pool with everything that observes; `read` gets what has come together by then. */
function observed(options: PoolOptions): { pool: Pool; read(): Promise<void> } {
  const pool = testPool({ maxActive: 2, name: 'p', ...options });
  for (const event of EVENT_NAMES) pool.on(event, note);
  const register = new Registry();
  collectPool(pool, { register });
  const [metrics, spans] = [
    new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
    new InMemorySpanExporter(),
  ];
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 2 ** 30 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  instrumentPool(pool, { meterProvider, tracerProvider, spanThresholdMs: 0 });
  return {
    pool,
    async read() {
      note(await register.metrics());
      await meterProvider.forceFlush();
      note(metrics.getMetrics());
      note(
        spans
          .getFinishedSpans()
          .map(({ name, attributes, status, events }) => ({ name, attributes, status, events })),
      );
      note([await pool.health(), pool.stats(), inspect(pool, { showHidden: true, depth: 10 })]);
      expect(spans.getFinishedSpans().length, 'spans').toBeGreaterThan(0);
      await meterProvider.shutdown();
    },
  };
}

/** As text, in every way in which logs have it. */
function texts(thing: unknown): string[] {
  const nested = thing instanceof Error ? [thing.message, thing.stack ?? '', ...texts(thing.cause)] : [];
  const error = typeof thing === 'object' && thing !== null && 'error' in thing ? texts(thing.error) : [];
  return [
    inspect(thing, { depth: 20, maxStringLength: Infinity, maxArrayLength: Infinity }),
    JSON.stringify(thing) ?? '',
    String(thing),
    ...nested,
    ...error,
  ];
}

function expectNothingPlanted(): void {
  const all = told.flatMap(texts).join('\n');
  expect(all.length).toBeGreaterThan(1000);
  for (const [what, secret] of Object.entries(PLANTED)) {
    expect(all.includes(secret), `${what} in ${around(all, secret)}`).toBe(false);
    expect(all.includes(encodeURIComponent(secret)), what).toBe(false);
  }
}

const around = (text: string, secret: string): string => {
  const at = text.indexOf(secret);
  return at < 0 ? 'nothing' : text.slice(Math.max(0, at - 200), at + 100);
};

test('a working pool, whose callers wait, fail and leak, reveals no secret anywhere', async () => {
  const { user, password, key, value } = PLANTED;
  const { pool, read } = observed({
    redis: `redis://${user}:${password}@127.0.0.1:${server.port}/1`,
    leakThresholdMs: 5,
  });
  const leases = await take(pool, 2);
  await Promise.all(leases.map((lease) => lease.set(key, value)));
  note(await errorOf(pool.acquire({ timeoutMs: 10 })));
  await until('both are told to leak', () => pool.stats().leaked === 2);
  const inFlight = leases.map((lease) => errorOf(lease.blpop(`list of ${key}`, 0)));
  await server.observer.call('CLIENT', 'KILL', 'USER', user);
  for (const error of await Promise.all(inFlight)) note(error);
  for (const lease of leases) lease.release();
  note(await errorOf(leases[0]?.get(key) ?? Promise.resolve()));
  note(await errorOf(pool.redis.watch(key)));
  await pool.redis.set(key, value);
  await read();
  await pool.close();
  note(await errorOf(pool.acquire()));
  expectNothingPlanted();
});

const { user: username, password } = PLANTED;
const here = () => ({ host: '127.0.0.1', port: server.port });

test.each<[string, () => PoolOptions]>([
  ['a wrong password', () => ({ redis: { ...here(), username, password: `${password}!` } })],
  [
    'a wrong password in a URL',
    () => ({ redis: `redis://${username}:${password}!@127.0.0.1:${server.port}` }),
  ],
  [
    'a db that the ACL user may not select',
    () => ({ redis: { ...here(), username: `${username}-2`, password, db: 2 } }),
  ],
  [
    'a key file that is not there',
    () => ({
      redis: here(),
      createClient: (options) =>
        newClient({ ...options, tls: { key: readFileSync(join(PLANTED.folder, 'other.key')) } }),
    }),
  ],
  [
    'a key file that is none',
    () => ({
      redis: here(),
      createClient: (options) =>
        newClient({ ...options, tls: { key: readFileSync(files.path('client.key')), cert: 'none' } }),
    }),
  ],
  [
    'an onConnect that names no secret and fails with one at hand',
    () => ({ redis: here(), onConnect: (redis) => redis.call('LPUSH', PLANTED.key) }),
  ],
])('a dial that fails for %s tells no secret anywhere', async (_, options) => {
  await server.observer.call(
    'ACL',
    'SETUSER',
    `${username}-2`,
    'on',
    `>${password}`,
    '~*',
    '+@all',
    '-select',
  );
  const { pool, read } = observed(options());
  for (const work of [pool.acquire(), pool.ready(), pool.redis.get(PLANTED.key)]) note(await errorOf(work));
  expect(pool.stats().connectFailed).toBeGreaterThan(0);
  note(await pool.health());
  await read().catch((error: unknown) => {
    if (!String(error).includes('spans')) throw error; // nobody was served
  });
  expectNothingPlanted();
});

test('the reason is still reported, without the secret in it', async () => {
  const createClient = () => readFileSync(join(PLANTED.folder, 'other.key')) as never;
  const { pool } = observed({ redis: here(), createClient });
  expect(await errorOf(pool.acquire())).toMatchObject({
    message: expect.stringContaining("ENOENT: no such file or directory, open 'other.key'"),
    cause: { code: 'ENOENT', path: 'other.key' },
  });
});

test('Redis from 7.2 on names the user who may not: that is left out', () => {
  const text = (user: string) => `NOPERM User ${user} has no permissions to run the 'select' command`;
  const error = new Error('cannot prepare', { cause: new Error(text('a')) });
  const { cause } = withoutSecrets(error) as { cause: Error };
  expect(cause.message).toBe(text('***'));
  expect(cause.stack).toContain(`Error: ${text('***')}`);
});

test('the path of a socket is reported, since it is an address', async () => {
  const path = join(PLANTED.folder, 'no.sock');
  const pool = testPool({ redis: { path } });
  expect(await errorOf(pool.acquire())).toMatchObject({
    message: expect.stringContaining(`connect ENOENT ${path}`),
  });
});
