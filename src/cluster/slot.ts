/** How many slots there are. */
export const SLOTS = 16_384;

/** CRC-16/XMODEM, as the cluster's specification says. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

// Not as methods: ioredis 6 has a class that extends String, and since then V8 looks up each method of a string at each
// call, which takes several times as long as all the rest here.
const { call } = Function.prototype;
const codeAt: (text: string, index: number) => number = call.bind(String.prototype.charCodeAt);
const find: (text: string, what: string, from?: number) => number = call.bind(String.prototype.indexOf);

/** The slot that `key` belongs to: that of its first hash tag, if it has one with something in it. */
export function slotOf(key: string | Buffer): number {
  if (typeof key !== 'string') return slotOfBytes(key);
  let from = 0;
  let to = key.length;
  const open = find(key, '{');
  if (open >= 0) {
    const close = find(key, '}', open + 1);
    if (close > open + 1) [from, to] = [open + 1, close];
  }
  let crc = 0;
  for (let i = from; i < to; i++) {
    const code = codeAt(key, i);
    if (code > 0x7f) return slotOfBytes(Buffer.from(key)); // takes more than a byte
    crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ code] as number);
  }
  return crc & (SLOTS - 1);
}

function slotOfBytes(key: Buffer): number {
  let from = 0;
  let to = key.length;
  const open = key.indexOf(0x7b);
  if (open >= 0) {
    const close = key.indexOf(0x7d, open + 1);
    if (close > open + 1) [from, to] = [open + 1, close];
  }
  let crc = 0;
  for (let i = from; i < to; i++) {
    crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ (key[i] as number)] as number);
  }
  return crc & (SLOTS - 1);
}
