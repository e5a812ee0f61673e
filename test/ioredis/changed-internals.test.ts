import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import type { Redis, RedisOptions } from 'ioredis';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Pool, type PoolOptions } from '../../src/index.ts';
import { follow } from '../helpers/outcomes.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();
const require = createRequire(import.meta.url);

/** Changes text in files of ioredis, by name within `built`; a `*` stands for all files. */
type Changes = readonly (readonly [file: string, from: RegExp, to: string])[];

/** A copy of ioredis 6 with its insides changed; it is gone with the test. */
function doctored(changes: Changes): { Redis: new (options: RedisOptions) => Redis } {
  const original = dirname(require.resolve('ioredis/package.json'));
  const { dependencies } = require('ioredis/package.json') as { dependencies: Record<string, string> };
  const modules = join(mkdtempSync(join(tmpdir(), 'ioredis-')), 'node_modules');
  onTestFinished(() => rmSync(dirname(modules), { recursive: true }));
  const copy = join(modules, 'ioredis');
  cpSync(original, copy, { recursive: true });
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(dirname(require.resolve(`${name}/package.json`)), join(modules, name));
  }
  for (const [file, from, to] of changes) {
    const all = readdirSync(join(copy, 'built'), { recursive: true, encoding: 'utf8' });
    const paths = file === '*' ? all.filter((one) => one.endsWith('.js')) : [file];
    let changed = 0;
    for (const path of paths) {
      const full = join(copy, 'built', path);
      const text = readFileSync(full, 'utf8');
      const next = text.replace(from, to);
      if (next !== text) changed++;
      if (next !== text) writeFileSync(full, next);
    }
    expect(changed, `${from} is not in ioredis any more`).toBeGreaterThan(0);
  }
  return require(join(copy, 'built', 'index.js'));
}

const LISTENER = /redis\.stream\.prependListener\("data", \(data\) => \{\s*try \{\s*decoder\.write\(data\);/;

/**
 * What may be different in a later ioredis, and what a pool then says is missing; or nothing, where it can do
 * without. `alone`: the same where only its connections are of such an ioredis.
 */
const FOREIGN: Record<string, { changes: Changes; missing?: string; alone?: string }> = {
  'all is as it was': { changes: [] },
  'the queue has another name': {
    changes: [['*', /\bcommandQueue\b/g, 'unanswered']],
    missing: 'commandQueue',
  },
  "a queue's item calls its command otherwise": {
    changes: [
      ['Redis.js', /command: command,/g, 'cmd: command,'],
      ['*', /item\.command\b/g, 'item.cmd'],
      ['redis/event_handler.js', /peekAt\(i\)\?\.command/g, 'peekAt(i)?.cmd'],
    ],
    missing: 'the command in an item of commandQueue',
  },
  'a command tells otherwise that it has bytes': {
    changes: [['Command.js', /\bbufferMode\b/g, 'hasBytes']],
  },
  'the queue is an array': {
    changes: [['Redis.js', /this\.commandQueue = new Deque\(\);/g, 'this.commandQueue = [];']],
    missing: 'commandQueue.peekFront',
  },
  'the queue cannot show its last': {
    changes: [
      [
        'Redis.js',
        /this\.commandQueue = new Deque\(\);/g,
        'this.commandQueue = new Deque(); this.commandQueue.peekBack = undefined;',
      ],
    ],
    missing: 'commandQueue.peekBack',
  },
  'the queue counts itself by another name': {
    changes: [
      [
        'Redis.js',
        /this\.commandQueue = new Deque\(\);/g,
        "this.commandQueue = new Deque(); Object.defineProperty(this.commandQueue, 'length', { value: undefined });",
      ],
    ],
    missing: 'commandQueue.length',
  },
  'its socket has another name': {
    changes: [['*', /\b(this|_this|self|redis|destination\.redis)\.stream\b/g, '$1.socket']],
    missing: 'stream',
  },
  'what it knows of the connection has another name': {
    changes: [['*', /\bcondition\b/g, 'state']],
    missing: 'condition',
  },
  'its scripts have another name': { changes: [['*', /\bscriptsSet\b/g, 'scripts']], missing: 'scriptsSet' },
  'commands write themselves by another name': {
    changes: [['*', /\btoWritable\b/g, 'toWire']],
    alone: 'Command.toWire, in the ioredis that the pool imports,',
  },
  'commands are told of their reply by another name': {
    changes: [['*', /\bsetReplyContext\b/g, 'expectReply']],
    alone: 'Command.expectReply, in the ioredis that the pool imports,',
  },
  'commands have parts that are not known': {
    changes: [
      ['Command.js', /this\.inTransaction = false;/, 'this.inTransaction = false; this.newPart = true;'],
    ],
  },
  'transformers are kept elsewhere': { changes: [['*', /\b_transformer\b/g, '_transformers']] },
  'pipelines have parts that are not known': {
    changes: [['Pipeline.js', /this\._queue = \[\];/, 'this._queue = []; this._newPart = true;']],
  },
  'pipelines look for something else on their client': {
    changes: [
      [
        'Pipeline.js',
        /Object\.keys\(redis\.scriptsSet\)/,
        '[...redis.scriptsSet.names ?? (redis.status.length, [])]',
      ],
    ],
  },
  'nobody knows its commands': { changes: [['*', /\bgetBuiltinCommands\b/g, 'builtinCommands']] },
  'its decoder reads later': {
    changes: [
      [
        'DataHandler.js',
        LISTENER,
        'redis.stream.prependListener("data", async (data) => { await null; try { decoder.write(data);',
      ],
    ],
  },
  'its decoder reads in the next turn': {
    changes: [
      [
        'DataHandler.js',
        LISTENER,
        'redis.stream.prependListener("data", async (data) => { await new Promise(setImmediate); try { decoder.write(data);',
      ],
    ],
  },
  'its decoder takes bytes when it likes': {
    changes: [
      [
        'DataHandler.js',
        LISTENER,
        'redis.stream.on("readable", () => { const data = redis.stream.read(); if (data === null) return; try { decoder.write(data);',
      ],
      ['DataHandler.js', /redis\.stream\.resume\(\);/, ''],
    ],
  },
  'its decoder sits at the end of a pipe': {
    changes: [
      [
        'DataHandler.js',
        LISTENER,
        'redis.stream.pipe(new (require("stream").Writable)({ write: (data, _, next) => { write(data); next(); } })); const write = ((data) => { try { decoder.write(data);',
      ],
    ],
  },
};

/** What a pool does over its two doors, with whatever is to be had: each is what it should be, or one clear error. */
async function everything(pool: Pool): Promise<unknown[]> {
  const { redis } = pool;
  await redis.set('k', 'v').catch(() => {});
  const bytes = Buffer.from('mine');
  const kept = redis.set('bytes', bytes).then(() => redis.get('bytes'));
  bytes.fill('Z');
  const outcomes = [
    kept,
    redis.set('k', 'v'),
    redis.get('k'),
    redis.getBuffer('k').then(String),
    redis.hset('h', { a: 1, b: 2 }).then(() => 'hset'),
    redis.hgetall('h'),
    redis.call('STRLEN', 'k'),
    redis.incr('h').catch((error: Error) => /WRONGTYPE/.test(String(error)) || Promise.reject(error)),
    redis.eval("return {1, {'two', {3}}}", 0),
    redis.pipeline().set('p', '1').incr('p').get('p').exec(),
    redis.multi().get('k').strlen('k').exec(),
    redis.blpop('nothing', 0.01),
    pool.use((lease) => lease.get('k')),
    pool.use((lease) => lease.multi().get('k').exec()),
    pool.use(async (lease) => {
      lease.defineCommand('twice', { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1]) .. ARGV[1]" });
      return (lease as unknown as Record<string, (...args: string[]) => unknown>)['twice']?.('k', 'v');
    }),
  ].map((one) => follow(one.then((value: unknown) => values.push(value))));
  const values: unknown[] = [];
  await Promise.allSettled(outcomes.map(({ promise }) => promise));
  // A pipeline says of each of its commands what has become of it.
  const errors = values.flat(2).filter((one) => one instanceof Error);
  for (const { is, error } of outcomes) if (is !== 'done') errors.push(error as Error);
  return errors.length > 0 ? errors : values;
}

const RIGHT = [
  ...['mine', 'OK', 'v', 'v', 'hset', { a: '1', b: '2' }, 1, true, [1, ['two', [3]]]],
  [
    [null, 'OK'],
    [null, 2],
    [null, '2'],
  ],
  [
    [null, 'v'],
    [null, 1],
  ],
  ...[null, 'v', [[null, 'v']], 'vv'],
];

/** Uses up a pool; whatever happens, nothing hangs and nothing is thrown where nobody can catch it. */
async function judge(make: (options: PoolOptions) => Pool, missing: string | undefined): Promise<void> {
  const thrown: unknown[] = [];
  const hear = (one: unknown): void => void thrown.push(one);
  process.on('uncaughtException', hear).on('unhandledRejection', hear);
  onTestFinished(() => void process.off('uncaughtException', hear).off('unhandledRejection', hear));
  const pool = make({ redis: server.url });
  const first = await everything(pool);
  const second = await everything(pool);
  if (missing === undefined) {
    const sorted = (all: unknown[]): string[] => all.map((one) => inspect(one, { depth: 9 })).sort();
    expect(sorted(first)).toEqual(sorted(RIGHT));
    expect(sorted(second)).toEqual(sorted(RIGHT));
  } else {
    for (const error of [...first, ...second]) {
      const { code, cause } = (error instanceof Error ? error : {}) as { code?: string; cause?: Error };
      expect(code).toBe('POOL_CONNECT_FAILED');
      expect(cause?.message).toBe(
        `ioredis ${require('ioredis/package.json').version} is not made as this pool needs it: ${missing} is missing`,
      );
    }
  }
  await pool.close();
  expect(pool.stats().total).toBe(0);
  expect(thrown).toEqual([]);
}

const outcome = (missing: string | undefined): string =>
  missing ? 'every caller is told what is missing' : 'all goes its way';

for (const [what, { changes, missing, alone = missing }] of Object.entries(FOREIGN)) {
  test(`where ${what}, in the ioredis of createClient alone: ${outcome(alone)}`, async () => {
    const { Redis: Foreign } = doctored(changes);
    await judge((options) => new Pool({ ...options, createClient: (given) => new Foreign(given) }), alone);
  });

  test(`where ${what}: ${outcome(missing)}`, async () => {
    const foreign = doctored(changes);
    vi.doMock('ioredis', () => ({ ...foreign, default: foreign }));
    vi.resetModules();
    onTestFinished(() => {
      vi.doUnmock('ioredis');
      vi.resetModules();
    });
    const { Pool: Own } = await import('../../src/index.ts');
    await judge((options) => new Own(options), missing);
  });
}
