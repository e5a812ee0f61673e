import { atLeast, type Command, type Context, exactly, syntaxError, toBigInt, toInt } from '../command.ts';
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

interface Field {
  readonly signed: boolean;
  readonly width: number;
  readonly at: number;
}

type Overflow = 'wrap' | 'sat' | 'fail';

function toField(type: string, offset: string): Field {
  const [, sign, digits] = /^([iu])([1-9]\d?)$/i.exec(type) ?? [];
  const signed = sign?.toLowerCase() === 'i';
  const width = Number(digits);
  if (sign === undefined || width > (signed ? 64 : 63)) {
    throw new Failure(
      'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
    );
  }
  const at = offset.startsWith('#') ? toOffset(offset.slice(1)) * width : toOffset(offset);
  if (at + width > MOST_BYTES * 8) throw new Failure('ERR bit offset is not an integer or out of range');
  return { signed, width, at };
}

const wrapped = ({ signed, width }: Field, value: bigint): bigint =>
  signed ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value);

function fieldOf(bytes: Buffer, field: Field): bigint {
  let value = 0n;
  for (let i = 0; i < field.width; i++) value = (value << 1n) | BigInt(bitAt(bytes, field.at + i));
  return wrapped(field, value);
}

/** The value as the field can have it; `null` if it is not to be set. */
function fitted(field: Field, value: bigint, overflow: Overflow): bigint | null {
  const inside = wrapped(field, value);
  if (inside === value || overflow === 'wrap') return inside;
  if (overflow === 'fail') return null;
  const most = 2n ** BigInt(field.signed ? field.width - 1 : field.width) - 1n;
  return value > most ? most : field.signed ? -most - 1n : 0n;
}

function putField(bytes: Buffer, { width, at }: Field, value: bigint): void {
  for (let i = 0; i < width; i++) {
    const [place, mask] = [(at + i) >> 3, 128 >> ((at + i) & 7)];
    const isSet = ((value >> BigInt(width - 1 - i)) & 1n) === 1n;
    bytes[place] = isSet ? (bytes[place] ?? 0) | mask : (bytes[place] ?? 0) & ~mask;
  }
}

type Step = (bytes: Buffer) => Reply;

/** Reads the steps of BITFIELD, and to what length the last change needs the value. */
function readSteps(args: readonly string[]): { steps: readonly Step[]; length: number } {
  const words = [...args];
  const steps: Step[] = [];
  let overflow: Overflow = 'wrap';
  let length = 0;
  while (words.length > 0) {
    const word = words.shift()?.toLowerCase();
    if (word === 'overflow') {
      const how = words.shift()?.toLowerCase();
      if (how !== 'wrap' && how !== 'sat' && how !== 'fail')
        throw new Failure('ERR Invalid OVERFLOW type specified');
      overflow = how;
      continue;
    }
    const [type, offset] = words.splice(0, 2);
    if (offset === undefined || type === undefined) throw syntaxError();
    if (word !== 'get' && word !== 'set' && word !== 'incrby') throw syntaxError();
    const text = word === 'get' ? '' : words.shift();
    if (text === undefined) throw syntaxError();
    const field = toField(type, offset);
    if (word === 'get') {
      steps.push((bytes) => fieldOf(bytes, field));
      continue;
    }
    const given = toBigInt(text);
    const now = overflow;
    length = Math.max(length, (field.at + field.width + 7) >> 3);
    steps.push((bytes) => {
      const before = fieldOf(bytes, field);
      const wanted = word === 'incrby' ? before + given : field.signed ? given : BigInt.asUintN(64, given);
      const value = fitted(field, wanted, now);
      if (value !== null) putField(bytes, field, value);
      return value === null || word === 'incrby' ? value : before;
    });
  }
  return { steps, length };
}

function bitField(context: Context, key: string, ...args: string[]): Reply {
  const { steps, length } = readSteps(args);
  const bytes = grown(context, key, length);
  const replies = steps.map((step) => step(bytes));
  if (length > 0) write(context, key, bytes);
  return replies;
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
  bitfield: atLeast(1, bitField),
  bitfield_ro: atLeast(1, (context, key, ...args) => {
    const { steps, length } = readSteps(args);
    if (length > 0) throw new Failure('ERR BITFIELD_RO only supports the GET subcommand');
    return steps.map((step) => step(read(context, key)));
  }),
};
