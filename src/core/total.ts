import type { Clock } from '../util/clock.ts';
import type { ConnectionPoolOwner } from './context.ts';
import type { IdleConnections } from './idle-connections.ts';
import type { Slots } from './slot.ts';

/** What has been idle for so long is closed for whoever waits elsewhere, even if that has as many. Milliseconds. */
export const RESTED_MS = 50;

/** One of the pools that share a bound. */
export interface Sharer {
  readonly slots: Pick<Slots<unknown>, 'total' | 'count' | 'openCount'>;
  readonly idle: Pick<IdleConnections, 'closeOldest'>;
  readonly owner: Pick<ConnectionPoolOwner, 'waiting'>;
  /** Dials for those who wait, as far as there is room. */
  dialMore(): void;
}

/**
 * How long a connection has to have been idle to be closed for a pool that has `wanting`, by one that has `has`. At
 * once, if that one has none, or far less: so nobody starves. Else only if it really rests: pools under load would take
 * connections from each other for ever.
 */
export function restFor(has: number, wanting: number): number {
  return wanting === 0 || has >= wanting + 2 ? 0 : RESTED_MS;
}

/** A bound on the connections of several pools together. Who waits for room has it in turn. */
export class Total {
  readonly #max: number;
  readonly #clock: Clock;
  readonly #sharers = new Set<Sharer>();
  /** Those where somebody waits for room, in order. */
  readonly #claims = new Set<Sharer>();
  #cancelLook: (() => void) | undefined;

  constructor(max: number, clock: Clock) {
    this.#max = max;
    this.#clock = clock;
  }

  join(sharer: Sharer): Share {
    this.#sharers.add(sharer);
    return new Share(this, sharer);
  }

  leave(sharer: Sharer): void {
    this.drop(sharer);
    this.#sharers.delete(sharer);
  }

  /** How many `sharer` may dial now. Others have claimed some of the room before. */
  roomFor(sharer: Sharer): number {
    let room = this.#free;
    for (const claim of this.#claims) {
      if (claim === sharer) break;
      room--;
    }
    return room;
  }

  /** How many more callers of `sharer` can count on a connection: what is idle elsewhere can be closed for them. */
  capacityFor(sharer: Sharer): number {
    let busy = sharer.slots.openCount;
    for (const { slots } of this.#others(sharer)) busy += slots.count.inUse + slots.count.connecting;
    return Math.max(0, this.#max - busy);
  }

  /** Somebody at `sharer` waits for room. */
  claim(sharer: Sharer): void {
    this.#claims.add(sharer);
    this.#makeRoom();
  }

  drop(sharer: Sharer): void {
    if (this.#claims.delete(sharer)) this.freed();
  }

  /** `sharer` has taken what it has claimed. */
  opened(sharer: Sharer): void {
    this.#claims.delete(sharer);
  }

  /** There may be room. */
  freed(): void {
    const [first] = this.#claims;
    if (first && this.#free > 0) first.dialMore();
  }

  /** Whether `sharer` is to close a connection that it has done with, for somebody elsewhere. */
  takesFrom(sharer: Sharer): boolean {
    const [first] = this.#claims;
    if (first === undefined || first === sharer || this.#coming >= this.#claims.size) return false;
    return restFor(sharer.slots.total, first.slots.total) === 0;
  }

  get #free(): number {
    let taken = 0;
    for (const { slots } of this.#sharers) taken += slots.total;
    return this.#max - taken;
  }

  /** The room there is, and will be as soon as sockets are closed. */
  get #coming(): number {
    let closing = 0;
    for (const { slots } of this.#sharers) closing += slots.count.closing;
    return this.#free + closing;
  }

  #others(sharer: Sharer): Sharer[] {
    return [...this.#sharers].filter((one) => one !== sharer);
  }

  /** Has others close what they can do without; looks again in a while, as long as anybody waits. */
  readonly #makeRoom = (): void => {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    const now = this.#clock.now();
    let missing = this.#claims.size - this.#coming;
    for (const claim of [...this.#claims]) {
      if (missing-- <= 0) break;
      const others = this.#others(claim).sort((a, b) => b.slots.total - a.slots.total);
      const rest = (one: Sharer): number => restFor(one.slots.total, claim.slots.total);
      if (others.some((one) => one.idle.closeOldest(now - rest(one)))) continue;
      others.find((one) => one.slots.count.inUse > 0 && rest(one) === 0)?.owner.waiting(1);
    }
    if (this.#claims.size > 0 && this.#cancelLook === undefined) {
      this.#cancelLook = this.#clock.after(RESTED_MS, this.#makeRoom, 'background');
    }
  };
}

/** The part that one pool has in a {@link Total}. */
export class Share {
  readonly #total: Total;
  readonly #sharer: Sharer;

  constructor(total: Total, sharer: Sharer) {
    this.#total = total;
    this.#sharer = sharer;
  }

  /** How many more it may dial. */
  get room(): number {
    return this.#total.roomFor(this.#sharer);
  }

  /** Whether it may not dial one more. If so, and that is `awaited`, room is made. */
  isFull(awaited: boolean): boolean {
    if (this.room > 0) return false;
    if (awaited) this.#total.claim(this.#sharer);
    else this.drop();
    return true;
  }

  /** How many callers without a connection can count on one. */
  get capacity(): number {
    return this.#total.capacityFor(this.#sharer);
  }

  /** Why a connection that comes back is to be closed: for somebody elsewhere. */
  get whyGive(): 'excess' | undefined {
    return this.#total.takesFrom(this.#sharer) ? 'excess' : undefined;
  }

  opened(): void {
    this.#total.opened(this.#sharer);
  }

  freed(): void {
    this.#total.freed();
  }

  /** Nobody waits for room any more. */
  drop(): void {
    this.#total.drop(this.#sharer);
  }

  leave(): void {
    this.#total.leave(this.#sharer);
  }
}
