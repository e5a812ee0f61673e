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
  constructor(
    readonly value: number,
    readonly text = scoreText(value),
  ) {}
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

/** A number with at most `most` significant digits, as C's `%g` writes it: a half is rounded to the even digit. */
export function digits(value: number, most: number): string {
  if (value === 0 || !Number.isFinite(value)) return value === 0 ? '0' : scoreText(value);
  const size = Math.abs(value);
  const sign = value < 0 ? '-' : '';
  const whole = size.toExponential(100).replace('.', '').split('e');
  const isHalf = /^50*$/.test(whole[0]?.slice(most) ?? '') && Number(whole[0]?.[most - 1]) % 2 === 0;
  const [all = '', power] = isHalf
    ? whole
    : size
        .toExponential(most - 1)
        .replace('.', '')
        .split('e');
  const shown = all.slice(0, most).replace(/0+$/, '');
  const exponent = Number(power);
  const dotted = (from: string, at: number): string =>
    from.length > at ? `${from.slice(0, at)}.${from.slice(at)}` : from.padEnd(at, '0');
  if (exponent < -4 || exponent >= most) {
    const width = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${dotted(shown, 1)}e${exponent < 0 ? '-' : '+'}${width}`;
  }
  return sign + (exponent < 0 ? `0.${'0'.repeat(-exponent - 1)}${shown}` : dotted(shown, exponent + 1));
}
