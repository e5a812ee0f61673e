import { within } from './clock.ts';
import type { Connections } from './connections.ts';
import type { Connection } from './hands.ts';
import type { House, PoolSlot } from './house.ts';
import type { IdleConnections } from './idle.ts';

/** The longest that a PING before lending may take; where a dial may take less, so may a PING. */
const LONGEST_PING_MS = 1000;

/** Looks at connections that were idle before they are lent. A fresh one needs no look. */
export class Checker {
  readonly #house: House;
  readonly #connections: Connections;
  readonly #idle: IdleConnections;
  readonly #passed: (slot: PoolSlot) => void;

  /** `passed` takes a connection that nobody waits for, and that has passed its check. */
  constructor(
    house: House,
    connections: Connections,
    idle: IdleConnections,
    passed: (slot: PoolSlot) => void,
  ) {
    this.#house = house;
    this.#connections = connections;
    this.#idle = idle;
    this.#passed = passed;
  }

  /** Whether `slot`, just taken from the idle ones, must be looked at before it is lent. */
  due(slot: PoolSlot): boolean {
    return this.#old(slot) || this.#house.options.testOnBorrow !== undefined;
  }

  /** Whether `slot` may be lent; if not, it is closed. Never rejects, and never takes long. */
  async run(slot: PoolSlot): Promise<boolean> {
    const restedSince = slot.since - slot.idleMs;
    const verdict = slot.connection ? await this.#look(slot, slot.connection) : 'refused';
    if (slot.state !== 'inUse') return false; // cut off when the pool was closed
    if (verdict === 'passed') return true;
    this.#connections.retire(slot, 'broken');
    if (verdict === 'silent') this.#doubt(restedSince);
    return false;
  }

  /** What fell silent was not alone: everything that rested as long is looked at now, in the background. */
  #doubt(restedSince: number): void {
    for (const suspect of this.#idle.restingSince(restedSince)) {
      this.#idle.borrow(suspect, this.#house.hands.clock.now());
      void this.run(suspect).then((passed) => {
        if (passed) this.#passed(suspect);
      });
    }
  }

  async #look(slot: PoolSlot, connection: Connection): Promise<'passed' | 'refused' | 'silent'> {
    if (!connection.alive) return 'refused';
    const { hands, options } = this.#house;
    if (this.#old(slot)) {
      const limit = Math.min(LONGEST_PING_MS, options.connectTimeoutMs);
      const answered = await hands.check(connection, limit).then(
        () => true,
        () => false,
      );
      if (!answered) return 'silent';
    }
    return (await this.#passesOwnTest(slot, connection)) ? 'passed' : 'refused';
  }

  #old(slot: PoolSlot): boolean {
    return slot.idleMs >= this.#house.options.checkAfterIdleMs;
  }

  async #passesOwnTest({ idleMs }: PoolSlot, { client }: Connection): Promise<boolean> {
    const { hands, options } = this.#house;
    const over = new AbortController();
    try {
      const test = options.testOnBorrow?.(client, { idleMs, signal: over.signal });
      await within(hands.clock, options.connectTimeoutMs, test);
      return true;
    } catch (error) {
      over.abort(error);
      return false;
    }
  }
}
