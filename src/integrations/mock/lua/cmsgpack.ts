import { itemsOf, type LuaValue, listOf, Other, type Table } from './values.ts';

/** Encodes a value in MessagePack, as the cmsgpack of Redis does. */
export function packValue(value: LuaValue, depth = 0): Buffer {
  if (value === undefined || value === null || value instanceof Other || depth > 16) return Buffer.of(0xc0);
  if (typeof value === 'boolean') return Buffer.of(value ? 0xc3 : 0xc2);
  if (typeof value === 'number') return packNumber(value);
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'latin1');
    return Buffer.concat([head(bytes.length, [0xa0, 32], 0xd9, 0xda, 0xdb), bytes]);
  }
  const items = itemsOf(value);
  if (items.length === value.size) {
    const packed = items.map((one) => packValue(one, depth + 1));
    return Buffer.concat([head(items.length, [0x90, 16], undefined, 0xdc, 0xdd), ...packed]);
  }
  const packed = [...value].flat().map((one) => packValue(one, depth + 1));
  return Buffer.concat([head(value.size, [0x80, 16], undefined, 0xde, 0xdf), ...packed]);
}

/** The first bytes of what has a length. */
function head(
  length: number,
  [fixed, most]: readonly [number, number],
  one: number | undefined,
  two: number,
  four: number,
): Buffer {
  if (length < most) return Buffer.of(fixed | length);
  if (one !== undefined && length < 256) return Buffer.of(one, length);
  return length < 65_536 ? sized(two, 2, length) : sized(four, 4, length);
}

function sized(type: number, width: number, value: number): Buffer {
  const bytes = Buffer.alloc(1 + width, type);
  bytes.writeUIntBE(value, 1, width);
  return bytes;
}

function packNumber(value: number): Buffer {
  if (!Number.isInteger(value) || Math.abs(value) >= 2 ** 63) {
    const isShort = Math.fround(value) === value;
    const bytes = Buffer.alloc(isShort ? 5 : 9, isShort ? 0xca : 0xcb);
    isShort ? bytes.writeFloatBE(value, 1) : bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (value >= 0) {
    if (value < 128) return Buffer.of(value);
    if (value < 2 ** 8) return Buffer.of(0xcc, value);
    if (value < 2 ** 16) return sized(0xcd, 2, value);
    if (value < 2 ** 32) return sized(0xce, 4, value);
  } else {
    if (value >= -32) return Buffer.of(256 + value);
    if (value >= -(2 ** 7)) return Buffer.of(0xd0, 256 + value);
    if (value >= -(2 ** 15)) return sized(0xd1, 2, 2 ** 16 + value);
    if (value >= -(2 ** 31)) return sized(0xd2, 4, 2 ** 32 + value);
  }
  const bytes = Buffer.alloc(9, value >= 0 ? 0xcf : 0xd3);
  bytes.writeBigInt64BE(BigInt.asIntN(64, BigInt(value)), 1);
  return bytes;
}

/** Decodes all values that follow each other in `text`; throws what cmsgpack says. */
export function unpackValues(text: string): LuaValue[] {
  const reader = new Reader(Buffer.from(text, 'latin1'));
  const values: LuaValue[] = [];
  while (reader.left > 0) values.push(reader.value());
  return values;
}

class Reader {
  #at = 0;

  constructor(readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.#at;
  }

  value(): LuaValue {
    const type = this.#number(1);
    if (type < 0x80) return type;
    if (type < 0x90) return this.#map(type & 15);
    if (type < 0xa0) return this.#list(type & 15);
    if (type < 0xc0) return this.#text(type & 31);
    if (type >= 0xe0) return type - 256;
    const width = 2 ** (type & 3);
    if (type === 0xc0) return undefined;
    if (type === 0xc2 || type === 0xc3) return type === 0xc3;
    if (type >= 0xc4 && type <= 0xc6) return this.#text(this.#number(2 ** (type - 0xc4)));
    if (type === 0xca) return this.#take(4).readFloatBE();
    if (type === 0xcb) return this.#take(8).readDoubleBE();
    if (type === 0xcf) return Number(this.#take(8).readBigUInt64BE());
    if (type === 0xd3) return Number(this.#take(8).readBigInt64BE());
    if (type >= 0xcc && type <= 0xce) return this.#number(width);
    if (type >= 0xd0 && type <= 0xd2) return this.#take(width).readIntBE(0, width);
    if (type >= 0xd9 && type <= 0xdb) return this.#text(this.#number(2 ** (type - 0xd9)));
    if (type === 0xdc || type === 0xdd) return this.#list(this.#number(type === 0xdc ? 2 : 4));
    if (type === 0xde || type === 0xdf) return this.#map(this.#number(type === 0xde ? 2 : 4));
    throw new Error('Bad data format in input.');
  }

  #take(count: number): Buffer {
    if (count > this.left) throw new Error('Missing bytes in input.');
    this.#at += count;
    return this.bytes.subarray(this.#at - count, this.#at);
  }

  #number(width: number): number {
    return this.#take(width).readUIntBE(0, width);
  }

  #text(length: number): string {
    return this.#take(length).toString('latin1');
  }

  #list(length: number): Table {
    return listOf(Array.from({ length }, () => this.value()));
  }

  #map(size: number): Table {
    const table: Table = new Map();
    for (let i = 0; i < size; i++) {
      const key = this.value();
      table.set(key, this.value());
    }
    return table;
  }
}
