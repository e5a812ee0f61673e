import { atLeast, type Command, type Context, exactly, syntaxError, toInt } from '../command.ts';
import { Failure, type Reply } from '../reply.ts';

/** Redis' limit for the length of a string. Bytes. */
const MOST_BYTES = 512 * 1024 * 1024;

function read({ db }: Context, key: string): Buffer {
  return Buffer.from(db.get('string', key) ?? '', 'latin1');
}

/** A copy of the value, with zeros up to `length`. */
function grown(context: Context, key: string, length: number): Buffer {
  const before = read(context, key);
  return Buffer.concat([before], Math.max(before.length, length));
}

function write({ db }: Context, key: string, bytes: Buffer): void {
  db.set('string', key, bytes.toString('latin1'), { keepTtl: true });
}

function toNumber(text: string, most: number, what: string): number {
  const number = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : -1;
  if (number < 0 || number > most) throw new Failure(`ERR ${what} is not an integer or out of range`);
  return number;
}

const toOffset = (text: string): number => toNumber(text, MOST_BYTES * 8 - 1, 'bit offset');

const bitAt = (bytes: Buffer, at: number): number => ((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;

function setBit(context: Context, key: string, offset: string, bit: string): Reply {
  const at = toOffset(offset);
  const value = toNumber(bit, 1, 'bit');
  const bytes = grown(context, key, (at >> 3) + 1);
  const before = bitAt(bytes, at);
  const mask = 128 >> (at & 7);
  bytes[at >> 3] = value === 1 ? (bytes[at >> 3] ?? 0) | mask : (bytes[at >> 3] ?? 0) & ~mask;
  write(context, key, bytes);
  return before;
}

/** The bits, from the first to the last, that two indexes name; negative ones count from the end. */
function bounds(bytes: Buffer, from = '0', to = '-1', unit = 'byte'): [first: number, last: number] {
  const width = unit.toLowerCase() === 'bit' ? 1 : unit.toLowerCase() === 'byte' ? 8 : 0;
  const [start, end] = [toInt(from), toInt(to)];
  if (width === 0) throw syntaxError();
  const total = (bytes.length * 8) / width;
  const place = (at: number): number => Math.max(0, at < 0 ? total + at : at);
  const last = Math.min(place(end), total - 1);
  // Both before the beginning name nothing, though each alone would name the first.
  if (start < 0 && end < 0 && start > end) return [0, -1];
  return [place(start) * width, (last + 1) * width - 1];
}

function count(context: Context, key: string, from?: string, to?: string, unit?: string): Reply {
  const bytes = read(context, key);
  if (from !== undefined && to === undefined) throw syntaxError();
  const [first, last] = bounds(bytes, from, to, unit);
  let sum = 0;
  for (let at = first; at <= last; at++) sum += bitAt(bytes, at);
  return sum;
}

function position(
  context: Context,
  key: string,
  bit: string,
  from?: string,
  to?: string,
  unit?: string,
): Reply {
  const wanted = toInt(bit);
  if (wanted !== 0 && wanted !== 1) throw new Failure('ERR The bit argument must be 1 or 0.');
  const bytes = read(context, key);
  if (!context.db.has(key)) return wanted === 1 ? -1 : 0;
  const [first, last] = bounds(bytes, from, to, unit);
  for (let at = first; at <= last; at++) if (bitAt(bytes, at) === wanted) return at;
  // Without an end, zeros are taken to follow the value.
  return wanted === 0 && to === undefined && first <= last ? bytes.length * 8 : -1;
}

const OPERATIONS: Readonly<Record<string, (a: number, b: number) => number>> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  not: (a) => ~a & 255,
};

function combine(context: Context, name: string, target: string, ...keys: string[]): Reply {
  const word = name.toLowerCase();
  const operation = Object.hasOwn(OPERATIONS, word) ? OPERATIONS[word] : undefined;
  if (operation === undefined) throw syntaxError();
  if (word === 'not' && keys.length !== 1) {
    throw new Failure('ERR BITOP NOT must be called with a single source key.');
  }
  const values = keys.map((key) => read(context, key));
  const length = Math.max(...values.map((one) => one.length));
  const combined = Array.from({ length }, (_, i) => {
    const bytes = values.map((one) => one[i] ?? 0);
    return word === 'not' ? operation(bytes[0] ?? 0, 0) : bytes.reduce(operation);
  });
  if (length === 0) context.db.delete(target);
  else context.db.set('string', target, Buffer.from(combined).toString('latin1'));
  return length;
}

function setRange(context: Context, key: string, offset: string, part: string): Reply {
  const at = toInt(offset);
  if (at < 0) throw new Failure('ERR offset is out of range');
  const { length } = read(context, key);
  if (part === '') return length;
  if (at + part.length > MOST_BYTES) {
    throw new Failure('ERR string exceeds maximum allowed size (proto-max-bulk-len)');
  }
  const bytes = grown(context, key, at + part.length);
  bytes.write(part, at, 'latin1');
  write(context, key, bytes);
  return bytes.length;
}

export const bits: Readonly<Record<string, Command>> = {
  setbit: exactly(3, setBit),
  getbit: exactly(2, (context, key, offset) => {
    const at = toOffset(offset);
    return bitAt(read(context, key), at);
  }),
  bitcount: atLeast(1, (context, key, ...rest) => {
    if (rest.length > 3) throw syntaxError();
    return count(context, key, ...rest);
  }),
  bitpos: atLeast(2, position),
  bitop: atLeast(3, combine),
  setrange: exactly(3, setRange),
};
