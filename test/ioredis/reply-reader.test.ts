import { isAscii } from 'node:buffer';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { kindOfMessage, ReplyReader, ReplyScanner, UNREAD } from '../../src/ioredis/reply-reader.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

/** Reads the first reply of `text`; where the next one begins is `at`. */
function read(text: string | Buffer, asText = true): { value: unknown; at: number } {
  const reader = new ReplyReader();
  reader.begin(Buffer.from(text), 0);
  const value = reader.read(asText);
  return { value, at: reader.at };
}

const READ: [wire: string, value: unknown][] = [
  ['+OK\r\n', 'OK'],
  ['+\r\n', ''],
  [':0\r\n', 0],
  [':-42\r\n', -42],
  [':999999999999999\r\n', 999_999_999_999_999],
  ['$5\r\nhello\r\n', 'hello'],
  ['$0\r\n\r\n', ''],
  ['$-1\r\n', null],
  ['*-1\r\n', null],
  ['_\r\n', null],
  ['$6\r\nä€!\r\n', 'ä€!'],
  ['$4\r\n\r\n\r\n\r\n', '\r\n\r\n'],
  ['*0\r\n', []],
  ['*3\r\n$1\r\na\r\n:1\r\n*2\r\n+x\r\n_\r\n', ['a', 1, ['x', null]]],
  ['~2\r\n$1\r\na\r\n$1\r\nb\r\n', ['a', 'b']],
  ['%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n', ['a', 1, 'b', 2]],
];

const LEFT: string[] = [
  ...[
    '-ERR wrong\r\n',
    '!5\r\nwrong\r\n',
    ',1.5\r\n',
    '#t\r\n',
    '(12345678901234567890\r\n',
    '=7\r\ntxt:abc\r\n',
  ],
  ...[
    '>2\r\n$1\r\na\r\n$1\r\nb\r\n',
    ':9007199254740991\r\n',
    ':1234567890123456\r\n',
    '?\r\n',
    ':\r\n',
    '$x\r\n',
  ],
];

test('of a chunk that is ASCII the same is read', () => {
  const reader = new ReplyReader();
  for (const [wire, value] of READ) {
    const chunk = bytes(wire);
    reader.begin(chunk, 0, isAscii(chunk));
    expect(reader.read(true)).toEqual(value);
    expect(reader.at).toBe(chunk.length);
  }
});

describe.each(READ)('%j', (wire, value) => {
  test('is read, with its end', () => {
    expect(read(wire)).toEqual({ value, at: bytes(wire).length });
    expect(read(`${wire}+NEXT\r\n`)).toEqual({ value, at: bytes(wire).length });
  });

  test('is left alone as long as a byte of it is missing', () => {
    for (let length = 0; length < bytes(wire).length; length++) {
      expect(read(bytes(wire).subarray(0, length))).toEqual({ value: UNREAD, at: 0 });
    }
  });

  test('ends where the scanner says, however it is cut', () => {
    expectEnd(bytes(wire));
  });
});

test.each(LEFT)('%j is left to ioredis, also within an array', (wire) => {
  expect(read(wire)).toEqual({ value: UNREAD, at: 0 });
  expect(read(`*2\r\n:1\r\n${wire}`)).toEqual({ value: UNREAD, at: 0 });
});

test.each(LEFT.slice(0, 9))('%j ends where the scanner says, however it is cut', (wire) => {
  expectEnd(bytes(wire));
  expectEnd(bytes(`*2\r\n${wire}%1\r\n+a\r\n${wire}`));
});

test('strings may be had as bytes', () => {
  expect(read('*2\r\n+a\r\n$2\r\n\xff\r\n', false).value).toEqual([bytes('a'), bytes('\xff')]);
});

test('a scanner that was given up on begins anew', () => {
  const scanner = new ReplyScanner();
  scanner.begin();
  expect(scanner.scan(bytes('$100\r\nabc'), 0)).toBe(-1);
  expect(scanner.due).toBe(99);
  scanner.reset();
  expect(scanner.midway).toBe(false);
  scanner.begin();
  expect(scanner.scan(bytes('xx+OK\r\nyy'), 2)).toBe(7);
});

function expectEnd(wire: Buffer): void {
  const more = Buffer.concat([wire, bytes('+NEXT\r\n')]);
  for (let cut = 0; cut <= wire.length; cut++) {
    const scanner = new ReplyScanner();
    scanner.begin();
    const first = scanner.scan(more.subarray(0, cut), 0);
    if (cut < wire.length) {
      expect(first).toBe(-1);
      expect(scanner.scan(more.subarray(cut), 0)).toBe(wire.length - cut);
    } else {
      expect(first).toBe(cut);
    }
    expect(scanner.midway).toBe(false);
  }
}

/** Decodes chunks as a lane does: reads what it can, and gives `decoder` the rest, a whole reply at a time. */
function decode(chunks: readonly Buffer[], decoder: (chunk: Buffer) => void, replies: unknown[]): void {
  const reader = new ReplyReader();
  const scanner = new ReplyScanner();
  for (const chunk of chunks) {
    let at = 0;
    const pass = (): void => {
      const end = scanner.scan(chunk, at);
      const to = end < 0 ? chunk.length : end;
      decoder(chunk.subarray(at, to));
      at = to;
    };
    if (scanner.midway) pass();
    while (at < chunk.length) {
      reader.begin(chunk, at);
      const reply = reader.read(false);
      if (reply === UNREAD) {
        scanner.begin();
        pass();
      } else {
        at = reader.at;
        replies.push(reply);
      }
    }
  }
}

// The decoder of the ioredis that is under test, which is the measure.
const MAJOR = 'protocol' in new Redis({ lazyConnect: true }).options ? 6 : 5;

function reference(replies: unknown[]): (chunk: Buffer) => void {
  const require = createRequire(import.meta.url);
  if (MAJOR === 5) {
    const Parser = createRequire(require.resolve('ioredis5'))('redis-parser');
    const parser = new Parser({
      returnBuffers: true,
      returnReply: (reply: unknown) => replies.push(reply),
      returnError: (error: Error) => replies.push(error),
    });
    return (chunk) => parser.execute(chunk);
  }
  const { Decoder, RESP_TYPES: T } = require('ioredis/built/resp/decoder.js');
  const asBuffers = [T.SIMPLE_STRING, T.BLOB_STRING, T.VERBATIM_STRING, T.DOUBLE];
  const mapping = {
    ...Object.fromEntries(asBuffers.map((type) => [type, Buffer])),
    ...{ [T.BIG_NUMBER]: String, [T.BOOLEAN]: Number, [T.MAP]: Array, [T.SET]: Array },
  };
  const decoder = new Decoder({
    getTypeMapping: () => mapping,
    onReply: (reply: unknown) => replies.push(reply),
    onErrorReply: (error: Error) => replies.push(error),
    onPush: (reply: unknown) => replies.push(reply),
  });
  return (chunk) => decoder.write(chunk);
}

const text = fc.string({ unit: fc.constantFrom('a', '1', '-', '$', '*', ' ', 'ä', '€') });
const blob = fc.string({ unit: fc.constantFrom('a', '1', '-', '\r', '\n', '$', '*', 'ä', '€') });
const sized = (mark: string, value: string): string => `${mark}${bytes(value).length}\r\n${value}\r\n`;
const plain = fc.oneof(
  text.map((value) => `+${value}\r\n`),
  blob.map((value) => sized('$', value)),
  fc.integer().map((value) => `:${value}\r\n`),
  fc.constant('$-1\r\n'),
);
const richer = fc.oneof(
  ...[fc.constant('_\r\n'), fc.constant('#t\r\n'), fc.constant('#f\r\n'), fc.constant(',1.25\r\n')],
  blob.map((value) => sized('=', `txt:${value}`)),
  fc.constant('(123456789012345678901\r\n'),
);
const error = text.map((value) => `-ERR ${value}\n+a ${value}\r\n`); // a line feed alone ends nothing
const leaf = MAJOR === 5 ? plain : fc.oneof(plain, plain, richer);

const { reply } = fc.letrec<{ reply: string; value: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, tie('reply')),
  reply: fc.oneof(
    { depthSize: 'small' },
    ...[leaf, leaf, error],
    fc.array(tie('value'), { maxLength: 4 }).map((all) => `*${all.length}\r\n${all.join('')}`),
    ...(MAJOR === 5
      ? []
      : [
          fc.array(tie('value'), { maxLength: 3 }).map((all) => `~${all.length}\r\n${all.join('')}`),
          fc
            .array(fc.tuple(plain, tie('value')), { maxLength: 3 })
            .map((all) => `%${all.length}\r\n${all.flat().join('')}`),
        ]),
  ),
}));

test('any stream of replies, cut anywhere, comes out as from the decoder of ioredis', () => {
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 8 }), (wires, cuts) => {
      const stream = bytes(wires.join(''));
      const at = [0, ...cuts.map((cut) => Math.min(cut, stream.length)), stream.length].sort((a, b) => a - b);
      const chunks = at.slice(1).map((end, i) => stream.subarray(at[i], end));
      const wanted: unknown[] = [];
      reference(wanted)(Buffer.from(stream));
      const got: unknown[] = [];
      decode(
        chunks.filter(({ length }) => length > 0),
        reference(got),
        got,
      );
      expect(got).toEqual(wanted);
    }),
    { numRuns: 1500 },
  );
});

test('a list within more than 32 others is left to somebody else, and nothing has moved', () => {
  const nested = (levels: number): Buffer => Buffer.from(`${'*1\r\n'.repeat(levels)}:1\r\n`);
  const reader = new ReplyReader();
  reader.begin(nested(32), 0);
  expect(JSON.stringify(reader.read(true))).toBe(`${'['.repeat(32)}1${']'.repeat(32)}`);
  reader.begin(nested(33), 0);
  expect(reader.read(true)).toBe(UNREAD);
  expect(reader.at).toBe(0);
  // Those beside each other are not within each other.
  reader.begin(Buffer.from(`*40\r\n${'*1\r\n:1\r\n'.repeat(40)}`), 0);
  expect(reader.read(true)).toHaveLength(40);
});

test('the scanner knows how deep a reply is, and where it ends, whatever follows it', () => {
  const scanner = new ReplyScanner();
  for (const [reply, levels] of [
    ['+OK\r\n', 0],
    ['*0\r\n', 0],
    ['*2\r\n:1\r\n:2\r\n', 1],
    ['*2\r\n*1\r\n:1\r\n%1\r\n+a\r\n*1\r\n:1\r\n', 3],
    [`${'*1\r\n'.repeat(6000)}*0\r\n`, 6000],
  ] as const) {
    scanner.begin();
    expect(scanner.scan(Buffer.from(`${reply}+next\r\n`), 0)).toBe(reply.length);
    expect(scanner.deepest).toBe(levels);
  }
});

test('of what kind a message is, is known as soon as its first text has come, and not before', () => {
  for (const text of [
    '>2\r\n$10\r\ninvalidate\r\n',
    '*3\r\n$10\r\ninvalidate\r\n',
    '>2\r\n+invalidate\r\n',
  ]) {
    for (let end = 1; end < text.length - 1; end++) {
      expect(kindOfMessage(Buffer.from(`..${text.slice(0, end)}`), 2)).toBe(undefined);
    }
    expect(kindOfMessage(Buffer.from(`..${text}rest`), 2)).toBe('invalidate');
  }
  for (const text of ['>1\r\n:5\r\n', '>x', '>1\r\n*1\r\n+a\r\n', `>1\r\n$100\r\n${'x'.repeat(100)}`]) {
    expect(kindOfMessage(Buffer.from(text), 0)).toBe('');
  }
});
