import type { PoolEventName } from '../../src/api/events.ts';
import type { Lease } from '../../src/api/lease.ts';
import type { PoolOptions } from '../../src/api/options.ts';

/** What a run of the model is about: the pool's options, and how its Redis and its callers are. */
export interface Draw {
  readonly options: {
    readonly maxActive: number;
    readonly maxIdle: number;
    readonly minIdle: number;
    readonly wait: boolean;
    readonly maxWaiting: number;
    readonly maxConnecting: number;
    readonly acquireTimeoutMs: number;
    readonly outageWaitMs: number;
  } & PoolOptions;
  readonly closeMs: number;
  readonly dialMs: number;
  readonly jitter: number;
  /** How long the caller's own check takes; `undefined`: there is none. */
  readonly ownTestMs: number | undefined;
  /** A listener that uses the pool itself, while the pool is telling it something. */
  readonly meddle:
    | { readonly event: PoolEventName; readonly act: 'ask' | 'release' | 'abort' | 'clear' }
    | undefined;
}

/** Someone who asked for a connection, and what became of it. */
export class Caller {
  state: 'asks' | 'holds' | 'gave back' | 'failed' = 'asks';
  lease: Lease | undefined;
  aborted = false;
  /** Redis was down: it must be told so at once. */
  doomed = false;
  /** In which turn it was served. */
  turn = 0;
  /** What it failed with; the caller itself, if it was aborted. */
  error: unknown;
  readonly controller = new AbortController();

  constructor(
    readonly number: number,
    readonly deadline: number,
    readonly afterClose: boolean,
    /** How many asked when it came. */
    readonly ahead: number,
    readonly since: number,
  ) {}
}

interface Turn {
  readonly caller: Caller;
  readonly before: readonly Caller[];
  readonly checks: number;
}

/** Who was served in which order. */
export class Order {
  /** In which turn each connection was last lent. */
  readonly #turns = new Map<number, number>();
  #turn = 0;
  readonly #toJudge: Turn[] = [];

  /** A connection is being lent, this moment; the caller will know later. */
  lent(connectionId: number): void {
    this.#turns.set(connectionId, ++this.#turn);
  }

  served(caller: Caller, lease: Lease, before: readonly Caller[], checks: number): void {
    caller.turn = this.#turns.get(lease.connectionId) ?? 0;
    this.hadTurn(caller, before, checks);
  }

  /** `caller` had its turn though those `before` it still seem to ask, `checks` of them beside the queue. */
  hadTurn(caller: Caller, before: readonly Caller[], checks: number): void {
    if (before.length > 0) this.#toJudge.push({ caller, before, checks });
  }

  /** Who was overtaken, in words; but for those for whom a connection was being checked. */
  judge(): string[] {
    return this.#toJudge.splice(0).flatMap(({ caller, before, checks }) => {
      // A promise may tell of it later than of what happened later.
      const overtaken = before.filter((one) => one.state === 'asks' || one.turn > caller.turn);
      if (overtaken.length <= checks) return [];
      const numbers = overtaken.map(({ number }) => number).join(', ');
      return [`caller ${caller.number}, who ${caller.state}, was before ${numbers}`];
    });
  }
}
