import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { resolveOptions } from '../../src/api/resolve-options.ts';
import { isPoolError, Pool } from '../../src/index.ts';
import { clientOptions } from '../../src/ioredis/client-options.ts';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { refusal } from '../helpers/refusal.ts';

const PASSWORD = 'hunter2';

async function rejection(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (isPoolError(error, 'POOL_INVALID_OPTION')) return error.message;
  throw new Error(`was not refused with POOL_INVALID_OPTION, but: ${String(error)}`);
}

/** The constructor, for what TypeScript would not let through. No pool connects before it is used. */
const make = (...args: unknown[]): Pool => new (Pool as new (...args: unknown[]) => Pool)(...args);

const pools: Pool[] = [];
const made = (...args: unknown[]): Pool => {
  const pool = make(...args);
  pools.push(pool);
  return pool;
};
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

describe('new Pool', () => {
  test('takes nothing, a URL, a URL and options, undefined and options, or options alone', () => {
    expect(made().stats().maxActive).toBe(10);
    expect(made(undefined).stats().maxActive).toBe(10);
    expect(made('redis://h').stats().maxActive).toBe(10);
    expect(made('redis://h', undefined).stats().maxActive).toBe(10);
    expect(made('redis://h', { maxActive: 3 }).stats().maxActive).toBe(3);
    expect(made(undefined, { maxActive: 4 }).stats().maxActive).toBe(4);
    expect(made({ maxActive: 5 }).stats().maxActive).toBe(5);
    expect(made({ maxActive: 6 }, undefined).stats().maxActive).toBe(6);
  });

  test('checks the options in whatever form they come', () => {
    for (const args of [[{ maxActive: 0 }], [undefined, { maxActive: 0 }], ['redis://h', { maxActive: 0 }]]) {
      expect(refusal(() => make(...args))).toContain('in other pools 0 means unlimited');
    }
  });

  test('refuses Redis given twice, and quotes neither', () => {
    const message = refusal(() => make(`redis://:${PASSWORD}@a`, { redis: `redis://:${PASSWORD}@b` }));
    expect(message).toContain('given twice');
    expect(message).not.toContain(PASSWORD);
    expect(made('redis://a', { redis: undefined }).stats().maxActive).toBe(10);
    expect(made(undefined, { redis: 'redis://a' }).stats().maxActive).toBe(10);
  });

  test('refuses what is neither a URL nor options', () => {
    for (const [given, got] of [
      [null, 'null'],
      [5, 'number'],
      [true, 'boolean'],
      [() => {}, 'function'],
      [['redis://h'], 'object'],
    ]) {
      expect(refusal(() => make(given))).toContain(`a URL, or an object of options; got ${got}`);
    }
  });

  test('refuses options that are no object beside a URL, without printing them', () => {
    for (const given of [`redis://:${PASSWORD}@b`, 5, true, [{ maxActive: 3 }], () => {}]) {
      const message = refusal(() => make('redis://a', given));
      expect(message).toContain('an object of options');
      expect(message).not.toContain(PASSWORD);
    }
  });

  test('refuses something besides options that are complete by themselves', () => {
    for (const besides of [{ maxActive: 3 }, 'redis://h', null, 5, [1]]) {
      expect(refusal(() => make({ maxActive: 3 }, besides))).toContain('options and something besides');
    }
  });
});

describe('redis', () => {
  const target = (redis: unknown) => clientOptions(resolveOptions({ redis } as never));

  test('is a redis:// or rediss:// URL, host:port, a port, or the path of a unix socket', () => {
    expect(target('redis://h:7000/2')).toMatchObject({ host: 'h', port: 7000, db: 2 });
    expect(target('REDIS://h')).toMatchObject({ host: 'h' });
    expect(target('rediss://user:pw@h')).toMatchObject({ host: 'h', username: 'user', password: 'pw' });
    expect(target('rediss://h').tls).toBeTruthy();
    expect(target('redis://h').tls).toBeFalsy();
    expect(target('h:7000')).toMatchObject({ host: 'h', port: 7000 });
    expect(target('7000')).toMatchObject({ port: 7000 });
    expect(target('/tmp/redis.sock')).toMatchObject({ path: '/tmp/redis.sock' });
  });

  test("is ioredis' options, unchanged where the pool has no say", () => {
    const given = {
      host: 'h',
      port: 7001,
      db: 3,
      username: 'u',
      password: PASSWORD,
      keyPrefix: 'p:',
      tls: {},
    };
    expect(target(given)).toMatchObject(given);
    expect(given).not.toHaveProperty('lazyConnect');
  });

  test('is no URL of something else, not empty, and no other kind of thing', () => {
    const allowed = 'a redis://, rediss:// or unix socket URL, or ioredis options';
    for (const redis of [
      ...['http://h', 'https://h:6379', 'tcp://h', 'unix:///tmp/redis.sock', 'redis+sentinel://h', '', ' '],
      ...[5, true, [], ['redis://h'], () => {}, Symbol('x')],
    ]) {
      expect(refusal(() => make({ redis }))).toContain(`option redis must be ${allowed}`);
    }
    expect(refusal(() => make('http://h'))).toContain(allowed);
    expect(refusal(() => make(''))).toContain(allowed);
  });

  test('says what kind of thing was given instead', () => {
    expect(refusal(() => make({ redis: 5 }))).toMatch(/got a number/);
    expect(refusal(() => make({ redis: 'http://h' }))).toMatch(/got a string/);
    expect(refusal(() => make({ redis: null }))).toMatch(/got null/);
  });

  test('is no client: that belongs into createClient', async () => {
    const client = new Redis({ lazyConnect: true, password: PASSWORD });
    const message = refusal(() => make({ redis: client }));
    expect(message).toContain('a client goes into createClient');
    expect(message).not.toContain(PASSWORD);
    client.disconnect();
  });

  test('is never printed, for it may hold a password', () => {
    const secrets: unknown[] = [
      `http://user:${PASSWORD}@h`,
      [`redis://:${PASSWORD}@h`],
      Object.assign(() => {}, { password: PASSWORD }),
    ];
    for (const redis of secrets) {
      const message = refusal(() => make({ redis }));
      expect(message).not.toContain(PASSWORD);
      expect(message).not.toContain('user');
    }
    expect(refusal(() => make(`ftp://:${PASSWORD}@h`))).not.toContain(PASSWORD);
    expect(refusal(() => make({ redis: { password: PASSWORD }, maxactive: 3 }))).not.toContain(PASSWORD);
    expect(refusal(() => make({ redis: { password: PASSWORD }, maxActive: 0 }))).not.toContain(PASSWORD);
  });
});

describe('acquire and use', () => {
  test('take a signal and timeoutMs, and nothing else', async () => {
    const pool = new FakeRedis().pool();
    const refused = (options: unknown) => rejection(pool.acquire(options as never));
    expect(await refused({ timeoutms: 5 })).toBe('unknown option `timeoutms`, did you mean `timeoutMs`?');
    expect(await refused({ priority: 5 })).toContain(
      'unknown option `priority`; known are signal, timeoutMs',
    );
    expect(await rejection(pool.use(() => {}, { timeout: 5 } as never))).toContain('`timeoutMs`');
  });

  test('refuse a timeoutMs that is no time', async () => {
    const pool = new FakeRedis().pool();
    for (const timeoutMs of [-1, Number.NaN, 2 ** 31, '5', null, {}]) {
      expect(await rejection(pool.acquire({ timeoutMs } as never))).toMatch(
        /^option timeoutMs must be milliseconds from 0 to 2147483647, or Infinity, got /,
      );
    }
    for (const timeoutMs of [0, 0.5, 2 ** 31 - 1, Number.POSITIVE_INFINITY, undefined]) {
      const lease = pool.acquire({ timeoutMs });
      (await lease).release();
    }
  });

  test('refuse a signal that is none', async () => {
    const pool = new FakeRedis().pool();
    for (const [signal, got] of [
      [null, 'null'],
      ['abort', "'abort'"],
      [
        new AbortController(),
        'an object without `aborted` and `addEventListener()` and `removeEventListener()` (pass its `signal`)',
      ],
    ]) {
      expect(await rejection(pool.acquire({ signal } as never))).toBe(
        `option signal must be an AbortSignal, got ${got}`,
      );
    }
    (await pool.acquire({ signal: undefined })).release();
  });

  test('refuse options that are no object', async () => {
    const pool = new FakeRedis().pool();
    for (const options of [null, 5, 'fast', true]) {
      expect(await rejection(pool.acquire(options as never))).toMatch(/options?/);
    }
  });

  test('do not throw what they refuse, but reject with it', () => {
    const pool = new FakeRedis().pool();
    const rejected = pool.acquire({ timeoutMs: -1 });
    rejected.catch(() => {});
    expect(rejected).toBeInstanceOf(Promise);
  });

  test('use takes a function, and acquires nothing without one', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    for (const [work, got] of [
      [undefined, 'undefined'],
      ['PING', 'string'],
      [{}, 'object'],
    ]) {
      expect(await rejection(pool.use(work as never))).toBe(`use() takes a function, got ${got}`);
    }
    await settled();
    expect(redis.dials.length).toBe(0);
  });

  test('leave nothing behind when refused', async () => {
    const redis = new FakeRedis();
    const pool = redis.pool();
    await rejection(pool.acquire({ timeoutMs: -1 }));
    expect([redis.dials.length, redis.clock.timers(), pool.stats().waiting]).toEqual([0, 0, 0]);
  });
});

describe('close', () => {
  test('takes graceMs, and nothing else', async () => {
    const pool = new FakeRedis().pool();
    expect(await rejection(pool.close({ grace: 5 } as never))).toBe(
      'unknown option `grace`, did you mean `graceMs`?',
    );
    for (const graceMs of [-1, Number.NaN, 2 ** 31, '5', null]) {
      expect(await rejection(pool.close({ graceMs } as never))).toMatch(
        /^option graceMs must be milliseconds/,
      );
    }
    for (const options of [null, 5, 'now', true]) {
      expect(await rejection(pool.close(options as never))).toMatch(/options?/);
    }
  });

  test('that is refused closes nothing', async () => {
    const pool = new FakeRedis().pool();
    await rejection(pool.close({ graceMs: -1 }));
    (await pool.acquire()).release();
    await pool.close({ graceMs: Number.POSITIVE_INFINITY });
  });
});
