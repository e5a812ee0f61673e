import type { Spread } from '../lib/statistics.js';

export interface About {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly server: string;
  readonly machine: string;
}
/** Of each contender, lists of what its processes measured. */
export type Measured = Record<string, Record<string, number[]>>;

export class Results {
  static read(): Results;
  add(id: string, about: About, values: Measured): void;
  has(id: string, here: About): boolean;
  spread(id: string, name: string, key: string, scale?: number): Spread | undefined;
  about(ids: readonly string[]): string[];
}
export function collect(
  values: Measured,
  name: string,
  result: Readonly<Record<string, number | readonly number[]>>,
): void;
