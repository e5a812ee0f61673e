/** A simple string such as OK, distinct from any value of a key. */
export class Status {
  constructor(readonly text: string) {}
}

/** An error reply. Its message begins with a code in capitals, such as ERR; commands throw it. */
export class Failure extends Error {
  override readonly name = 'ReplyError';
}

/** The score of a member, a double in RESP3. */
export class Score {
  constructor(readonly value: number) {}
}

/** Fields and their values. */
export class Pairs {
  constructor(readonly entries: readonly (readonly [Reply, Reply])[]) {}
}

/** The members of a set. */
export class Members {
  constructor(readonly items: readonly Reply[]) {}
}

/** A push, such as a message of a channel. */
export class Push {
  constructor(readonly items: readonly Reply[]) {}
}

/** A reply of the server. A string is a byte string: each character is one byte. */
export type Reply =
  | string
  | number
  | bigint
  | null
  | Status
  | Failure
  | Score
  | Pairs
  | Members
  | Push
  | readonly Reply[];

export const OK = new Status('OK');

/** Encodes text as a byte string. */
export function bytesOf(text: string | Uint8Array): string {
  return Buffer.from(text as string).toString('latin1');
}

/** Decodes a byte string as text. */
export function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString();
}

/** A score in the notation of Redis 7.0, which is that of C's `%.17g`. */
export function scoreText(value: number): string {
  return Number.isFinite(value) ? digits(value, 17) : value > 0 ? 'inf' : '-inf';
}

/** A number with at most `most` significant digits, as C's `%g` writes it. */
export function digits(value: number, most: number): string {
  const [mantissa = '', power = '0'] = value.toExponential(most - 1).split('e');
  const exponent = Number(power);
  const plain = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (exponent >= -4 && exponent < most) return plain(value.toFixed(Math.min(100, most - 1 - exponent)));
  const size = String(Math.abs(exponent)).padStart(2, '0');
  return `${plain(mantissa)}e${exponent < 0 ? '-' : '+'}${size}`;
}
