/** What a person has to mend; its message is one sentence that says what. */
export class BadInput extends Error {}

export type Store = 'pool' | 'connect-redis' | 'unbounded' | 'generic-pool';

/** Times are seconds, but `maxP99` is milliseconds. */
export interface Options {
  readonly help?: true;
  readonly url?: string;
  readonly scenario?: string;
  /** A URL, or `memory`. */
  readonly redis?: string;
  readonly metrics?: string;
  readonly store: Store;
  readonly maxActive: number;
  readonly users: number;
  readonly spawnRate: number;
  readonly duration: number;
  readonly wave: number;
  readonly waitScale: number;
  readonly timeout: number;
  readonly processes?: number;
  readonly maxP99?: number;
  readonly maxErrors?: { readonly count: number } | { readonly share: number };
  readonly maxNewConnectionsPerRequest?: number;
  readonly report: string;
  readonly json?: string;
}

export const HELP: string;
export function readOptions(args: readonly string[]): Options;
