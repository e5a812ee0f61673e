import type { PoolContext, PoolSlot } from '../core/context.ts';
import { pendingReplies } from './reset-connection.ts';

/** Leases younger than this are not watched, so that ordinary ones pay nothing for it. */
const SWEEP_MS = 1000;

/** A lease that was garbage-collected: the connection, and which of its uses it was. */
interface Dropped {
  readonly slot: PoolSlot;
  readonly uses: number;
}

/** What is known of a lease that is out. */
interface Watched {
  readonly stack: string;
  readonly cancel: () => void;
  reported: boolean;
}

/**
 * Finds leases that do not come back: held for longer than `leakThresholdMs`, or dropped without release, which
 * only the garbage collector can tell.
 */
export class LeakDetector {
  readonly #context: PoolContext;
  readonly #dropped: (slot: PoolSlot) => void;
  readonly #timed: boolean;
  readonly #watched = new Map<PoolSlot, Watched>();
  readonly #registry = new FinalizationRegistry<Dropped>((lease) => this.#collected(lease));
  /** Collected ones whose connections still owe replies. */
  readonly #owing = new Set<Dropped>();
  #cancelSweep: (() => void) | undefined;

  /** `dropped` takes back the connection of a lease that nobody holds any more. */
  constructor(context: PoolContext, dropped: (slot: PoolSlot) => void) {
    this.#context = context;
    this.#dropped = dropped;
    this.#timed = Number.isFinite(context.options.leakThresholdMs);
  }

  /** The stack of `acquire`'s caller, if anyone will want it. */
  stack(acquire: (...args: never[]) => unknown): string {
    if (!this.#timed) return '';
    const at: { stack?: string } = {};
    Error.captureStackTrace(at, acquire);
    return at.stack ?? '';
  }

  begin(slot: PoolSlot, lease: object, stack: string): void {
    slot.lease = lease;
    if (this.#cancelSweep === undefined) this.#lookLater();
    if (!this.#timed) return;
    const { deps, options } = this.#context;
    const late = (): void => this.#report(slot);
    const cancel = deps.clock.after(options.leakThresholdMs, late, 'background');
    this.#watched.set(slot, { stack, cancel, reported: false });
  }

  end(slot: PoolSlot): void {
    // Without a lease, it lies in the registry by now.
    if (slot.lease === undefined) this.#registry.unregister(slot);
    slot.lease = undefined;
    if (!this.#timed) return;
    const watched = this.#forget(slot);
    if (watched?.reported && this.#context.events.heard('leak')) this.#tell(slot, watched.stack, true);
  }

  stop(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    for (const slot of this.#watched.keys()) this.#forget(slot);
  }

  #forget(slot: PoolSlot): Watched | undefined {
    const watched = this.#watched.get(slot);
    watched?.cancel();
    this.#watched.delete(slot);
    return watched;
  }

  #lookLater(): void {
    this.#cancelSweep = this.#context.deps.clock.after(SWEEP_MS, () => this.#sweep(), 'background');
  }

  /** Lets go of leases that have been out for a while, and has the garbage collector tell of them. */
  #sweep(): void {
    const { deps, slots } = this.#context;
    const now = deps.clock.now();
    let young = false;
    for (const slot of slots.all) {
      if (slot.lease === undefined) continue;
      if (now - slot.since < SWEEP_MS) {
        young = true;
      } else {
        this.#registry.register(slot.lease, { slot, uses: slot.uses }, slot);
        slot.lease = undefined;
      }
    }
    this.#cancelSweep = undefined;
    const owing = [...this.#owing];
    this.#owing.clear();
    for (const lease of owing) this.#collected(lease);
    if (young && this.#cancelSweep === undefined) this.#lookLater();
  }

  #collected(lease: Dropped): void {
    const { slot, uses } = lease;
    if (!slot.leased || slot.uses !== uses || slot.state !== 'inUse') return;
    if (slot.connection?.alive && pendingReplies(slot.connection) > 0) {
      // The lease is gone, but someone may still wait for a reply that was asked for through it.
      this.#owing.add(lease);
      if (this.#cancelSweep === undefined) this.#lookLater();
      return;
    }
    if (!this.#watched.get(slot)?.reported) this.#report(slot);
    this.#forget(slot);
    this.#dropped(slot);
  }

  #report(slot: PoolSlot): void {
    const watched = this.#watched.get(slot);
    if (watched) watched.reported = true;
    if (this.#context.events.count('leak')) this.#tell(slot, watched?.stack ?? '', false);
  }

  #tell(slot: PoolSlot, stack: string, returned: boolean): void {
    const { events, deps } = this.#context;
    const heldMs = deps.clock.now() - slot.since;
    events.emit('leak', { connectionId: slot.id, heldMs, stack, returned });
  }
}
