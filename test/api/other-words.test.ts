import { expect, test } from 'vitest';
import { isPoolError, Pool } from '../../src/index.ts';
import { PoolSessionStore } from '../../src/integrations/session/index.ts';

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
  for (const name of ['url', 'uri', 'redisUrl']) {
    expect(refusal({ [name]: 'redis://:hunter2@h' })).toBe(
      `unknown option \`${name}\`: that goes into \`redis\`, or new Pool(url, options)`,
    );
  }
});

test('testOnBorrow is a function here, and a pool that has a switch of that name is told so', () => {
  expect(refusal({ testOnBorrow: true })).toBe(
    'option testOnBorrow must be a function, got a boolean that is not',
  );
});

test('within redis, words that ioredis would not look at are refused, for it would go to localhost', () => {
  expect(refusal({ redis: { url: 'redis://:hunter2@h' } })).toMatch(/no `url`: that is the URL itself/);
  expect(refusal({ redis: { socket: { host: 'h' } } })).toMatch(
    /no `socket`: that is `host`, `port` and `tls`/,
  );
  expect(refusal({ redis: { hostname: 'h' } })).toMatch(/no `hostname`: that is `host`/);
});

test('a session store that is given a client, or where Redis is, says that it takes a pool', () => {
  for (const name of ['client', 'redisClient', 'url', 'host']) {
    expect(refusal({ [name]: 'x' }, PoolSessionStore)).toBe(
      `unknown option \`${name}\`: a store takes \`pool\`, which is a pool, or what to make one of: a URL, or its options`,
    );
  }
});
