import { expect, test } from 'vitest';
import { isPoolError, Pool } from '../../src/index.ts';
import { MockPool } from '../../src/integrations/mock/index.ts';
import { koaSessionStore, nodeRedisView, PoolSessionStore } from '../../src/integrations/session/index.ts';
import { newClient } from '../helpers/redis.ts';

function refusal(options: object, Made: new (options: object) => object = Pool): string {
  try {
    new Made(options);
  } catch (error) {
    if (isPoolError(error, 'POOL_INVALID_OPTION')) return error.message;
    throw error;
  }
  return expect.fail('it was not refused');
}

test.each<[string, string]>([
  ...(['max', 'size', 'poolSize', 'PoolSize', 'maxTotal', 'MaxOpenConns', 'maxConnections'] as const).map(
    (word): [string, string] => [word, 'maxActive'],
  ),
  ...(['maximumPoolSize', 'maxPoolSize', 'connectionLimit', 'MaxActive', 'max_connections'] as const).map(
    (word): [string, string] => [word, 'maxActive'],
  ),
  ...(['min', 'minPoolSize', 'MinIdleConns', 'minimumIdle'] as const).map((word): [string, string] => [
    word,
    'minIdle',
  ]),
  ...(
    ['idleTimeoutMillis', 'IdleTimeout', 'softIdleTimeoutMillis', 'maxIdleTimeMS', 'ConnMaxIdleTime'] as const
  ).map((word): [string, string] => [word, 'idleTimeoutMs']),
  ...(
    ['acquireTimeoutMillis', 'waitQueueTimeoutMS', 'connectionTimeoutMillis', 'maxWaitMillis'] as const
  ).map((word): [string, string] => [word, 'acquireTimeoutMs']),
  ...(['evictionRunIntervalMillis', 'reapIntervalMillis', 'timeBetweenEvictionRunsMillis'] as const).map(
    (word): [string, string] => [word, 'reapIntervalMs'],
  ),
  ...(['maxWaitingClients', 'queueLimit'] as const).map((word): [string, string] => [word, 'maxWaiting']),
  ...(['MaxConnLifetime', 'ConnMaxLifetime', 'maxLifetime'] as const).map((word): [string, string] => [
    word,
    'maxLifetimeMs',
  ]),
  ...[
    ['Wait', 'wait'] as const,
    ['MaxIdle', 'maxIdle'] as const,
    ['waitForConnections', 'wait'] as const,
  ].map(([word, ours]): [string, string] => [word, ours]),
  ...(['max_open_conns', 'MAX_POOL_SIZE', 'max-total'] as const).map((word): [string, string] => [
    word,
    'maxActive',
  ]),
  ...(['acquire_timeout_ms', 'acquireTimeoutSeconds', 'AcquireTimeoutMilliseconds'] as const).map(
    (word): [string, string] => [word, 'acquireTimeoutMs'],
  ),
  ['queueSize', 'maxWaiting'],
  ['commandsQueueMaxLength', 'maxQueuedCommands'],
  ['serverSelectionTimeoutMS', 'connectTimeoutMs'],
  ['testOnReturn', 'testOnBorrow'],
  ['validate', 'testOnBorrow'],
  ['dialTimeout', 'connectTimeoutMs'],
  ['leakDetectionThreshold', 'leakThresholdMs'],
])("another pool's %s is %s here", (word, ours) => {
  expect(refusal({ [word]: 5 })).toBe(`unknown option \`${word}\`, did you mean \`${ours}\`?`);
});

test('where Redis is goes into redis, whatever the other library calls it', () => {
  const said = (options: object): string => refusal(options).replace(/^.*redis: (\{[^}]*\})$/, '$1');
  expect(said({ host: 'h', port: 1 })).toBe('{ host, port }');
  expect(said({ maxActive: 5, host: 'h', port: 1, password: 'hunter2', tls: {} })).toBe(
    '{ host, port, password, tls }',
  );
  for (const name of [
    'db',
    'username',
    'keyPrefix',
    'sentinels',
    'family',
    'connectionName',
    'commandTimeout',
  ]) {
    expect(said({ [name]: 'x' })).toBe(`{ ${name} }`);
  }
  expect(said({ hostname: 'h', user: 'u', pass: 'hunter2', database: 1, ssl: true })).toBe(
    '{ host, username, password, db, tls }',
  );
  expect(said({ userName: 'u', passwd: 'hunter2', useTLS: true, dbIndex: 1, socketPath: '/s' })).toBe(
    '{ username, password, tls, db, path }',
  );
  for (const name of ['options', 'redisOptions', 'clientOptions', 'connection']) {
    expect(refusal({ [name]: { host: 'h' } })).toBe(
      `unknown option \`${name}\`: ioredis' options go into \`redis\``,
    );
  }
  for (const name of ['url', 'uri', 'redisUrl', 'URL', 'connectionString', 'connection_url']) {
    expect(refusal({ [name]: 'redis://:hunter2@h' })).toBe(
      `unknown option \`${name}\`: that goes into \`redis\`, or new Pool(url, options)`,
    );
  }
});

test('testOnBorrow is a function here, and a boolean, as in other pools, is refused with that message', () => {
  expect(refusal({ testOnBorrow: true })).toBe(
    'option testOnBorrow must be a function, got a boolean that is not',
  );
});

test('within redis, names that ioredis would ignore are refused, since it would connect to localhost', () => {
  expect(refusal({ redis: { url: 'redis://:hunter2@h' } })).toMatch(/no `url`: that is the URL itself/);
  expect(refusal({ redis: { socket: { host: 'h' } } })).toMatch(
    /no `socket`: that is `host`, `port` and `tls`/,
  );
  expect(refusal({ redis: { hostname: 'h' } })).toMatch(/no `hostname`: that is `host`/);
  for (const name of ['Host', 'HOST', 'hostName', 'host_name', 'server']) {
    expect(refusal({ redis: { [name]: 'h' } })).toMatch(`no \`${name}\`: that is \`host\``);
    expect(refusal({ redis: { sentinels: [{ [name]: 'h' }], name: 'g' } })).toMatch(
      `option redis.sentinels[0] takes ioredis' options, which have no \`${name}\`: that is \`host\``,
    );
  }
  expect(refusal({ redis: { Password: 'hunter2' } })).toMatch(/no `Password`: that is `password`$/);
  expect(refusal({ redis: { sentinel_password: 'hunter2' } })).toMatch(/that is `sentinelPassword`$/);
});

test.each([
  ['maxActive', 'maxActive'],
  ['max', 'maxActive'],
  ['poolSize', 'maxActive'],
  ['acquireTimeoutMillis', 'acquireTimeoutMs'],
  ['min_idle', 'minIdle'],
])('a bound that was put into redis would bound nothing, and is refused: %s', (word, ours) => {
  expect(refusal({ redis: { host: 'h', [word]: 5 } })).toBe(
    `option redis takes ioredis' options, which have no \`${word}\`: that is \`${ours}\` of the pool, which stands beside \`redis\``,
  );
});

test('options of ioredis, unknown names, and options that are not given are not refused within redis', async () => {
  const common = await import('ioredis').then(({ Redis }) => new Redis({ lazyConnect: true }).options);
  for (const redis of [common, { mine: 1, ttl: 5 }, { url: undefined, max: null } as object]) {
    await new Pool({ redis }).close();
  }
  const own = new Pool({ redis: { max: 5 } as object, createClient: () => expect.fail('not asked') });
  await own.close();
});

test('a session store that is given a client, or where Redis is, says that it takes a pool', () => {
  for (const name of ['client', 'redisClient', 'url', 'host', 'password', 'tls', 'redisUrl', 'maxActive']) {
    expect(refusal({ [name]: 'x' }, PoolSessionStore)).toBe(
      `unknown option \`${name}\`: a store takes \`pool\`, which is a pool, or what to make one of: a URL, or its options`,
    );
  }
});

test("a session store's options are recognised by other stores' names", () => {
  for (const name of ['maxAge', 'expires', 'TTL']) {
    expect(refusal({ [name]: 5 }, PoolSessionStore)).toBe(
      `unknown option \`${name}\`, did you mean \`ttl\`?`,
    );
  }
  expect(refusal({ keyPrefix: 'x' }, PoolSessionStore)).toMatch(/did you mean `prefix`\?$/);
});

test('a pool that is given a client is refused, since a pool makes its clients itself', () => {
  const withClient = newClient({ lazyConnect: true, password: 'hunter2' });
  expect(refusal(withClient)).toBe(
    'new Pool() takes a URL, or an object of options; got a client (it makes its own: createClient)',
  );
});

test('what takes a pool, and is given something else, says so at once', () => {
  for (const [name, make] of Object.entries({ koaSessionStore, nodeRedisView })) {
    for (const [given, got] of [
      [undefined, 'undefined'],
      ['redis://:hunter2@h', 'a string'],
      [{ pool: new MockPool() }, 'an object'],
      [newClient({ lazyConnect: true }), 'an object'],
    ]) {
      const call = function (this: unknown): void {
        make(given as never);
      };
      expect(refusal({}, call as never)).toBe(
        `${name}() takes a pool, as \`new Pool()\` makes one; got ${got}`,
      );
    }
  }
  expect(refusal({ pool: null }, PoolSessionStore)).toMatch(/got null$/);
  const store = (options: object): object => koaSessionStore(new MockPool(), options);
  expect(() => store({ client: {} })).toThrow('the pool comes first, as in `koaSessionStore(pool, options)`');
});
