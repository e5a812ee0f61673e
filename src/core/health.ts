import type { HealthOptions, PoolHealth } from '../api/stats.ts';
import { readTime } from '../api/validate.ts';
import { type Clock, within } from '../util/clock.ts';
import type { ConnectionPool } from './connection-pool.ts';
import type { PoolContext, PoolSlot } from './context.ts';
import type { Events } from './events.ts';
import { whyNoConnection } from './pool-errors.ts';
import { describe, type LaneLoad } from './stats.ts';
import { pingLimit } from './validator.ts';

/** The default of `timeoutMs`. */
export const HEALTH_TIMEOUT_MS = 1000;

const READ_ONLY = 'Redis refuses writes: READONLY, it is a replica';

/**
 * Checks whether Redis replies, without taking a connection: PING is sent over one that stays idle or with its lane.
 * Replies come in order, so a caller that takes the connection meanwhile is not affected.
 */
export class Health {
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  readonly #lanes: () => LaneLoad;

  constructor(context: PoolContext, connections: ConnectionPool, lanes: () => LaneLoad) {
    this.#context = context;
    this.#connections = connections;
    this.#lanes = lanes;
  }

  /** Implements `health()`. Never rejects: wrong options, too, are reported as `error`. */
  async check(options: HealthOptions = {}): Promise<PoolHealth> {
    const { deps, events } = this.#context;
    return reportHealth(deps.clock, events, async () => {
      const asked = await this.#ask(readTime(options, 'timeoutMs', HEALTH_TIMEOUT_MS));
      if (this.#connections.refusesWrites) throw new Error(READ_ONLY);
      return asked;
    });
  }

  /** Resolves with whether a PING was sent, or a connect was made; rejects if there is no reply. */
  async #ask(timeoutMs: number): Promise<boolean> {
    if (this.#connections.status === 'end') throw new Error('the pool is closed');
    this.#connections.renew(); // INFO over a new connection says whether it leads to a master
    const lane = this.#quietestLane();
    const { topIdle } = this.#connections;
    if (lane?.connection) await this.#context.deps.ping(lane.connection, timeoutMs);
    else if (topIdle) await this.#askIdle(topIdle, timeoutMs);
    else return this.#connect(timeoutMs);
    return true;
  }

  /** The lane with the fewest commands in flight. */
  #quietestLane(): PoolSlot | undefined {
    const alive = this.#lanes().open.filter(({ slot }) => slot?.connection?.alive);
    return alive.sort((a, b) => a.inFlight - b.inFlight)[0]?.slot;
  }

  /** A connection without a reply within the time-out of every PING is closed; the next check dials another. */
  async #askIdle(slot: PoolSlot, timeoutMs: number): Promise<void> {
    const { deps, options } = this.#context;
    const { connection, since } = slot;
    if (!connection) throw new Error('bug: an idle slot without a connection');
    try {
      await deps.ping(connection, timeoutMs);
    } catch (error) {
      const untouched = slot.state === 'idle' && slot.since === since;
      if (untouched && timeoutMs >= pingLimit(options)) this.#connections.closeIdle(slot, 'broken');
      throw error;
    }
  }

  /** No connection is open to send PING over. That a connect succeeds is enough. */
  async #connect(timeoutMs: number): Promise<boolean> {
    const { unreachable } = this.#connections;
    const { deps, slots } = this.#context;
    if (unreachable) throw new Error(whyNoConnection(unreachable));
    if (slots.count.inUse === slots.maxActive) return this.#judge(timeoutMs);
    try {
      await within(deps.clock, timeoutMs, this.#connections.oneIdle());
      return true;
    } catch (error) {
      if (slots.count.inUse === slots.maxActive) return this.#judge(timeoutMs);
      throw error;
    }
  }

  /** All connections are in use: whether they are released shows only in how long callers wait. */
  #judge(timeoutMs: number): false {
    const { waitingSince } = this.#connections;
    const { events, deps } = this.#context;
    const waitedMs = deps.clock.now() - (waitingSince ?? Number.POSITIVE_INFINITY);
    if (waitedMs < timeoutMs || waitingSince === undefined) return false;
    throw new Error(
      `no connection has come free for ${Math.round(waitedMs)} ms (${describe(events.stats())})`,
    );
  }
}

/** What `health()` resolves with: `check` resolves with whether Redis was asked, which took time, or throws what is wrong. */
export async function reportHealth(
  clock: Clock,
  { stats }: Events,
  check: () => Promise<boolean>,
): Promise<PoolHealth> {
  const since = clock.now();
  try {
    const found = (await check()) ? { ok: true, latencyMs: clock.now() - since } : { ok: true };
    return Object.freeze({ ...found, stats: stats() });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return Object.freeze({ ok: false, error: why, stats: stats() });
  }
}
