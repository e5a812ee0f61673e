import { describe, expect, test } from 'vitest';
import { nameOf, readAddress, translate } from '../../src/cluster/address.ts';
import { joinParts, joinReplies, partsOf, routeOf } from '../../src/cluster/command-route.ts';
import { readRefusal } from '../../src/cluster/redirection.ts';
import { RefreshPace } from '../../src/cluster/refresh-pace.ts';
import { SLOTS, slotOf } from '../../src/cluster/slot.ts';
import { isBetter, readTopology } from '../../src/cluster/topology-reply.ts';

const ASKED = { host: '10.0.0.1', port: 7000 };

/** Arguments as ioredis makes them. */
const command = (name: string, ...args: (string | Buffer)[]) => ({ name, args });

describe('the slot of a key', () => {
  test('is what the specification says', () => {
    // CRC16/XMODEM of "123456789" is 0x31c3.
    expect(slotOf('123456789')).toBe(0x31c3 % SLOTS);
    expect(slotOf('')).toBe(0);
    expect(slotOf('foo')).toBe(12_182);
    expect(slotOf('somekey')).toBe(11_058);
  });

  test.each([
    ['{user1000}.following', 'user1000'],
    ['foo{{bar}}zap', '{bar'],
    ['foo{bar}{zap}', 'bar'],
    ['}{bar}', 'bar'],
  ])('of %s is that of its tag', (key, tag) => {
    expect(slotOf(key)).toBe(slotOf(tag));
    expect(slotOf(Buffer.from(key))).toBe(slotOf(tag));
  });

  test.each(['foo{}{bar}', '{}', 'foo{bar', 'foo}bar{'])(
    'of %s, which has no tag, is that of all of it',
    (key) => {
      expect(slotOf(key)).toBe(slotOf(Buffer.from(key)));
      expect(slotOf(key)).not.toBe(slotOf('bar'));
    },
  );

  test('is the same for a text and its bytes, and bytes need not be a text', () => {
    for (const key of ['schlüssel', '🔑{ä}', '{🔑}x', 'plain'])
      expect(slotOf(key)).toBe(slotOf(Buffer.from(key)));
    expect(slotOf('x{ä}y')).toBe(slotOf('ä'));
    expect(slotOf(Buffer.of(0xff, 0x7b, 0xfe, 0x7d))).toBe(slotOf(Buffer.of(0xfe)));
  });
});

describe('where a node is', () => {
  test.each([null, undefined, '', '?'])('is where the asked one is, if it tells %j', (host) => {
    expect(readAddress(host, 7001, ASKED)).toEqual({ host: '10.0.0.1', port: 7001 });
  });

  test.each([0, -1, 65_536, 1.5, '', 'x', null, '1e3', '7001 '])('cannot be at port %j', (port) => {
    expect(readAddress('10.0.0.2', port, ASKED)).toBeUndefined();
  });

  test.each([
    ...[
      'a b',
      'a\r\nb',
      'x'.repeat(256),
      '/tmp/a',
      'http://a',
      'a@b',
      'a:1',
      '[::1',
      '-',
      '{',
      '::g',
      '\u001b[31m',
    ],
    ...[7, {}, []],
  ])('cannot be at host %j', (host) => {
    expect(readAddress(host, 7001, ASKED)).toBeUndefined();
  });

  test('has a name that can be read again, with IPv6 too', () => {
    expect(nameOf({ host: 'node.example', port: 1 })).toBe('node.example:1');
    expect(nameOf({ host: '2001:db8::1', port: 6379 })).toBe('[2001:db8::1]:6379');
    expect(readAddress('[2001:db8::1]', '6379', ASKED)).toEqual({ host: '2001:db8::1', port: 6379 });
    for (const host of [
      '::',
      '::1',
      '1:2:3:4:5:6:7:8',
      '::ffff:10.0.0.1',
      'fe80::1%eth0',
      'a_b-1.c.',
      'bücher.example',
    ])
      expect(readAddress(host, 1, ASKED)).toEqual({ host, port: 1 });
  });

  test('is translated by a map or a function, which knows only what it has itself', () => {
    const inside = { host: '172.17.0.2', port: 6379 };
    const outside = { host: '127.0.0.1', port: 30_001 };
    expect(translate(inside, { '172.17.0.2:6379': outside })).toEqual(outside);
    expect(translate(inside, (address) => (address === '172.17.0.2:6379' ? outside : null))).toEqual(outside);
    for (const found of [
      'x',
      7,
      {},
      { host: 'a' },
      { host: '', port: 1 },
      { host: 'a', port: 0 },
      Promise.resolve(outside),
    ])
      expect(() => translate(inside, () => found as never)).toThrow(/natMap gave for 172.17.0.2:6379/);
    const six = { host: '2001:db8::1', port: 6379 };
    expect(translate(six, { '[2001:db8::1]:6379': outside })).toEqual(outside);
    expect(translate(six, { '2001:db8::1:6379': { host: '[::1]', port: 1 } })).toEqual({
      host: '::1',
      port: 1,
    });
    expect(translate(inside, {})).toEqual(inside);
    expect(translate({ host: '__proto__', port: 1 }, {})).toEqual({ host: '__proto__', port: 1 });
  });
});

describe('what a refusal says', () => {
  test.each([
    ['MOVED 3999 127.0.0.1:6381', { kind: 'moved', slot: 3999, to: { host: '127.0.0.1', port: 6381 } }],
    ['MOVED 3999 :6381', { kind: 'moved', slot: 3999, to: { host: '10.0.0.1', port: 6381 } }],
    ['MOVED 0 2001:db8::1:6381', { kind: 'moved', slot: 0, to: { host: '2001:db8::1', port: 6381 } }],
    ['ASK 16383 node-7.example:6379', { kind: 'ask', to: { host: 'node-7.example', port: 6379 } }],
    ['MOVED 16384 127.0.0.1:6381', { kind: 'later' }],
    ['MOVED 1 ?:6381', { kind: 'moved', slot: 1, to: { host: '10.0.0.1', port: 6381 }, guessed: true }],
    ['MOVED 1 127.0.0.1:0', { kind: 'moved', slot: 1, to: undefined }],
    ['ASK 1 127.0.0.1:0', { kind: 'later' }],
    ['TRYAGAIN Multiple keys request during rehashing of slot', { kind: 'later' }],
    ['CLUSTERDOWN The cluster is down', { kind: 'later' }],
    ['LOADING Redis is loading the dataset in memory', { kind: 'later' }],
    ['MASTERDOWN Link with MASTER is down', { kind: 'later' }],
    ['WRONGTYPE Operation against a key', undefined],
    ['ERR MOVED 1 127.0.0.1:1', undefined],
    ['MOVEDX 1 127.0.0.1:1', undefined],
  ])('%s', (message, refusal) => {
    const told = readRefusal(message, ASKED);
    if (refusal) expect(told).toMatchObject(refusal);
    else expect(told).toBeUndefined();
  });
});

describe('who serves what', () => {
  const INFO = 'cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_current_epoch:7\r\n';

  test('is read from what a node tells', () => {
    const told = [
      [0, 8191, ['10.0.0.1', 7000, 'a', []], ['10.0.0.4', 7003, 'd', []]],
      [8192, 16_383, ['10.0.0.2', 7001, 'b', []]],
    ];
    const { masters, slots, ...rest } = readTopology(told, INFO, ASKED);
    expect(rest).toEqual({ covered: SLOTS, ok: true, epoch: 7 });
    expect([...masters.keys()]).toEqual(['10.0.0.1:7000', '10.0.0.2:7001']);
    expect(masters.get('10.0.0.1:7000')?.replicas).toEqual([{ host: '10.0.0.4', port: 7003 }]);
    expect([slots[0], slots[8191], slots[8192], slots[16_383]]).toEqual([
      '10.0.0.1:7000',
      '10.0.0.1:7000',
      '10.0.0.2:7001',
      '10.0.0.2:7001',
    ]);
    expect(slots).toHaveLength(SLOTS);
  });

  test('holds what cannot be for nothing', () => {
    const node = ['10.0.0.1', 7000, 'a'];
    const told = [
      ...['x', null, [], [0], [0, 10], [0, 10, []], [0, 10, ['10.0.0.1', 0]], ['__proto__', 10, node]],
      ...[
        [-1, 10, node],
        [10, 5, node],
        [0, SLOTS, node],
        [0.5, 3, node],
        ['0', '3', node],
      ],
      [100, 101, node],
    ];
    const { covered, masters, slots } = readTopology(told, 'cluster_state:fail\r\n', ASKED);
    expect(covered).toBe(2);
    expect([...masters.keys()]).toEqual(['10.0.0.1:7000']);
    expect(slots[100]).toBe('10.0.0.1:7000');
    for (const wrong of [undefined, null, 'OK', 7, {}])
      expect(readTopology(wrong, '', ASKED).covered).toBe(0);
  });

  test('takes no longer for a list without end than for a long one, and each replica once', () => {
    const range = [0, SLOTS - 2, ['10.0.0.1', 7000, 'a']];
    const endless = Array.from({ length: 2_000_000 }, () => range);
    expect(readTopology([...endless, [SLOTS - 1, SLOTS - 1, ['b', 1]]], '', ASKED).covered).toBe(SLOTS - 1);
    const replica = (i: number) => [`r${i % 200_000}`, 7000, 'r'];
    const many = [
      [0, SLOTS - 1, ['10.0.0.1', 7000, 'a'], ...Array.from({ length: 250_000 }, (_, i) => replica(i))],
    ];
    expect(readTopology(many, '', ASKED).masters.get('10.0.0.1:7000')?.replicas).toHaveLength(200_000);
  });

  test('believes what is told first of a slot, and whoever has none by that is no master', () => {
    const told = [
      [0, 100, ['a', 1]],
      [50, SLOTS - 1, ['b', 1]],
      [60, 70, ['c', 1]],
    ];
    const { masters, slots, covered } = readTopology(told, '', ASKED);
    expect([covered, slots[99], slots[101], [...masters.keys()]]).toEqual([
      SLOTS,
      'a:1',
      'b:1',
      ['a:1', 'b:1'],
    ]);
  });

  test('needs every master translated, and no replica', () => {
    const told = (first: string, second: string) => [[0, 9, [first, 1, 'm'], [second, 1, 'r']]];
    const translated = (address: { host: string; port: number }) => {
      if (address.host === 'nowhere') throw new Error('nobody knows');
      return address;
    };
    expect(readTopology(told('a', 'nowhere'), '', ASKED, translated).masters.get('a:1')?.replicas).toEqual(
      [],
    );
    expect(() => readTopology(told('nowhere', 'a'), '', ASKED, translated)).toThrow('nobody knows');
  });

  test('takes the IP where the name is not known, and the asked host where nothing is told', () => {
    const told = [
      [0, 1, ['?', 7000, 'a', ['ip', '10.9.9.9']]],
      [2, 3, [null, 7001, 'b', ['hostname', 'x']]],
      [4, 5, ['', 7002, 'c', []]],
    ];
    expect([...readTopology(told, '', ASKED).masters.keys()]).toEqual([
      '10.9.9.9:7000',
      '10.0.0.1:7001',
      '10.0.0.1:7002',
    ]);
  });

  test('is believed of a node that is well, then of the one that knows of the latest changes, then of who knows more', () => {
    const of = (ok: boolean, epoch: number, covered: number) => ({
      ...{ ok, epoch, covered, masters: new Map(), slots: [] },
    });
    expect(isBetter(of(false, 1, 0), undefined)).toBe(true);
    expect(isBetter(of(true, 1, 1), of(false, 9, SLOTS))).toBe(true);
    expect(isBetter(of(true, 2, 1), of(true, 1, SLOTS))).toBe(true);
    expect(isBetter(of(true, 1, 2), of(true, 1, 1))).toBe(true);
    expect(isBetter(of(true, 1, 1), of(true, 1, 1))).toBe(false);
  });
});

describe('where a command goes', () => {
  const slot = slotOf('k');
  test.each([
    ['get', ['k'], slot],
    ['GET', ['k'], slot],
    ['set', [Buffer.from('k'), 'v'], slot],
    ['eval', ['return 1', '1', 'k', 'x'], slot],
    ['eval', ['return 1', '0', 'k'], 'any'],
    ['eval', ['return 1', '99999999', 'k'], 'any'],
    ['fcall', ['f', '2', '{k}1', '{k}2'], slot],
    ['xread', ['COUNT', '2', 'STREAMS', 'k', '0'], slot],
    ['object', ['ENCODING', 'k'], slot],
    ['sort', ['k', 'BY', 'nosort', 'STORE', '{k}2'], slot],
    ['sort', ['k', 'BY', 'nosort', 'STORE', 'other'], 'crossslot'],
    ['zunionstore', ['k', '2', '{k}a', '{k}b'], slot],
    ['sunion', ['k', 'other'], 'crossslot'],
    ['msetnx', ['k', '1', 'other', '2'], 'crossslot'],
    ['mget', ['k', '{k}2'], slot],
    ['mget', ['k', 'other'], 'split'],
    ['mset', ['k', '1', 'other', '2'], 'split'],
    ['mset', ['k', '1', 'other'], 'split'],
    ['json.set', ['k', '$', '1'], slot],
    ['nobody.knows', [], 'any'],
    ['constructor', ['k'], slot],
    ['ping', [], 'any'],
    ['publish', ['k', 'm'], 'any'],
    ['spublish', ['k', 'm'], slot],
    ['flushall', [], 'one'],
    ['script', ['LOAD', 'x'], 'one'],
    ['script', ['EXISTS', 'x'], 'and'],
    ['function', ['list'], 'any'],
    ['dbsize', [], 'sum'],
    ['keys', ['*'], 'list'],
    ['scan', ['0'], 'scan'],
    ['config', ['get', 'x'], 'any'],
    ['config', ['SET', 'x', 'y'], 'one'],
    ['get', [], 'any'],
  ])('%s %j: %s', (name, args, route) => {
    expect(routeOf(command(name, ...args))).toBe(route);
    expect(routeOf(command(name, ...args))).toBe(route); // what is known by now, too
  });

  test('one with keys in several slots is done in parts, and joined in order', () => {
    const mget = command('mget', 'a', '{b}1', 'a', '{b}2');
    const parts = partsOf(mget);
    expect(parts.map(({ args }) => args)).toEqual([
      ['a', 'a'],
      ['{b}1', '{b}2'],
    ]);
    expect(
      joinParts('mget', parts, [
        ['A', 'A'],
        ['B1', null],
      ]),
    ).toEqual(['A', 'B1', 'A', null]);
    const mset = partsOf(command('MSET', 'a', '1', 'b', '2', 'a', '3'));
    expect(mset.map(({ args }) => args)).toEqual([
      ['a', '1', 'a', '3'],
      ['b', '2'],
    ]);
    expect(joinParts('MSET', mset, ['OK', 'OK'])).toBe('OK');
    const missing = partsOf(command('mset', 'a', '1', 'b')); // a value: the server has to say so
    expect(missing.map(({ args }) => args)).toEqual([['a']]);
    expect(joinParts('del', partsOf(command('del', 'a', 'b')), [1, 1])).toBe(2);
  });

  test('the replies of all masters are joined', () => {
    expect(joinReplies('sum', [1, 2, 3])).toBe(6);
    expect(joinReplies('list', [['a'], [], ['b']])).toEqual(['a', 'b']);
    expect(
      joinReplies('and', [
        [1, 1],
        [1, 0],
      ]),
    ).toEqual([1, 0]);
    expect(joinReplies('one', ['OK', 'OK'])).toBe('OK');
  });
});

describe('when nodes may be asked again', () => {
  /** The pauses after as many answers in a row that bring nothing better. */
  const pausesOf = (pace: RefreshPace, random: number, from = 0): number[] => {
    let now = from;
    return Array.from({ length: 6 }, () => {
      pace.asked(false, now, random);
      const pause = pace.remaining(now);
      now += pause;
      return pause;
    });
  };

  test('is at once for the first time, and later and later while they know nothing better', () => {
    const pace = new RefreshPace(2000);
    expect(pace.remaining(0)).toBeLessThanOrEqual(0);
    expect(pausesOf(pace, 0)).toEqual([200, 400, 800, 1600, 2000, 2000]);
  });

  test('is partly random, but never within 200 ms', () => {
    expect(pausesOf(new RefreshPace(2000), 1)).toEqual([200, 200, 400, 800, 1000, 1000]);
    expect(pausesOf(new RefreshPace(500), 0.5)).toEqual([200, 300, 375, 375, 375, 375]);
  });

  test('is soon again when they know better, when there is news, and after a time without questions', () => {
    const pace = new RefreshPace(2000);
    pausesOf(pace, 0);
    pace.asked(false, 9000, 0);
    expect(pace.remaining(9000)).toBe(2000);
    expect(pace.remaining(9000, 'news')).toBe(200);
    pace.asked(true, 9100, 0);
    expect(pace.remaining(9100)).toBe(200);
    pausesOf(pace, 0, 9300);
    expect(pausesOf(pace, 0, 30_000)).toEqual([200, 400, 800, 1600, 2000, 2000]);
  });
});
