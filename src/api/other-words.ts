/** Words of ioredis, and of other clients, for what goes into option `redis`. */
const OF_REDIS = [
  ...[
    'host',
    'port',
    'path',
    'db',
    'username',
    'password',
    'tls',
    'keyPrefix',
    'sentinels',
    'family',
    'keepAlive',
  ],
  ...[
    'connectionName',
    'sentinelPassword',
    'sentinelUsername',
    'natMap',
    'Connector',
    'commandTimeout',
    'protocol',
  ],
  ...['socketTimeout', 'noDelay', 'stringNumbers', 'enableReadyCheck', 'showFriendlyErrorStack', 'scripts'],
  ...[
    'maxRetriesPerRequest',
    'enableOfflineQueue',
    'lazyConnect',
    'retryStrategy',
    'reconnectOnError',
    'readOnly',
  ],
];

/** Other clients' words for these. */
const LIKE_REDIS: Readonly<Record<string, string>> = {
  ...{
    hostname: 'host',
    server: 'host',
    user: 'username',
    pass: 'password',
    auth: 'password',
    database: 'db',
  },
  ...{ ssl: 'tls', prefix: 'keyPrefix', socket: 'host, port', commandOptions: 'commandTimeout' },
};

/**
 * Other pools' words: redigo, go-redis and database/sql, generic-pool, tarn, node-redis, pg, mysql2, MongoDB, HikariCP,
 * commons-pool and Jedis.
 */
const BY_OPTION: Readonly<Record<string, string>> = {
  maxActive:
    'max size poolSize maxPoolSize poolMax maxSize maxTotal maxOpen maxOpenConns maxOpenConnections maxConnections maxConns maxConn maximumPoolSize connectionLimit maxClients maxActiveConns limit capacity connections concurrency',
  maxIdle: 'maxIdleConns maxIdleConnections maxFree',
  minIdle:
    'min minPoolSize poolMin minSize minIdleConns minIdleConnections minimumIdle minConnections minConns',
  wait: 'waitForConnections block blockWhenExhausted',
  maxWaiting:
    'maxWaitingClients queueLimit maxWaiters maxQueue maxQueueSize maxPending maxPendingAcquires waitQueueSize',
  acquireTimeoutMs:
    'acquireTimeoutMillis acquireTimeout waitQueueTimeoutMs connectionTimeout connectionTimeoutMillis poolTimeout maxWait maxWaitMillis maxWaitTime borrowTimeout borrowTimeoutMillis timeout',
  connectTimeoutMs: 'connectTimeout createTimeoutMillis createTimeout dialTimeout connectTimeoutMillis',
  idleTimeoutMs:
    'idleTimeout idleTimeoutMillis softIdleTimeoutMillis maxIdleTime maxIdleTimeMs connMaxIdleTime minEvictableIdleTime minEvictableIdleTimeMillis softMinEvictableIdleTimeMillis idle',
  maxLifetimeMs:
    'maxLifetime maxConnLifetime connMaxLifetime maxConnAge maxAge maxConnectionAge maxLifetimeSeconds maxLifetimeMillis',
  reapIntervalMs:
    'evictionRunIntervalMillis reapInterval reapIntervalMillis timeBetweenEvictionRuns timeBetweenEvictionRunsMillis idleCheckFrequency evict',
  testOnBorrow: 'validate validator isValid testOnReturn testWhileIdle testOnAcquire testOnCreate validation',
  checkAfterIdleMs: 'pingInterval healthCheckInterval keepAliveTime keepaliveInterval',
  replyTimeoutMs: 'readTimeout writeTimeout requestTimeout queryTimeout replyTimeout',
  maxConnecting: 'maxConcurrentDials maxConcurrentConnects',
  leakThresholdMs: 'leakDetectionThreshold',
  createClient: 'create factory dial dialer clientFactory newClient client Redis',
  onConnect: 'onCreate afterCreate afterConnect configure onConnectionCreated',
};

const plainly = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '');

const OPTION_FOR = new Map(
  Object.entries(BY_OPTION).flatMap(([option, words]) =>
    words.split(' ').map((word): [string, string] => [plainly(word), option]),
  ),
);

const REDIS_FOR = new Map([
  ...OF_REDIS.map((name): [string, string] => [plainly(name), name]),
  ...Object.entries(LIKE_REDIS).map(([word, name]): [string, string] => [plainly(word), name]),
]);

/** What to say of a name that is none of the pool's options, if another pool or client has it. */
export function inOurWords(name: string, all: readonly string[]): string | undefined {
  const word = plainly(name);
  if (['url', 'uri', 'connectionstring', 'redisurl'].includes(word))
    return ': that goes into `redis`, or new Pool(url, options)';
  if (REDIS_FOR.has(word)) {
    const given = all.flatMap((one) => REDIS_FOR.get(plainly(one)) ?? []);
    return `: that goes into \`redis\`, which takes ioredis' options: redis: { ${[...new Set(given)].join(', ')} }`;
  }
  const option = OPTION_FOR.get(word);
  return option && `, did you mean \`${option}\`?`;
}
