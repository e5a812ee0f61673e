import { hasFlag, list } from '@ioredis/commands';
import { expect, test } from 'vitest';
import { type CommandKind, isAlwaysShared, isReadOnly, kindOf } from '../../src/ioredis/command-kinds.ts';

const split = (line: string): [string, string[]] => {
  const [name = '', ...args] = line.split(' ');
  return [name, args];
};

const EXAMPLES: Record<CommandKind, string[]> = {
  shared: [
    ...['get k', 'set k v', 'GET k', 'eval x 0', 'evalsha x 0', 'fcall f 0', 'ping', 'info', 'publish c m'],
    ...['script load x', 'script exists x', 'script flush', 'client id', 'client LIST', 'client kill id 1'],
    ...['client pause 1', 'client getname', 'object encoding k', 'config get x', 'sentinel masters'],
    ...['xread count 1 streams s 0', 'xreadgroup group g c streams s >', 'zpopmin z', 'lpop l', 'flushall'],
  ],
  dedicated: ['json.get k', 'ft.search i q', 'newcommand x', 'BF.ADD k v', 'constructor', '__proto__'],
  blocking: [
    ...['blpop q 0', 'BRPOP q 0', 'brpoplpush a b 0', 'blmove a b LEFT LEFT 0', 'blmpop 0 1 q LEFT'],
    ...['bzpopmin z 0', 'bzpopmax z 0', 'bzmpop 0 1 z MIN'],
    ...[
      'xread block 0 streams s $',
      'xread BLOCK 0 STREAMS s $',
      'XREADGROUP group g streams Block 0 streams s >',
    ],
  ],
  stateful: [
    ...[
      'watch k',
      'WATCH k',
      'unwatch',
      'multi',
      'exec',
      'discard',
      'select 1',
      'auth p',
      'hello 3',
      'reset',
    ],
    ...[
      'subscribe c',
      'psubscribe p',
      'ssubscribe c',
      'unsubscribe',
      'punsubscribe',
      'sunsubscribe',
      'monitor',
    ],
    ...[
      'quit',
      'readonly',
      'readwrite',
      'asking',
      'sync',
      'psync',
      'replconf x',
      'wait 1 0',
      'WAITAOF 1 0 0',
    ],
    ...[
      'client setname n',
      'client TRACKING on',
      'client reply off',
      'client no-evict on',
      'client no-touch on',
    ],
    ...['client caching yes', 'client newsubcommand', 'script debug yes', 'himport prepare s f'],
  ],
};

test.each(Object.entries(EXAMPLES).flatMap(([kind, lines]) => lines.map((line) => [line, kind])))(
  '%s is %s',
  (line, kind) => {
    const [name, args] = split(line);
    expect(kindOf(name, args)).toBe(kind);
    expect(kindOf(name, args)).toBe(kind); // remembered
    expect(
      kindOf(
        name,
        args.map((arg) => Buffer.from(arg)),
      ),
    ).toBe(kind);
  },
);

test('every command that ioredis knows has a kind, and none of them is unknown', () => {
  expect(list.filter((name) => kindOf(name, []) === 'dedicated')).toEqual([]);
});

test('what Redis forbids in scripts is not shared unless it was checked', () => {
  // These act on the server, or on keys, and leave nothing on their connection.
  const looked =
    'bgrewriteaof bgsave debug eval eval_ro evalsha evalsha_ro failover fcall fcall_ro replicaof role save shutdown slaveof';
  expect(list.filter((name) => hasFlag(name, 'noscript') && kindOf(name, []) === 'shared').sort()).toEqual(
    looked.split(' '),
  );
});

test('always shared are those of which the arguments decide nothing', () => {
  expect(['get', 'set', 'eval', 'object'].map(isAlwaysShared)).toEqual([true, true, true, true]);
  expect(['client', 'script', 'xread', 'blpop', 'watch', 'nosuch'].filter(isAlwaysShared)).toEqual([]);
});

test.each([
  ...['get k', 'GET k', 'mget a b', 'scan 0', 'xread streams s 0', 'eval_ro x 0', 'object encoding k'],
  ...['xinfo stream s', 'memory usage k', 'MEMORY USAGE k', 'hgetall h', 'dbsize', 'keys *'],
])('%s only reads', (line) => {
  expect(isReadOnly(...split(line))).toBe(true);
});

test.each([
  ...[
    'set k v',
    'getex k',
    'getdel k',
    'incr k',
    'eval x 0',
    'evalsha x 0',
    'memory purge',
    'newcommand',
    'ping',
  ],
  ...['xreadgroup group g c streams s >', 'multi', 'exec', 'publish c m', 'echo x', 'spop s'],
])('%s may do more than read', (line) => {
  expect(isReadOnly(...split(line))).toBe(false);
});
