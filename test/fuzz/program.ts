import fc from 'fast-check';

/** What a command is given: text, a number, bytes, or so much text that the reply is a large one. */
export type Arg = string | number | { readonly bytes: string } | { readonly times: number };

export interface Step {
  readonly name: string;
  readonly args: readonly Arg[];
}

/** How one command can be called. */
export const WAYS = [
  ...['method', 'upper', 'callback', 'buffer', 'call', 'callUpper', 'callBuffer', 'command', 'script'],
] as const;

export type Way = (typeof WAYS)[number];

/**
 * One thing that a program does, and does not wait for: a command, or several together. `settle` waits for all before
 * it; `tick` lets the event loop turn.
 */
export type Act =
  | { readonly act: 'tick' }
  | { readonly act: 'settle' }
  | { readonly act: 'one'; readonly way: Way; readonly step: Step }
  | { readonly act: 'pipeline' | 'multi' | 'lease'; readonly steps: readonly Step[] };

export const KEYS = ['a', 'b', 'c', 'd'] as const;
const key = fc.constantFrom(...KEYS);
const other = fc.constantFrom(...KEYS);
const field = fc.constantFrom('f', 'g', 'h');
const small = fc.oneof(
  fc.integer({ min: -3, max: 1000 }),
  fc.constantFrom('', '1', 'x', 'ünï', 'a\r\nb', '$-1', '9007199254740993', '-0'),
  fc
    .uint8Array({ minLength: 1, maxLength: 8 })
    .map((bytes) => ({ bytes: Buffer.from(bytes).toString('hex') })),
);
const large = fc.constantFrom({ times: 40_000 }, { times: 180_000 });
const value: fc.Arbitrary<Arg> = fc.oneof({ arbitrary: small, weight: 8 }, { arbitrary: large, weight: 1 });
const index = fc.integer({ min: -4, max: 4 });

const step = (name: string, ...args: fc.Arbitrary<Arg>[]): fc.Arbitrary<Step> =>
  fc.tuple(...args).map((all) => ({ name, args: all as Arg[] }));
const word = (text: string): fc.Arbitrary<Arg> => fc.constant(text);

/** A command that has a key and writes. */
const WRITES = [
  step('set', key, value),
  step('set', key, value),
  step('set', key, value, word('GET')),
  step('set', key, value, word('NX')),
  step('set', key, value, word('EX'), word('1000')),
  ...[
    step('getdel', key),
    step('getset', key, value),
    step('append', key, value),
    step('append', key, value),
  ],
  ...[step('incr', key), step('incrby', key, small), step('incrbyfloat', key, word('0.5'))],
  step('setrange', key, fc.integer({ min: 0, max: 9 }), value),
  ...[step('mset', key, value, other, value), step('msetnx', key, value, other, value)],
  ...[step('del', key), step('del', key, other), step('unlink', key), step('persist', key)],
  ...[step('rename', key, other), step('copy', key, other, word('REPLACE'))],
  ...[step('hset', key, field, value), step('hincrby', key, field, small), step('hdel', key, field)],
  ...[
    step('rpush', key, value),
    step('lpush', key, value, value),
    step('lpop', key),
    step('rpop', key, index),
  ],
  ...[step('lmove', key, other, word('LEFT'), word('RIGHT')), step('lset', key, index, value)],
  ...[step('sadd', key, small, small), step('srem', key, small), step('smove', key, other, small)],
  ...[
    step('zadd', key, index, field, index, field),
    step('zincrby', key, index, field),
    step('zpopmin', key),
  ],
  step('zadd', key, word('INCR'), index, field),
  step('zunionstore', key, fc.constant(2), other, key),
  ...[step('setbit', key, fc.integer({ min: 0, max: 70 }), word('1')), step('pfadd', key, small)],
  step('xadd', key, word('*-nope'), field, value),
  step('xadd', key, fc.integer({ min: 1, max: 30 }), field, value),
  step('geoadd', key, word('13.36'), word('38.11'), field),
  step('eval', word("return redis.call('append', KEYS[1], ARGV[1])"), fc.constant(1), key, small),
  // Their keys are nobody's knowledge; the last is a command that no client knows.
  step('eval', word("return redis.call('append', 'a', ARGV[1])"), fc.constant(0), small),
  step('eval', word("return redis.call('rpush', 'b', ARGV[1])"), fc.constant(0), small),
  ...[step('flushdb'), step('tack', key, small), step('tack', key, small)],
  step('publish', field, value),
];

/** A command that has a key and reads. */
const READS = [
  ...[step('get', key), step('get', key), step('get', key), step('getrange', key, index, index)],
  ...[step('mget', key, other), step('exists', key, other), step('strlen', key), step('type', key)],
  ...[step('hgetall', key), step('hget', key, field), step('hmget', key, field, field), step('hvals', key)],
  ...[step('lrange', key, fc.constant(0), fc.constant(-1)), step('llen', key), step('lindex', key, index)],
  ...[step('smembers', key), step('sismember', key, small), step('smismember', key, small, small)],
  ...[
    step('sunion', key, other),
    step('bitcount', key),
    step('pfcount', key),
    step('object', word('ENCODING'), key),
  ],
  step('zrange', key, fc.constant(0), fc.constant(-1), word('WITHSCORES')),
  ...[step('zscore', key, field), step('zrangebyscore', key, word('-inf'), word('(3'))],
  ...[step('xrange', key, word('-'), word('+')), step('xread', word('STREAMS'), key, word('0'))],
  ...[step('geopos', key, field), step('zrandmember', word('nothing'), fc.constant(1))],
];

/** What is wrong, without a key, or has a deep reply. */
const OTHERS = [
  ...[step('get'), step('set', key), step('hset', key, field), step('nosuch', key), step('echo', value)],
  step('eval', word('return {1, {2, {3, {false, {ok = "x"}}}}, {err = "BAD thing"}}'), fc.constant(0)),
  step('eval', word('return redis.error_reply("MY own")'), fc.constant(0)),
  ...[
    step('command', word('COUNT')),
    step('config', word('GET'), word('maxmemory')),
    step('time', word('no')),
  ],
];

const any = fc.oneof(
  { arbitrary: fc.oneof(...WRITES), weight: 5 },
  { arbitrary: fc.oneof(...READS), weight: 6 },
  { arbitrary: fc.oneof(...OTHERS), weight: 1 },
);
const together = fc.array(any, { minLength: 1, maxLength: 6 });

export const program: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    {
      arbitrary: fc.record({ act: fc.constant('one' as const), way: fc.constantFrom(...WAYS), step: any }),
      weight: 12,
    },
    {
      arbitrary: fc.record({ act: fc.constantFrom('pipeline' as const, 'multi' as const), steps: together }),
      weight: 2,
    },
    { arbitrary: fc.record({ act: fc.constant('lease' as const), steps: together }), weight: 1 },
    { arbitrary: fc.constant<Act>({ act: 'tick' }), weight: 8 },
    { arbitrary: fc.constant<Act>({ act: 'settle' }), weight: 1 },
  ),
  { minLength: 5, maxLength: 60 },
);
