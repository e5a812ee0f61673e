import type { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import { isPoolError, Pool, type PoolOptions } from '../../src/index.ts';
import { errorOf } from '../helpers/outcomes.ts';
import { newClient, testPool, useServer } from '../helpers/redis.ts';

const server = useServer();
const at = (): { host: string; port: number } => ({ host: '127.0.0.1', port: server.port });

const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).toEqual([]);
});

/** The key that each door writes to, when it is told to write to `k`. */
async function doors(pool: Pool): Promise<string[]> {
  await server.observer.flushall();
  await pool.redis.set('k', 'shared');
  await pool.use((redis) => redis.set('k', 'leased'));
  return server.observer.keys('*');
}

test('what is done to the redis options afterwards changes neither door, nor what createClient is given next', async () => {
  const redis = { ...at(), keyPrefix: 'a:', db: 0, tls: undefined as object | undefined };
  const options: { redis: object; maxActive: number } = { redis, maxActive: 2 };
  const pool = testPool(options);
  Object.assign(redis, { keyPrefix: 'b:', host: 'nowhere.invalid', db: 3, tls: {}, password: 'x' });
  options.redis = {};
  expect(await doors(pool)).toEqual(['a:k']);
  pool.clear();
  expect(await doors(pool)).toEqual(['a:k']);
});

test('nested options are copied, and what has an identity is kept', async () => {
  class Custom extends Object {}
  const [ca, agent, lookup] = [Buffer.from('ca'), new Custom(), () => {}];
  const redis = { ...at(), extra: { list: [{ a: 1 }], ca, agent, lookup } };
  const given: (typeof redis)[] = [];
  const pool = testPool({
    redis,
    createClient: (o) => {
      given.push(o as unknown as typeof redis);
      (o as unknown as typeof redis).extra.list.push({ a: given.length }); // its own, to do with as it likes
      return newClient(o);
    },
  });
  redis.extra.list.length = 0;
  await pool.use((one) => one.ping());
  pool.clear();
  await pool.use((one) => one.ping());
  expect(given.map(({ extra }) => extra.list)).toEqual([
    [{ a: 1 }, { a: 1 }],
    [{ a: 1 }, { a: 2 }],
  ]);
  expect(given[0]?.extra.ca).toBe(ca);
  expect(given[0]?.extra.agent).toBe(agent);
  expect(given[0]?.extra.lookup).toBe(lookup);
});

test('options of a class count, by field, getter and method, and so do those that an object inherits', async () => {
  const heard: string[] = [];
  class Where {
    readonly host = '127.0.0.1';
    readonly #prefix = 'class:';
    get port(): number {
      return server.port;
    }
    get keyPrefix(): string {
      return this.#prefix;
    }
  }
  class Hooks {
    readonly #said = 'hook';
    connect(): void {
      heard.push(this.#said);
    }
  }
  class Settings {
    maxActive = 3;
    redis = new Where();
    hooks = new Hooks();
    get name(): string {
      return 'settings';
    }
    onConnect(): void {
      heard.push(this.name);
    }
  }
  const settings = new Settings();
  const { port, keyPrefix } = settings.redis;
  const inherited = Object.create({
    ...{ maxActive: 3, name: 'settings', hooks: settings.hooks, onConnect: () => heard.push('settings') },
    redis: Object.create({ host: '127.0.0.1', port, keyPrefix }),
  });
  for (const options of [settings, inherited] as PoolOptions[]) {
    heard.length = 0;
    const pool = testPool(options);
    expect([pool.stats().maxActive, pool.name]).toEqual([3, 'settings']);
    expect(await doors(pool)).toEqual(['class:k']);
    expect(heard.slice(0, 2)).toEqual(['settings', 'hook']);
  }
  const beside = new Pool(server.url, Object.create({ maxActive: 4 }) as PoolOptions);
  expect(beside.stats().maxActive).toBe(4);
  await beside.close();
});

test('each option is read once', async () => {
  const reads: Record<string, number> = {};
  const count = <T extends object>(what: string, given: T): T =>
    new Proxy(given, {
      get(target, name, receiver) {
        const key = `${what}.${String(name)}`;
        if (Object.hasOwn(target, name)) reads[key] = (reads[key] ?? 0) + 1;
        return Reflect.get(target, name, receiver);
      },
    });
  const pool = testPool(
    count('pool', { maxActive: 2, redis: count('redis', { ...at(), keyPrefix: 'once:', db: 1 }) }),
  );
  await doors(pool);
  for (const name of ['redis.host', 'redis.port', 'redis.keyPrefix', 'redis.db', 'pool.maxActive']) {
    expect(reads[name], name).toBe(1);
  }
});

/** What `make` is refused with. */
function refusal(make: () => unknown): Error {
  try {
    make();
  } catch (error) {
    if (isPoolError(error, 'POOL_INVALID_OPTION')) return error;
    throw error;
  }
  return expect.fail('it was not refused');
}

const throws = (name: string): object => ({
  get [name]() {
    throw new Error('the vault is sealed');
  },
});

test('for a getter that throws the error names the option, and has the throw as its cause', () => {
  const cases: [string, object][] = [
    ['maxActive', throws('maxActive')],
    ['redis.password', { redis: throws('password') }],
    ['redis.tls.key', { redis: { tls: throws('key') } }],
    ['redis.sentinels[0].host', { redis: { name: 'x', sentinels: [throws('host')] } }],
    ['hooks.connect', { hooks: throws('connect') }],
  ];
  for (const [option, options] of cases) {
    const error = refusal(() => new Pool(options));
    expect(error.message).toBe(`option ${option} cannot be read: its getter threw`);
    expect(error.cause).toMatchObject({ message: 'the vault is sealed' });
  }
  expect(refusal(() => new Pool('redis://h', throws('maxIdle'))).message).toContain(
    'option maxIdle cannot be read',
  );
});

const WRONG: Record<string, unknown[]> = {
  host: [5, {}, true, ['h'], () => 'h'],
  port: [0, -1, 65_536, 1.5, Number.NaN, 'abc', '6379x', '', {}, true, 6379n],
  db: ['abc', -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, {}, true, '1x', ''],
  username: [5, {}, true, () => 'u'],
  password: [5, {}, ['x'], () => 'hunter2', Promise.resolve('hunter2'), Buffer.from('x')],
  sentinelPassword: [5, {}],
  keyPrefix: [5, {}, Buffer.from('x')],
  path: [5, {}],
  connectionName: [5, {}],
  tls: ['hunter2', 'false', 5],
  natMap: ['x', 5],
  commandTimeout: [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 'soon', {}],
  socketTimeout: [-1, 2 ** 31],
  keepAlive: [-1, 'x'],
  scripts: ['x'],
  Connector: [{}, 'x'],
};

test.each(Object.entries(WRONG))(
  'redis.%s that cannot be is refused by the constructor, and not printed',
  (name, values) => {
    for (const value of values) {
      const { message } = refusal(() => new Pool({ redis: { [name]: value } as never }));
      expect(message).toMatch(new RegExp(`^option redis.${name} must be .*, got `));
      expect(message).not.toContain('hunter2');
    }
  },
);

test('sentinels are checked one by one', () => {
  for (const [sentinels, option] of [
    [[{ host: 5 }], 'redis.sentinels[0].host'],
    [[{ host: 'h' }, { port: 'abc' }], 'redis.sentinels[1].port'],
    [['h:26379'], 'redis.sentinels[0]'],
    [[null], 'redis.sentinels[0]'],
  ] as const) {
    expect(refusal(() => new Pool({ redis: { name: 'x', sentinels } as never })).message).toContain(
      `option ${option} must be`,
    );
  }
  for (const sentinels of [{}, 'h', 5, []]) {
    expect(refusal(() => new Pool({ redis: { name: 'x', sentinels } as never })).message).toContain(
      'sentinels is a list',
    );
  }
});

test('so is a URL, whose parts are not printed', () => {
  const odd = ['/abc', '/5x', '?db=abc', '?port=abc', '/1#x', '?keepAlive=x', '?tls=false'].map(
    (end) => `redis://u:hunter2@h${end}`,
  );
  for (const url of [
    ...odd,
    'redis://:hun#ter2@h',
    'redis://:12/hunter2@h',
    'redis://u:12?hunter2@h',
    'redis://h:99999',
    '99999',
  ]) {
    const { message } = refusal(() => new Pool(url));
    expect(message, url).toMatch(/^option redis/);
    expect(message, url).not.toMatch(/hunter2|ter2/);
  }
  expect(refusal(() => new Pool(new URL('redis://:hunter2@h') as never)).message).toMatch(
    /URL object \(give its href\)$/,
  );
  expect(refusal(() => new Pool({ redis: new URL('redis://:hunter2@h') as never })).message).toMatch(
    /its href/,
  );
  for (const thing of [Promise.resolve({}), new Map([['host', 'h']])]) {
    refusal(() => new Pool({ redis: thing as never }));
    refusal(() => new Pool(thing as never));
  }
});

test('what ioredis takes is taken: digits, nulls, a profile of TLS, an unknown name for a client of the user', async () => {
  const taken: object[] = [
    { ...at(), port: String(server.port), db: '2' },
    {
      ...at(),
      username: null,
      password: null,
      path: null,
      sentinels: null,
      tls: null,
      db: null,
      keyPrefix: '',
    },
    { ...at(), family: '4', keepAlive: '1000', commandTimeout: 5000 },
  ];
  for (const redis of taken) {
    const pool = testPool({ redis: redis as never });
    expect(await pool.redis.ping()).toBe('PONG');
    expect(await pool.use((one) => one.ping())).toBe('PONG');
  }
  const createClient = (options: object): Redis => newClient(options);
  for (const redis of [{ tls: true }, { tls: 'RedisCloudFixed' }, { tls: {} }, { natMap: () => null }]) {
    await new Pool({ redis: redis as never }).close();
  }
  await new Pool({ redis: { database: 'x' } as never, createClient }).close();
  for (const end of ['', '/', '/2', '?db=2', '?family=6', '?password=a%40b', '?keyPrefix=a:']) {
    await new Pool(`redis://u:p%23%40@h${end}`).close();
  }
});

test('a duplicate may repeat what it was made of', async () => {
  const redis = { ...at(), natMap: {} };
  const pool = testPool({ redis });
  expect(await pool.redis.duplicate(redis as never).ping()).toBe('PONG');
  const error = await errorOf((async () => pool.redis.duplicate({ db: 5 }))());
  expect(isPoolError(error, 'POOL_INVALID_OPTION')).toBe(true);
});
