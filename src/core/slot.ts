import type { CloseReason } from '../api/stats.ts';
import type { List, Listed } from '../util/list.ts';
import type { Share } from './total.ts';

/** Why connections that work are replaced. */
type StaleReason = Extract<CloseReason, 'cleared' | 'stale'>;

/** The states of a slot, and so of its connection. */
export type SlotState = 'connecting' | 'inUse' | 'idle' | 'closing' | 'gone';

/** The legal steps. Any other step is a bug, and throws. */
export const STEPS: Readonly<Record<SlotState, readonly SlotState[]>> = {
  connecting: ['idle', 'closing'],
  inUse: ['idle', 'closing'],
  idle: ['inUse', 'closing'],
  closing: ['gone'],
  gone: [],
};

/** The same as a map: a property whose name varies takes V8 longer, and this is asked for each command. */
const stepsFrom = new Map(Object.entries(STEPS));

/** One of `maxActive` slots for a connection, from the start of its dial until its socket is closed. */
export class Slot<C> implements Listed<Slot<C>> {
  state: SlotState = 'connecting';
  /** Its connection, from the start of the dial. */
  connection: C | undefined;
  /** How often it was lent. */
  uses = 0;
  /** It is known whether its connection was useful. */
  judged = false;
  /** Its permit, which it holds until its socket is closed. */
  permit: object | undefined;
  /** Resolves with its permit. */
  permitAsked: Promise<object> | undefined;
  /** When its connection became ready; `undefined` before that. */
  connectedAt: number | undefined;
  /** When its lifetime ends; then it is closed as soon as it is idle. */
  expiresAt = Number.POSITIVE_INFINITY;
  /** Why the pool closes its connection, once it does. */
  closedAs: CloseReason | undefined;
  /** Why it is to be replaced although it works, if it was marked as stale after its dial had started. */
  stale: StaleReason | undefined;
  /** Why it is to be replaced although it works: alone (`asked`), or with all others (`readOnly`). */
  unwanted: 'readOnly' | 'asked' | undefined;
  /** How long it had been idle when it was last taken. */
  idleMs = 0;
  /** What its lease sends may depend on what it has sent before, so that another connection would not do. */
  tainted = false;
  /** A lease has it; it is not merely being validated. */
  leased = false;
  /** That lease, while only this reference keeps it from being garbage-collected. */
  lease: object | undefined;
  /** The lane that has it; notified when its connection is lost. */
  lane: { lost(cause: Error | undefined): void } | undefined;
  list: List<Slot<C>> | undefined;
  before: Slot<C> | undefined;
  after: Slot<C> | undefined;

  constructor(
    readonly id: number,
    /** When it entered its state. */
    public since: number,
  ) {}
}

type Counted = Exclude<SlotState, 'gone'>;

/** Counts the slots by state. The one place where a slot changes state, so counts cannot drift. */
export class Slots<C> {
  /** All slots that are not gone. */
  readonly all = new Set<Slot<C>>();
  readonly count: Record<Counted, number> = { connecting: 0, inUse: 0, idle: 0, closing: 0 };
  /** Connections closed, by reason. Replaced, never modified, so that snapshots can share it. */
  closed: Readonly<Record<CloseReason, number>> = Object.freeze({
    idle: 0,
    lifetime: 0,
    broken: 0,
    dirty: 0,
    excess: 0,
    cleared: 0,
    stale: 0,
    destroyed: 0,
    poolClosed: 0,
  });
  /** Its part in a bound that it has together with others, if there is one. */
  share: Share | undefined;
  #lastId = 0;

  constructor(readonly maxActive: number) {}

  /** The number of slots: `connecting + inUse + idle + closing`. */
  get total(): number {
    return this.all.size;
  }

  /** Connections that are idle or in use; one in use may be lost, until it is released. */
  get openCount(): number {
    return this.count.inUse + this.count.idle;
  }

  /**
   * The slots that callers without a connection can count on: free ones, those of dials in progress, and those of
   * sockets that are closing, which become free soon.
   */
  get freeCapacity(): number {
    const own = this.maxActive - this.openCount;
    return this.share ? Math.min(own, this.share.capacity) : own;
  }

  /** Whether there may be one more. */
  get hasRoom(): boolean {
    return this.total < this.maxActive && (this.share === undefined || this.share.room > 0);
  }

  /** Counts a connection that is closed. */
  countClosed(reason: CloseReason): void {
    this.closed = Object.freeze({ ...this.closed, [reason]: this.closed[reason] + 1 });
  }

  /** A new slot, connecting. */
  open(now: number): Slot<C> {
    if (this.total >= this.maxActive) throw new Error('bug: no place for another connection');
    const slot = new Slot<C>(++this.#lastId, now);
    this.all.add(slot);
    this.count.connecting++;
    this.share?.opened();
    return slot;
  }

  /** The only way to change a slot's state. */
  move(slot: Slot<C>, to: SlotState, now: number): void {
    const from = slot.state;
    const legal = stepsFrom.get(from)?.includes(to);
    if (!legal) throw new Error(`bug: slot ${slot.id} may not go ${from} -> ${to}`);
    this.#add(from, -1);
    this.#add(to, 1);
    slot.state = to;
    slot.since = now;
    if (to !== 'gone') return;
    this.all.delete(slot);
    this.share?.freed();
  }

  /** Not `count[state]`, for the same reason. */
  #add(state: SlotState, slots: 1 | -1): void {
    const { count } = this;
    if (state === 'idle') count.idle += slots;
    else if (state === 'inUse') count.inUse += slots;
    else if (state === 'connecting') count.connecting += slots;
    else if (state === 'closing') count.closing += slots;
  }
}

/** Why a connection that becomes idle has to be closed, even if it works. */
export function whyExpired(slot: Slot<unknown>, now: number): CloseReason | undefined {
  if (slot.stale) return slot.stale;
  return now >= slot.expiresAt ? 'lifetime' : undefined;
}

/**
 * Why an idle connection has to be evicted. `idleCount` includes it: the last `minIdle` are not evicted for their idle
 * time, or they would be closed and dialled again for ever.
 */
export function whyClose(
  slot: Slot<unknown>,
  idleCount: number,
  now: number,
  limits: { readonly idleTimeoutMs: number; readonly minIdle: number },
): CloseReason | undefined {
  const expired = whyExpired(slot, now);
  if (expired) return expired;
  return idleCount > limits.minIdle && now - slot.since > limits.idleTimeoutMs ? 'idle' : undefined;
}
