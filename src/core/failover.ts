import type { PoolContext, PoolSlot } from './context.ts';
import type { FailoverWatch, Whereabouts } from './dependencies.ts';
import type { Dialer } from './dialer.ts';
import type { IdleConnections } from './idle-connections.ts';

/** For so long sentinels are watched although the pool has no connection, and does not dial. Milliseconds. */
const UNWANTED_MS = 10_000;

/** Closes connections to a server that is no longer the master; commands that wait for its replies are rejected. */
export class Failover {
  readonly #context: PoolContext;
  readonly #dialer: Dialer;
  readonly #idle: IdleConnections;
  readonly #dialMore: () => void;
  readonly #watch: FailoverWatch | undefined;
  /** How many dials there had been at the last look, and when the pool last had a connection or dialled. */
  #dials = 0;
  #wantedAt = 0;

  /** `undefined` where there are no sentinels. */
  static of(...parts: ConstructorParameters<typeof Failover>): Failover | undefined {
    const failover = new Failover(...parts);
    return failover.#watch && failover;
  }

  constructor(context: PoolContext, dialer: Dialer, idle: IdleConnections, dialMore: () => void) {
    this.#context = context;
    this.#dialer = dialer;
    this.#idle = idle;
    this.#dialMore = dialMore;
    this.#watch = context.deps.watchFailovers({
      isWanted: () => this.#isWanted(),
      moved: (whereabouts) => this.#moved(whereabouts),
    });
  }

  /** Sockets to sentinels. */
  get sockets(): number {
    return this.#watch?.sockets ?? 0;
  }

  /** A dial has succeeded: from now on sentinels are watched. */
  begin(): void {
    this.#watch?.start();
  }

  stop(): Promise<void> | undefined {
    return this.#watch?.stop();
  }

  #isWanted(): boolean {
    const { deps, events, slots } = this.#context;
    const now = deps.clock.now();
    if (slots.total > 0 || events.counts.connecting !== this.#dials) this.#wantedAt = now;
    this.#dials = events.counts.connecting;
    return now - this.#wantedAt < UNWANTED_MS;
  }

  #moved({ fateOf, cause, changed }: Whereabouts): void {
    for (const slot of this.#context.slots.all) {
      const fate = fateOf(slot.connection?.places ?? []);
      if (fate === 'keep') continue;
      slot.stale ??= 'stale';
      if (fate === 'cut') this.#cut(slot, cause);
    }
    this.#idle.closeStale();
    if (!changed) return;
    this.#dialer.hurry();
    this.#dialMore();
  }

  #cut(slot: PoolSlot, cause: Error): void {
    if (slot.state === 'connecting') this.#dialer.close(slot, 'stale');
    else if (slot.state !== 'inUse') return;
    slot.judged = true; // it did not die: nothing is to be learnt for further dials
    slot.connection?.cut(cause);
  }
}
