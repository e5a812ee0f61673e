/** ioredis' options, without `name` and `connectTimeout`: the pool has options of these or similar names. */
const OF_REDIS = (
  'host port path db username password tls keyPrefix sentinels family keepAlive connectionName sentinelPassword ' +
  'sentinelUsername natMap Connector commandTimeout protocol socketTimeout noDelay stringNumbers enableReadyCheck ' +
  'showFriendlyErrorStack scripts maxRetriesPerRequest enableOfflineQueue lazyConnect retryStrategy reconnectOnError ' +
  'readOnly role blockingTimeout blockingTimeoutGrace clientInfoTag disableClientInfo disconnectTimeout ' +
  'enableAutoPipelining autoPipeliningIgnoredCommands autoResubscribe autoResendUnfulfilledCommands monitor ' +
  'maxLoadingRetryTime replyMapping preferredSlaves sentinelTLS enableTLSForSentinelMode sentinelCommandTimeout ' +
  'sentinelRetryStrategy sentinelReconnectStrategy sentinelMaxConnections updateSentinels failoverDetector'
).split(' ');

const ALL_OF_REDIS: ReadonlySet<string> = new Set([...OF_REDIS, 'name', 'connectTimeout']);

/** Other clients' names for these. */
const LIKE_REDIS: Readonly<Record<string, string>> = {
  ...{ hostname: 'host', server: 'host', serverHost: 'host', redisHost: 'host', redisPort: 'port' },
  ...{ user: 'username', pass: 'password', passwd: 'password', pwd: 'password', auth: 'password' },
  ...{ redisPassword: 'password', database: 'db', dbIndex: 'db', dbNumber: 'db', redisDb: 'db' },
  ...{
    ssl: 'tls',
    useTls: 'tls',
    useSsl: 'tls',
    tlsOptions: 'tls',
    prefix: 'keyPrefix',
    socket: 'host, port',
  },
  ...{ socketPath: 'path', unixSocket: 'path', clientName: 'connectionName', masterName: 'name' },
};

/** Other libraries' names for the URL. */
const URLS = ['url', 'uri', 'redisUrl', 'redisUri', 'connectionString', 'connectionUrl', 'connectionUri'];

/** Other libraries' names for the client's options as a whole. */
const WHOLE = ['options', 'redisOptions', 'clientOptions', 'connection', 'connectionOptions', 'redisConfig'];

/**
 * Other pools' words: redigo, go-redis and database/sql, generic-pool, tarn, node-redis, pg, mysql2, MongoDB, HikariCP,
 * commons-pool and Jedis.
 */
const BY_OPTION: Readonly<Record<string, string>> = {
  maxActive:
    'max size poolSize maxPoolSize poolMax maxSize maxTotal maxOpen maxOpenConns maxOpenConnections maxConnections maxConns maxConn maximumPoolSize connectionLimit maxClients maxActiveConns limit capacity connections concurrency numConnections',
  maxIdle: 'maxIdleConns maxIdleConnections maxFree',
  minIdle:
    'min minPoolSize poolMin minSize minIdleConns minIdleConnections minimumIdle minConnections minConns',
  wait: 'waitForConnections block blockWhenExhausted',
  maxWaiting:
    'maxWaitingClients queueSize queueLimit maxWaiters maxQueue maxQueueSize maxPending maxPendingAcquires waitQueueSize',
  acquireTimeoutMs:
    'acquireTimeoutMillis acquireTimeout waitQueueTimeoutMs connectionTimeout connectionTimeoutMillis poolTimeout maxWait maxWaitMillis maxWaitTime borrowTimeout borrowTimeoutMillis timeout',
  connectTimeoutMs: 'connectTimeout createTimeout dialTimeout serverSelectionTimeout',
  idleTimeoutMs:
    'idleTimeout idleTimeoutMillis softIdleTimeoutMillis maxIdleTime maxIdleTimeMs connMaxIdleTime minEvictableIdleTime minEvictableIdleTimeMillis softMinEvictableIdleTimeMillis idle',
  maxLifetimeMs:
    'maxLifetime maxConnLifetime connMaxLifetime maxConnAge maxAge maxConnectionAge maxLifetimeSeconds maxLifetimeMillis',
  reapIntervalMs:
    'evictionRunIntervalMillis reapInterval reapIntervalMillis timeBetweenEvictionRuns timeBetweenEvictionRunsMillis idleCheckFrequency evict',
  testOnBorrow: 'validate validator isValid testOnReturn testWhileIdle testOnAcquire testOnCreate validation',
  checkAfterIdleMs: 'pingInterval healthCheckInterval keepAliveTime keepaliveInterval',
  maxQueuedCommands: 'commandsQueueMaxLength commandQueueSize',
  replyTimeoutMs: 'readTimeout writeTimeout requestTimeout queryTimeout replyTimeout',
  maxConnecting: 'maxConcurrentDials maxConcurrentConnects',
  leakThresholdMs: 'leakDetectionThreshold',
  createClient: 'create factory dial dialer clientFactory newClient client Redis',
  onConnect: 'onCreate afterCreate afterConnect configure onConnectionCreated',
};

/** What others call the nodes of a cluster. */
const NODES = ['cluster', 'nodes', 'clusterNodes', 'rootNodes', 'startupNodes', 'seedNodes'];

/** What to say of a Redis Cluster, which a `Pool` does not know. */
export const FOR_CLUSTERS = 'for a Redis Cluster there is ClusterPool, of bounded-redis-pool/cluster';

/** A name without regard to its spelling (case, separators) and to the unit of a time. */
const plainly = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[_.-]/g, '')
    .replace(/(ms|millis|milliseconds|secs|seconds)$/, '');

const spellings = (words: readonly string[], meant: string): [string, string][] =>
  words.map((word) => [plainly(word), meant]);

const OPTION_FOR = new Map(
  Object.entries(BY_OPTION).flatMap(([option, words]) => spellings([option, ...words.split(' ')], option)),
);

const REDIS_FOR = new Map([
  ...OF_REDIS.flatMap((name) => spellings([name], name)),
  ...Object.entries(LIKE_REDIS).flatMap(([word, name]) => spellings([word], name)),
]);

const IS_URL = new Set(URLS.map(plainly));
const IS_NODES = new Set(NODES.map(plainly));
const IS_WHOLE = new Set(WHOLE.map(plainly));

/** The hint for a name that is no option of the pool, if another pool or client has it. */
export function inOurWords(name: string, all: readonly string[]): string | undefined {
  const word = plainly(name);
  if (IS_NODES.has(word)) return `: ${FOR_CLUSTERS}`;
  if (IS_URL.has(word)) return ': that goes into `redis`, or new Pool(url, options)';
  if (IS_WHOLE.has(word)) return ": ioredis' options go into `redis`";
  if (REDIS_FOR.has(word)) {
    const given = all.flatMap((one) => REDIS_FOR.get(plainly(one)) ?? []);
    return `: that goes into \`redis\`, which takes ioredis' options: redis: { ${[...new Set(given)].join(', ')} }`;
  }
  const option = OPTION_FOR.get(word);
  return option && `, did you mean \`${option}\`?`;
}

/** The hint for a name within `redis` that ioredis does not have, and would ignore, if another library has it. */
export function inWordsOfRedis(name: string): string | undefined {
  const word = plainly(name);
  if (ALL_OF_REDIS.has(name)) return undefined;
  if (IS_NODES.has(word)) return FOR_CLUSTERS;
  if (IS_URL.has(word)) return 'that is the URL itself, in place of an object';
  if (word === 'socket') return 'that is `host`, `port` and `tls`';
  const option = REDIS_FOR.get(word);
  if (option) return `that is \`${option}\``;
  const ours = OPTION_FOR.get(word);
  return ours && `that is \`${ours}\` of the pool, which stands beside \`redis\``;
}
