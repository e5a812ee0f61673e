/** A reply such as OK, which no value of a key can be. */
export class Status {
  constructor(readonly text: string) {}
}

/** An error reply. Its message begins with a code in capitals, such as ERR; commands throw it. */
export class Failure extends Error {
  override readonly name = 'ReplyError';
}

/** The score of a member, which RESP3 has a type for. */
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

/** What the server says unasked, as a message of a channel. */
export class Push {
  constructor(readonly items: readonly Reply[]) {}
}

/** What the server says. A string is a row of bytes, one in each character. */
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

/** Text as a row of bytes. */
export function bytesOf(text: string | Uint8Array): string {
  return Buffer.from(text as string).toString('latin1');
}

/** A row of bytes as text. */
export function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString();
}

/** A score as Redis writes it. */
export function scoreText(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? 'inf' : '-inf';
}
