import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { inspect } from 'node:util';
import type { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { isPoolError, type Pool, PoolError, type PoolOptions } from '../../src/index.ts';
import { Censor, withoutSecrets } from '../../src/ioredis/redact.ts';
import { errorOf } from '../helpers/outcomes.ts';
import { newClient, testPool, useServer } from '../helpers/redis.ts';
import { mute, tcpServer } from '../helpers/tcp-server.ts';

const SECRET = "s3cr3t p@ss/w'rd";
const renamed = useServer(['--rename-command', 'HELLO', '', '--rename-command', 'AUTH', '']);

/** A server that answers every command with the error that `reply` makes of its arguments. */
async function echoing(reply: (args: string[]) => string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const texts = data.toString().split('\r\n');
      for (let i = 0; i < texts.length; ) {
        const count = Number(/^\*(\d+)$/.exec(texts[i] ?? '')?.[1] ?? 0);
        if (count > 0) {
          const args = Array.from({ length: count }, (_, arg) => texts[i + 2 + 2 * arg] ?? '');
          socket.write(`-${reply(args)}\r\n`);
        }
        i += 1 + 2 * count;
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Everything that leaves a pool that cannot connect, as text. */
async function allOf(options: PoolOptions): Promise<{ text: string; error: Error & { cause: Error } }> {
  const seen: unknown[] = [];
  const note = (what: unknown): void => void seen.push(what);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const pool: Pool = testPool({ connectTimeoutMs: 500, ...options, hooks: { connectError: note } });
  pool.redis.on('error', note);
  const error = (await errorOf(pool.acquire())) as Error & { cause: Error };
  expect(isPoolError(error, 'POOL_CONNECT_FAILED')).toBe(true);
  note(error);
  note(await errorOf(pool.redis.get('k')));
  note(await errorOf(pool.ready()));
  note(await pool.health());
  note([pool, pool.stats(), pool.redis]);
  await new Promise((resolve) => setImmediate(resolve));
  const printed = seen.flatMap((one) => [
    inspect(one, { depth: 12, showHidden: true, maxStringLength: Infinity }),
    JSON.stringify(one),
    ...(one instanceof Error ? [one.stack, JSON.stringify({ ...one })] : []),
  ]);
  return { text: printed.join('\n'), error };
}

function expectHidden(text: string, secret = SECRET): void {
  const json = JSON.stringify(secret).slice(1, -1);
  for (const one of [secret, encodeURIComponent(secret), json, secret.replaceAll("'", "\\'")]) {
    const at = text.indexOf(one);
    expect(at, text.slice(Math.max(0, at - 200), at + 100)).toBe(-1);
  }
}

const local = (port: number): { host: string; port: number } => ({ host: '127.0.0.1', port });

test.each<[string, () => PoolOptions]>([
  ['in options', () => ({ redis: { ...local(renamed.port), password: SECRET } })],
  ['of a user', () => ({ redis: { ...local(renamed.port), username: 'u5er-name', password: SECRET } })],
  [
    'in a URL',
    () => ({ redis: `redis://u5er-name:${encodeURIComponent(SECRET)}@127.0.0.1:${renamed.port}` }),
  ],
  [
    'of createClient',
    () => ({
      redis: local(renamed.port),
      createClient: (options) => newClient({ ...options, username: 'u5er-name', password: SECRET }),
    }),
  ],
  [
    'of onConnect',
    () => ({ redis: local(renamed.port), onConnect: (redis: Redis) => redis.auth('u5er-name', SECRET) }),
  ],
])('a server without AUTH and HELLO repeats the password, and nobody reads it: %s', async (_, options) => {
  const { text, error } = await allOf(options());
  expectHidden(text);
  expect(text).not.toContain('u5er-name');
  expect(error.cause.message).toMatch(/^ERR unknown command '(auth|hello|AUTH|HELLO)'$/);
});

test.each<[string, (args: string[]) => string]>([
  ['as it is', (args) => `ERR no such user or password: ${args.join(' ')}`],
  ['quoted and cut short', (args) => `ERR bad '${args.join("' '").slice(0, 40)}`],
  ['URL-encoded', (args) => `ERR bad ${args.map(encodeURIComponent).join('&')}`],
  ['in JSON', (args) => `ERR bad ${JSON.stringify(args)}`],
  ['within a word', (args) => `ERR bad${args.join('')}ly`],
])('so does a server of another kind: %s', async (_, reply) => {
  const port = await echoing(reply);
  const { text } = await allOf({ redis: { ...local(port), username: 'u5er-name', password: SECRET } });
  expectHidden(text);
  expect(text).not.toContain('u5er-name');
  expect(text).not.toContain(SECRET.slice(0, 8));
  const token = 't0ken-of-query';
  const url = `redis://u5er-name:${encodeURIComponent(SECRET)}@127.0.0.1:${port}?token=${token}&sentinelPassword=x`;
  const again = await allOf({ redis: url, onConnect: () => Promise.reject(new Error(`no ${token}`)) });
  expectHidden(again.text);
  expectHidden(again.text, token);
});

test('a short password that is a word too is hidden where it stands alone, and ruins no other word', async () => {
  const port = await echoing(
    (args) => `ERR cannot let a '${args.at(-1)}' in, and "auth" neither: ${args.join(' ')} after all`,
  );
  const { error } = await allOf({ redis: { ...local(port), password: 'a', enableReadyCheck: false } });
  expect(error.cause.message).toMatch(
    /^ERR cannot let \*\*\* '\*\*\*' in, and "auth" neither: \S+.*\*\*\* after all$/,
  );
});

test('what a server says is one short line, whatever it says', async () => {
  const port = await echoing(() =>
    `ERR \u001b[31mred\u0007 and\u202e \n back${'x'.repeat(100_000)}`.replace('\n', '\t'),
  );
  const { error, text } = await allOf({ redis: local(port) });
  expect(error.cause.message.length).toBeLessThanOrEqual(512);
  expect(error.message.length).toBeLessThan(600);
  expect(error.cause.message).toMatch(/^ERR \\u001b\[31mred\\u0007 and\\u202e \\t backx+…$/);
  expect(text).not.toContain('\u001b');
  expect(text).not.toContain('x'.repeat(600));
});

test('the password of a sentinel, too, is hidden', async () => {
  const port = await echoing((args) => `ERR bad ${args.join(' ')}`);
  const { text } = await allOf({
    redis: {
      sentinels: [local(port)],
      name: 'group',
      sentinelUsername: 'u5er-name',
      sentinelPassword: SECRET,
      sentinelRetryStrategy: () => null,
    } as never,
  });
  expectHidden(text);
  expect(text).not.toContain('u5er-name');
});

test('what user code throws is cleaned of configured secrets, however deep, also where it cannot be changed', async () => {
  const key = `-----BEGIN PRIVATE KEY-----\n${'k3yk3yk3'.repeat(8)}\n-----END PRIVATE KEY-----`;
  const tls = { key: Buffer.from(key), passphrase: 'p4ssphr4se' };
  const inner = Object.assign(new Error(`cannot read ${'k3yk3yk3'.repeat(8)}`), {
    args: [SECRET, { deep: SECRET }],
  });
  const thrown: unknown[] = [
    Object.assign(new Error(`no ${SECRET}`, { cause: inner }), {
      lastNodeError: inner,
      previousErrors: [inner],
      hint: SECRET,
    }),
    new AggregateError([inner, new Error('p4ssphr4se')], 'all of them'),
    Object.freeze(new Error(`frozen ${SECRET}`, { cause: inner })),
    `a text with ${SECRET}`,
    { password: SECRET, args: ['p4ssphr4se'] },
    Object.create(null),
  ];
  for (const one of thrown) {
    const createClient = (): never => {
      throw one;
    };
    const { text, error } = await allOf({ redis: { host: 'h', password: SECRET, tls }, createClient });
    expectHidden(text);
    expectHidden(text, 'p4ssphr4se');
    expectHidden(text, 'k3yk3yk3');
    expect(error.cause).toBeInstanceOf(Error);
  }
});

test('AUTH of a borrower that is refused is repeated to nobody', async () => {
  const pool = testPool({ redis: local(renamed.port) });
  await pool.use(async (lease) => {
    const errors = [
      lease.auth('u5er-name', SECRET),
      lease.call('HELLO', '3', 'AUTH', 'u5er-name', SECRET),
    ].map(errorOf);
    const piped = (await lease.pipeline().auth(SECRET).exec())?.map(([error]) => error);
    for (const error of [...(await Promise.all(errors)), ...(piped ?? [])]) {
      expectHidden(inspect(error, { showHidden: true, depth: 5 }) + JSON.stringify(error));
      expect((error as Error).message).toMatch(/^ERR unknown command/);
    }
  });
});

test("a borrower's AUTH that is lost is reported like any lost command", async () => {
  const pool = testPool({ redis: local(renamed.port) });
  const lease = await pool.acquire();
  const lost = errorOf(lease.auth('u5er-name', SECRET));
  lease.destroy();
  const error = await lost;
  if (!isPoolError(error)) expect((error as Error).message).toMatch(/^ERR unknown command/); // it was answered before
  const released = await errorOf(lease.auth('u5er-name', SECRET));
  expect(isPoolError(released, 'POOL_LEASE_RELEASED')).toBe(true);
  const poolError = new PoolError('POOL_CONNECTION_LOST', 'lost', { pool: 'p' });
  expect(withoutSecrets(poolError, { password: 'lost' })).toBe(poolError);
});

test('neither pool.redis nor a lease shows its options to the console or to JSON', async () => {
  const pool = testPool({ redis: { ...local(renamed.port), connectionName: 'c0nnection' } });
  const lease = await pool.acquire();
  for (const one of [pool.redis, lease]) {
    for (const text of [inspect(one, { showHidden: true, depth: 5 }), JSON.stringify(one)]) {
      expect(text).not.toContain('c0nnection');
      expect(text).toContain('ready');
    }
  }
  lease.release();
  expect(inspect(lease)).toBe('Lease (connection 1, released)');
});

test('what Redis says without repeating anything stays as it is, even if a password is a word of it', () => {
  const said = 'WRONGPASS invalid username-password pair or user is disabled.';
  for (const password of ['pair', 'password', 'user', 'disabled', 'a']) {
    expect(withoutSecrets(new Error(said), { password }).message).toBe(said);
  }
  expect(
    withoutSecrets(new Error('connect ECONNREFUSED 127.0.0.1:6379'), { username: 'default' }).message,
  ).toBe('connect ECONNREFUSED 127.0.0.1:6379');
});

/** Passwords that are words of what the pool says itself, and the beginnings of such. */
const WORDS = [
  'server',
  'the',
  'sentinel',
  'sentinel-secret',
  'answer',
  'redis',
  'connection',
  'createClient',
];

test.each(WORDS)(
  "a password that is a word of the pool's own tears no gap into what it says: %s",
  async (password) => {
    const { port } = await tcpServer(mute);
    const said = async (options: PoolOptions): Promise<string> =>
      (await allOf({ connectTimeoutMs: 100, ...options })).error.cause.message;
    expect(await said({ redis: { ...local(port), password } })).toBe(
      'not ready within 100 ms: the server did not answer',
    );
    expect(
      await said({ redis: { sentinels: [local(port)], name: 'g', password, sentinelPassword: password } }),
    ).toMatch(
      /^no(t ready within 100 ms: no)? sentinel told where the server is: (failed to connect to sentinel 127.0.0.1:\d+ because Command timed out|sentinel 127.0.0.1:\d+ did not answer)$/,
    );
    expect(await said({ redis: { ...local(1), password }, createClient: (() => ({})) as never })).toBe(
      'createClient must return an ioredis Redis that is not connecting yet, got an object',
    );
  },
);

test('what a sentinel repeats is cleaned, and what ioredis says of sentinels stays', async () => {
  const port = await echoing((args) => `ERR a sentinel-secret for the sentinel: ${args.join(' ')}`);
  const { text, error } = await allOf({
    redis: { sentinels: [local(port)], name: 'g', sentinelPassword: 'sentinel-secret' },
  });
  expectHidden(text, 'sentinel-secret');
  expect(error.cause.message).toContain(
    `failed to connect to sentinel 127.0.0.1:${port} because ERR a *** for`,
  );
});

test("Node's messages about sockets are kept, too, but not the host name, which may be the end of a password", () => {
  const said = (text: string, password: string): string =>
    withoutSecrets(new Error(text), { password }).message;
  for (const text of ['connect ECONNREFUSED 127.0.0.1:6379', 'read ECONNRESET', 'write EPIPE']) {
    for (const password of ['connect', 'read', 'write', '6379', 'EPIPE'])
      expect(said(text, password)).toBe(text);
  }
  expect(said('getaddrinfo ENOTFOUND w0rd', 'w0rd')).toBe('getaddrinfo ENOTFOUND ***');
});

test('a secret is found in upper and in lower case, unless it may be an ordinary word', () => {
  const censor = new Censor([{ password: "S3cr3t P@ss/é'", username: 'redis' }]);
  expect(censor.tidy("no S3CR3T P@SS/É' here")).toBe('no *** here');
  expect(censor.tidy("no s3cr3t%20p%40ss%2f%c3%a9' here")).toBe('no *** here');
  expect(censor.tidy('Redis says: no redis')).toBe('Redis says: no ***');
});

test('a censor knows a secret by its first characters, by its escapes, and by the lines of a key', () => {
  const censor = new Censor([
    { password: 'line one\nü%"', tls: { key: `BEGIN\n${'abcdefgh'.repeat(3)}\nEND` } },
  ]);
  expect(censor.tidy('x line one\nü%" y')).toBe('x *** y');
  expect(censor.tidy('x line one ü%" y')).toBe('x *** y');
  expect(censor.tidy('x line%20one%0a%C3%BC%25%22 y')).toBe('x *** y');
  expect(censor.tidy(JSON.stringify('line one\nü%"'))).toBe('"***"');
  expect(censor.tidy('cut: line one')).toBe('cut: ***');
  expect(censor.tidy(`of the key: ${'abcdefgh'.repeat(2)}...`)).toBe('of the key: ***...');
});
