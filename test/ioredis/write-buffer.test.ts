import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { WriteBuffer } from '../../src/ioredis/write-buffer.ts';

/** A client whose socket notes what is written to it, and in how many system calls. */
function client() {
  const calls: (string | Buffer)[][] = [];
  let corked: (string | Buffer)[] | undefined;
  const stream = {
    write: (data: string | Buffer) => void (corked ? corked.push(data) : calls.push([data])),
    cork: () => {
      corked = [];
    },
    uncork: () => {
      calls.push(corked ?? []);
      corked = undefined;
    },
  };
  return { calls, buffer: new WriteBuffer({ stream } as unknown as Redis) };
}

test('what is short is written together', () => {
  const { calls, buffer } = client();
  for (const part of ['a', 'b', 'c']) buffer.append(part);
  expect(calls).toEqual([]);
  expect(buffer.gathered).toBe(3);
  buffer.flush();
  expect(calls).toEqual([['abc']]);
  buffer.flush();
  expect(calls).toEqual([['abc']]);
});

test('what is long is written in parts of 32 KiB or little more, in order', () => {
  const { calls, buffer } = client();
  const parts = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(1000, '.'));
  for (const part of parts) buffer.append(part);
  expect(buffer.gathered).toBe(100_000);
  buffer.flush();
  expect(calls.map(([data]) => data?.length)).toEqual([33_000, 33_000, 33_000, 1000]);
  expect(calls.flat().join('')).toBe(parts.join(''));
});

test('text and Buffers are written in order, in one system call', () => {
  const { calls, buffer } = client();
  const bytes = Buffer.from('bytes');
  buffer.append('before ');
  buffer.append(bytes);
  buffer.append(' after');
  buffer.append('x'.repeat(40_000));
  buffer.flush();
  expect(calls).toEqual([['before ', bytes, ` after${'x'.repeat(40_000)}`]]);
});
