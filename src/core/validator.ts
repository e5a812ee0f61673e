import type { ResolvedOptions } from '../api/options.ts';
import { within } from '../util/clock.ts';
import type { PoolContext, PoolSlot } from './context.ts';
import type { Connection } from './dependencies.ts';

/** The longest that a PING before lending may take; where a dial may take less, so may a PING. */
const LONGEST_PING_MS = 1000;

/** How long a PING may take until its connection is given up. */
export function pingLimit({ connectTimeoutMs }: Pick<ResolvedOptions, 'connectTimeoutMs'>): number {
  return Math.min(LONGEST_PING_MS, connectTimeoutMs);
}

/** The longest that your own test may take where a dial may take for ever. */
const LONGEST_TEST_MS = 10_000;

/** How long your own test may take. After the deadline of an acquire nobody waits for it. */
function testLimit({ connectTimeoutMs, acquireTimeoutMs }: ResolvedOptions): number {
  if (Number.isFinite(connectTimeoutMs)) return connectTimeoutMs;
  return Math.min(acquireTimeoutMs, LONGEST_TEST_MS);
}

/** What a validation found. `silent`: PING was not answered, and those that were idle as long are suspect. */
export type Verdict = 'valid' | 'invalid' | 'silent';

/** Validates connections that were idle before they are lent. It decides nothing: it returns what it found. */
export class Validator {
  readonly #context: PoolContext;
  /** Runs of `testOnBorrow` under way. */
  readonly #tests = new Set<AbortController>();
  #stopped = false;

  constructor(context: PoolContext) {
    this.#context = context;
  }

  /** Never rejects, and never takes long. */
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

  /** Ends your own tests that still run; the pool is being closed, and nobody waits for them. */
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
