import type { ResolvedOptions } from '../api/options.ts';
import { within } from '../util/clock.ts';
import type { PoolContext, PoolSlot } from './context.ts';
import type { Connection } from './dependencies.ts';

/** The limit of a PING before lending; a shorter limit of a dial applies to a PING too. Milliseconds. */
const LONGEST_PING_MS = 1000;

/** How long a PING may take before its connection is given up. Milliseconds. */
export function pingLimit({ connectTimeoutMs }: Pick<ResolvedOptions, 'connectTimeoutMs'>): number {
  return Math.min(LONGEST_PING_MS, connectTimeoutMs);
}

/** The limit of `testOnBorrow` where dials have no deadline. Milliseconds. */
const LONGEST_TEST_MS = 10_000;

/** How long `testOnBorrow` may take. After the deadline of an acquire nobody waits for it. Milliseconds. */
function testLimit({ connectTimeoutMs, acquireTimeoutMs }: ResolvedOptions): number {
  if (Number.isFinite(connectTimeoutMs)) return connectTimeoutMs;
  return Math.min(acquireTimeoutMs, LONGEST_TEST_MS);
}

/** The result of a validation. `silent`: no reply to PING; those that were idle for as long are suspect. */
export type Verdict = 'valid' | 'invalid' | 'silent';

/** Validates idle connections before they are lent. It decides nothing: it returns the result. */
export class Validator {
  readonly #context: PoolContext;
  /** Calls of `testOnBorrow` in progress. */
  readonly #tests = new Set<AbortController>();
  #stopped = false;

  constructor(context: PoolContext) {
    this.#context = context;
  }

  /** Never rejects, and has a time-out. */
  async validate(slot: PoolSlot): Promise<Verdict> {
    const { connection } = slot;
    if (connection === undefined) return 'invalid';
    const { deps, options } = this.#context;
    if (slot.idleMs >= options.checkAfterIdleMs) {
      const answered = await deps.ping(connection, pingLimit(options)).then(
        () => true,
        () => false,
      );
      if (!answered) return 'silent';
    }
    if (this.#stopped) return 'invalid';
    return (await this.#passesOwnTest(slot, connection)) && connection.alive ? 'valid' : 'invalid';
  }

  /** Aborts calls of `testOnBorrow` that are in progress: the pool is closing, and nobody waits for them. */
  stop(): void {
    this.#stopped = true;
    for (const test of this.#tests) test.abort(new Error('the pool is closed'));
  }

  async #passesOwnTest({ idleMs }: PoolSlot, { client }: Connection): Promise<boolean> {
    const { deps, options } = this.#context;
    const over = new AbortController();
    this.#tests.add(over);
    try {
      const test = options.testOnBorrow?.(client, { idleMs, signal: over.signal });
      await within(deps.clock, testLimit(options), test, over.signal);
      return true;
    } catch (error) {
      over.abort(error);
      return false;
    } finally {
      this.#tests.delete(over);
    }
  }
}
