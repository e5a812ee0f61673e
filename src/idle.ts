import { List } from './core/list.ts';
import { whyClose } from './core/reap.ts';
import type { House, PoolSlot } from './house.ts';
import type { CloseReason } from './redis-pool.ts';

/** What is done with those that have to go. */
export interface IdleOwner {
  retire(slot: PoolSlot, reason: CloseReason): void;
  /** The reaper has made its round. */
  reaped(): void;
}

/**
 * Connections at rest, and the reaper over them. Last in, first out: those at the bottom can grow old, so that
 * the pool shrinks to what its load needs.
 */
export class IdleConnections {
  readonly #house: House;
  readonly #owner: IdleOwner;
  /** The last is the one that came to rest last. */
  readonly #stack = new List<PoolSlot>();
  #cancelReaper: (() => void) | undefined;

  constructor(house: House, owner: IdleOwner) {
    this.#house = house;
    this.#owner = owner;
  }

  /** How many rest here. */
  get length(): number {
    return this.#stack.length;
  }

  /** Puts a connection on top, idle from now on. */
  put(slot: PoolSlot, now: number): void {
    if (slot.state !== 'idle') this.#house.ledger.move(slot, 'idle', now);
    this.#stack.push(slot);
    if (this.#cancelReaper === undefined) this.#startReaper();
  }

  /** Takes the top one that may still be lent, in use from now on; closes what it finds expired. */
  take(now: number): PoolSlot | undefined {
    for (let slot = this.#stack.last; slot; slot = this.#stack.last) {
      const reason = whyClose(slot, this.#stack.length, now, this.#house.options);
      if (reason) this.close(slot, reason);
      else return this.borrow(slot, now);
    }
    return undefined;
  }

  /** Takes `slot`, in use from now on. */
  borrow(slot: PoolSlot, now: number): PoolSlot {
    this.#stack.remove(slot);
    slot.idleMs = now - slot.since;
    this.#house.ledger.move(slot, 'inUse', now);
    return slot;
  }

  /** Closes what lies on top of the first `maxIdle`. */
  trim(): void {
    const { maxIdle } = this.#house.options;
    for (let slot = this.#stack.last; slot && this.#stack.length > maxIdle; slot = this.#stack.last) {
      this.close(slot, 'excess');
    }
  }

  close(slot: PoolSlot, reason: CloseReason): void {
    this.#stack.remove(slot);
    this.#owner.retire(slot, reason);
  }

  closeAll(reason: CloseReason): void {
    for (const slot of this.#all()) this.close(slot, reason);
  }

  /** Those that have rested since `moment` or longer. */
  restingSince(moment: number): PoolSlot[] {
    return this.#all().filter((slot) => slot.since <= moment);
  }

  stop(): void {
    this.#cancelReaper?.();
    this.#cancelReaper = undefined;
  }

  /** Runs while something rests here; it must not keep the process alive, nor die of anything. */
  #startReaper(): void {
    const { hands, options } = this.#house;
    this.#cancelReaper = hands.clock.after(
      options.reapIntervalMs,
      () => {
        this.#cancelReaper = undefined;
        try {
          this.#reap(hands.clock.now());
        } catch (error) {
          process.emitWarning(`the reaper of pool ${options.name} stumbled: ${String(error)}`, 'PoolWarning');
        } finally {
          if (this.length > 0 && this.#cancelReaper === undefined) this.#startReaper();
        }
      },
      'background',
    );
  }

  #reap(now: number): void {
    for (const slot of this.#all()) {
      const reason = whyClose(slot, this.length, now, this.#house.options);
      if (reason) this.close(slot, reason);
    }
    this.#owner.reaped();
  }

  /** From the one that has rested longest. */
  #all(): PoolSlot[] {
    const all: PoolSlot[] = [];
    for (let slot = this.#stack.first; slot; slot = slot.after) all.push(slot);
    return all;
  }
}
