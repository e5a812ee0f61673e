import type { CloseReason } from '../api/stats.ts';
import { List } from '../util/list.ts';
import { warnThrown } from '../util/warn.ts';
import type { PoolContext, PoolSlot } from './context.ts';
import { whyClose } from './slot.ts';

/**
 * Idle connections, and the reaper that evicts them. Last in, first out: those at the bottom stay idle and expire, so
 * that the pool shrinks to what its load needs.
 */
export class IdleConnections {
  readonly #context: PoolContext;
  readonly #close: (slot: PoolSlot, reason: CloseReason) => void;
  /** The last is the one that became idle last. */
  readonly #stack = new List<PoolSlot>();
  #cancelReaper: (() => void) | undefined;

  /** `close` is called for those that are evicted. */
  constructor(context: PoolContext, close: (slot: PoolSlot, reason: CloseReason) => void) {
    this.#context = context;
    this.#close = close;
  }

  /** How many there are. */
  get length(): number {
    return this.#stack.length;
  }

  /** The one that became idle last. */
  get top(): PoolSlot | undefined {
    return this.#stack.last;
  }

  /** Adds a connection that has just become idle, on top. */
  put(slot: PoolSlot): void {
    this.#stack.push(slot);
    if (this.#cancelReaper === undefined) this.#startReaper();
  }

  /** Puts a connection that was only validated back to its position: it counts as idle all the time. */
  putBack(slot: PoolSlot, idleSince: number): void {
    this.#context.slots.move(slot, 'idle', idleSince);
    const next = this.#stack.find((other) => other.since > idleSince);
    this.#stack.insert(slot, next);
    if (this.#cancelReaper === undefined) this.#startReaper();
  }

  /** Takes the top one that may be lent, and moves it to `inUse`; closes expired and lost ones on the way. */
  take(now: number): PoolSlot | undefined {
    for (let slot = this.#stack.last; slot; slot = this.#stack.last) {
      const reason = whyClose(slot, this.#stack.length, now, this.#context.options);
      if (reason) this.close(slot, reason);
      else if (!slot.connection?.alive || slot.connection.intake?.midway) this.close(slot, 'broken');
      else return this.borrow(slot, now);
    }
    return undefined;
  }

  /** Takes `slot`, and moves it to `inUse`. */
  borrow(slot: PoolSlot, now: number): PoolSlot {
    this.#stack.remove(slot);
    slot.idleMs = Math.max(0, now - slot.since); // `now` may be that of the turn's beginning
    this.#context.slots.move(slot, 'inUse', now);
    return slot;
  }

  /** Closes the newest ones that exceed `maxIdle`. */
  trim(): void {
    const { maxIdle } = this.#context.options;
    for (let slot = this.#stack.last; slot && this.#stack.length > maxIdle; slot = this.#stack.last) {
      this.close(slot, 'excess');
    }
  }

  /** Closes `slot`, if it is still idle. */
  close(slot: PoolSlot, reason: CloseReason): void {
    if (this.#stack.remove(slot)) this.#close(slot, reason);
  }

  /** Closes the one that has been idle for longest, if it has been since `moment`. Returns whether it has. */
  closeOldest(moment: number): boolean {
    const [oldest] = this.#stack.members();
    if (oldest === undefined || oldest.since > moment) return false;
    this.close(oldest, 'excess');
    return true;
  }

  closeStale(): void {
    for (const slot of this.#stack.members()) if (slot.stale) this.close(slot, slot.stale);
  }

  closeAll(reason: CloseReason): void {
    for (const slot of this.#stack.members()) this.close(slot, reason);
  }

  /** Those that have been idle since `moment` or longer. */
  idleSince(moment: number): PoolSlot[] {
    return this.#stack.members().filter((slot) => slot.since <= moment);
  }

  stop(): void {
    this.#cancelReaper?.();
    this.#cancelReaper = undefined;
  }

  /** The reaper runs while there are idle connections; it must not keep the process alive, and survives a throw. */
  #startReaper(): void {
    const { deps, options } = this.#context;
    this.#cancelReaper = deps.clock.after(
      options.reapIntervalMs,
      () => {
        this.#cancelReaper = undefined;
        try {
          this.#reap(deps.clock.now());
        } catch (error) {
          warnThrown(`the reaper of pool ${options.name} stumbled`, error);
        } finally {
          if (this.length > 0 && this.#cancelReaper === undefined) this.#startReaper();
        }
      },
      'background',
    );
  }

  #reap(now: number): void {
    for (const slot of this.#stack.members()) {
      const reason = whyClose(slot, this.length, now, this.#context.options);
      if (reason) this.close(slot, reason);
    }
  }
}
