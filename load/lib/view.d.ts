/** One second of a run. Times of requests are milliseconds, shares are of one core. */
export interface Second {
  /** Since the start, in seconds. */
  readonly at: number;
  readonly users: number;
  readonly requests: number;
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
  readonly redis?: {
    readonly open: number;
    readonly peak: number;
    readonly dialled: number;
    readonly cpu: number;
  };
  /** All pools together. */
  readonly pool?: {
    readonly inUse: number;
    readonly open: number;
    readonly waiting: number;
    readonly maxActive: number;
  };
  readonly appCpu?: number;
}

/** Several seconds as one: the times are those of the busiest. */
export function together(seconds: readonly Second[]): Second;
export function line(second: Second): string;
export function view(
  seconds: readonly Second[],
  plan: { readonly duration: number; readonly users: number; readonly wave: number },
): string;
