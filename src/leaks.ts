import type { House, PoolSlot } from './house.ts';

/** Reports leases that are held for longer than `leakThresholdMs`, each once. Costs nothing while it is off. */
export class LeakWatch {
  readonly #house: House;
  readonly #on: boolean;
  readonly #cancels = new Map<PoolSlot, () => void>();

  constructor(house: House) {
    this.#house = house;
    this.#on = Number.isFinite(house.options.leakThresholdMs);
  }

  /** The stack of `acquire`'s caller, if anyone will want it. */
  stack(acquire: (...args: never[]) => unknown): string {
    if (!this.#on) return '';
    const at: { stack?: string } = {};
    Error.captureStackTrace(at, acquire);
    return at.stack ?? '';
  }

  /** The lease of `slot` begins. */
  begin(slot: PoolSlot, stack: string): void {
    if (!this.#on) return;
    const { hands, options } = this.#house;
    const report = (): void => this.#report(slot, stack);
    this.#cancels.set(slot, hands.clock.after(options.leakThresholdMs, report, 'background'));
  }

  /** The lease of `slot` has ended. */
  end(slot: PoolSlot): void {
    if (!this.#on) return;
    this.#cancels.get(slot)?.();
    this.#cancels.delete(slot);
  }

  #report(slot: PoolSlot, stack: string): void {
    const { events, hands } = this.#house;
    if (!events.count('leak')) return;
    events.emit('leak', { connectionId: slot.id, heldMs: hands.clock.now() - slot.since, stack });
  }
}
