import type { ResolvedOptions } from '../api/options.ts';
import { within } from '../util/clock.ts';
import type { PoolContext, PoolSlot } from './context.ts';
import type { Connection } from './dependencies.ts';
import type { Dialer } from './dialer.ts';
import type { IdleConnections } from './idle-connections.ts';

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

/** Looks at connections that were idle before they are lent. A fresh one needs no look. */
export class Validator {
  readonly #context: PoolContext;
  readonly #connections: Dialer;
  readonly #idle: IdleConnections;
  /** Runs of `testOnBorrow` under way. */
  readonly #tests = new Set<AbortController>();
  #stopped = false;
  #doubted = 0;
  readonly #passed: (slot: PoolSlot, restedSince: number) => void;

  /** `passed` takes a connection that was doubted, and has passed its check. */
  constructor(
    context: PoolContext,
    connections: Dialer,
    idle: IdleConnections,
    passed: (slot: PoolSlot, restedSince: number) => void,
  ) {
    this.#context = context;
    this.#connections = connections;
    this.#idle = idle;
    this.#passed = passed;
  }

  /** How many are being looked at for nobody in particular. */
  get suspects(): number {
    return this.#doubted;
  }

  /** Whether `slot`, just taken from the idle ones, must be looked at before it is lent. */
  isDue(slot: PoolSlot): boolean {
    // Your own test is for what somebody has used; and so an acquire ends, even if it always fails.
    return this.#old(slot) || (slot.uses > 0 && this.#context.options.testOnBorrow !== undefined);
  }

  /** Whether `slot` may be lent; if not, it is closed. Never rejects, and never takes long. */
  async run(slot: PoolSlot): Promise<boolean> {
    const restedSince = slot.since - slot.idleMs;
    const verdict = slot.connection ? await this.#look(slot, slot.connection) : 'refused';
    if (slot.state !== 'inUse') return false; // cut off when the pool was closed
    const fit = verdict === 'passed' && slot.connection?.alive;
    if (fit && !slot.stale) return true;
    this.#connections.close(slot, this.#stopped ? 'poolClosed' : fit ? 'cleared' : 'broken');
    if (verdict === 'silent') this.#doubt(restedSince);
    return false;
  }

  /** Ends your own tests that still run; the pool is being closed, and nobody waits for them. */
  stop(): void {
    this.#stopped = true;
    for (const test of this.#tests) test.abort(new Error('the pool is closed'));
  }

  /** What fell silent was not alone: everything that rested as long is looked at now, in the background. */
  #doubt(restedSince: number): void {
    for (const suspect of this.#idle.restingSince(restedSince)) {
      const { since } = this.#idle.borrow(suspect, this.#context.deps.clock.now());
      this.#doubted++;
      void this.run(suspect).then((passed) => {
        this.#doubted--;
        if (passed) this.#passed(suspect, since - suspect.idleMs);
      });
    }
  }

  async #look(slot: PoolSlot, connection: Connection): Promise<'passed' | 'refused' | 'silent'> {
    const { deps, options } = this.#context;
    if (this.#old(slot)) {
      const answered = await deps.ping(connection, pingLimit(options)).then(
        () => true,
        () => false,
      );
      if (!answered) return 'silent';
    }
    if (this.#stopped) return 'refused';
    return (await this.#passesOwnTest(slot, connection)) ? 'passed' : 'refused';
  }

  #old(slot: PoolSlot): boolean {
    return slot.idleMs >= this.#context.options.checkAfterIdleMs;
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
