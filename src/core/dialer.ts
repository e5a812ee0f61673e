import type { CloseReason } from '../api/stats.ts';
import { within } from '../util/clock.ts';
import { Backoff, STOOD_MS } from './backoff.ts';
import { type PoolContext, type PoolSlot, whyLost } from './context.ts';
import type { Permits } from './permits.ts';

/** How long `take` or `end` of the permits may take when a slot or the pool is closed. Milliseconds. */
const END_MS = 500;

/** The events that the dialer reports. */
export interface DialerOwner {
  /** A dial succeeded; the connection is idle. */
  arrived(slot: PoolSlot): void;
  /** A dial that was started at `startedAt` failed. */
  failed(error: Error, startedAt: number): void;
  /** A connection was lost. */
  lost(slot: PoolSlot, cause: Error | undefined): void;
  /** A connection works, but is to be replaced. */
  unwanted(slot: PoolSlot, why: 'readOnly' | 'asked'): void;
  /** A connection is completely closed, and its slot is free. */
  gone(): void;
}

/**
 * Opens and closes connections, decides when the next dial may start, and reports the results. A dial belongs to no
 * caller: its connection is lent to the first in the queue, since the caller that it was started for may have been
 * served by another one, or have given up.
 */
export class Dialer {
  readonly #context: PoolContext;
  readonly #owner: DialerOwner;
  readonly #permits: Permits;
  readonly #backoff = new Backoff();
  /** The number of the last dial that was started. */
  #latest = 0;
  #cancelRetry: (() => void) | undefined;

  constructor(context: PoolContext, owner: DialerOwner) {
    this.#context = context;
    this.#owner = owner;
    this.#permits = context.deps.permits(context.options.maxActive);
  }

  /** The error of the last dial, unless one has succeeded since. */
  get lastError(): Error | undefined {
    return this.#backoff.lastError;
  }

  /** Whether the last dial failed, and the next may not start yet. */
  get refuses(): boolean {
    return this.#backoff.refuses(this.#context.deps.clock.now());
  }

  /** Redis seems to be unavailable: no connection is open, and no dial may start yet. */
  get isDown(): boolean {
    return this.refuses && !this.hasOpen;
  }

  /** Whether no connection is open, and the last dial failed. */
  get isFailing(): boolean {
    return this.lastError !== undefined && !this.hasOpen;
  }

  /** Whether a connection is open. A lost one in use counts until it is released. */
  get hasOpen(): boolean {
    for (const { state, connection } of this.#context.slots.all) {
      if ((state === 'inUse' || state === 'idle') && connection?.alive) return true;
    }
    return false;
  }

  /** Milliseconds until the next dial may start; 0 or less: now. `awaited`: somebody waits for it, so it comes sooner. */
  delay(awaited: 'awaited' | undefined): number {
    const { deps, slots } = this.#context;
    return this.#backoff.remaining(deps.clock.now(), awaited, slots.count.connecting);
  }

  /** Starts a round of dials, and cancels the timer of a later one. Returns how many may be in progress at once. */
  begin(): number {
    this.stop();
    const now = this.#context.deps.clock.now();
    if (this.#backoff.isDoubtful(now)) this.#lookForProof(now);
    return this.#backoff.limit(this.#context.options.maxConnecting, now);
  }

  /** Calls `dialMore` when the next dial may start. */
  retryAfter(delayMs: number, dialMore: () => void, background: 'background' | undefined): void {
    this.#cancelRetry = this.#context.deps.clock.after(Math.ceil(delayMs), dialMore, background);
  }

  /** Closes the connection of `slot`. The slot is free when the socket is really closed. */
  close(slot: PoolSlot, reason: CloseReason): void {
    const { slots, events, deps } = this.#context;
    const now = deps.clock.now();
    if (reason === 'broken' && slot.stale === 'stale') reason = 'stale'; // it was cut
    slot.closedAs = reason;
    if (reason === 'broken') {
      if (slot.connection?.alive) this.#noteLoss(slot);
      this.#died(slot);
    }
    this.#close(slot, now);
    const { id: connectionId, uses, connectedAt } = slot;
    if (connectedAt === undefined) return;
    slots.countClosed(reason);
    if (events.count('close')) {
      events.emit('close', { connectionId, reason, uses, ageMs: now - connectedAt });
    }
  }

  /** To be called when a connection was released alive: it was useful. */
  cameBack(slot: PoolSlot): void {
    const now = this.#context.deps.clock.now();
    if (slot.judged || !wasOfUse(slot, now)) return;
    slot.judged = true;
    if (this.#backoff.isDoubtful(now)) this.#backoff.proved(now);
  }

  /** The next dial may start at once, since Redis has moved. */
  hurry(): void {
    this.#backoff.hurry();
  }

  /** Cancels the timer of a later dial. */
  stop(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  /** Ends the permits, when there are no slots. Does not wait for ever if they do not end. */
  end(): Promise<void> {
    return within(this.#context.deps.clock, END_MS, this.#permits.close()).catch(() => {});
  }

  /** Starts a dial. */
  dial(): void {
    const { slots, events, deps } = this.#context;
    const now = deps.clock.now();
    const slot = slots.open(now);
    this.#backoff.started(now);
    this.#latest = slot.id;
    slot.permitAsked = this.#permits.acquire();
    if (events.count('connecting')) events.emit('connecting', { connectionId: slot.id });
    slot.permitAsked
      .then((permit) => {
        if (slot.state === 'gone') this.#permits.giveBack(permit);
        else slot.permit = permit;
        if (slot.state !== 'connecting') return undefined; // closed meanwhile
        slot.connection = deps.connect({
          lost: (cause) => {
            this.#noteLoss(slot);
            this.#died(slot, cause);
            this.#owner.lost(slot, cause);
          },
          unwanted: (why) => this.#owner.unwanted(slot, why),
          lostError: () => this.#context.errors.lost(whyLost(slot)),
        });
        return slot.connection.ready;
      })
      .then(
        () => this.#connected(slot),
        (error: Error) => this.#failed(slot, error),
      );
  }

  #connected(slot: PoolSlot): void {
    if (slot.state !== 'connecting') return; // the pool was closed during the dial
    const { slots, events, deps, options } = this.#context;
    const now = deps.clock.now();
    const durationMs = now - slot.since;
    if (this.#backoff.isDoubtful(now)) this.#backoff.connected(slot.id, now, deps.random());
    else this.#backoff.succeeded(now);
    slot.connectedAt = now;
    // Connections dialled together must not all expire together.
    slot.expiresAt = now + options.maxLifetimeMs * (1 - deps.random() / 10);
    slots.move(slot, 'idle', now);
    if (slot.connection) deps.checkMaxClients(slot.connection);
    events.took('connect', durationMs);
    if (events.count('connect')) events.emit('connect', { connectionId: slot.id, durationMs });
    this.#owner.arrived(slot);
  }

  #noteLoss({ connectedAt }: PoolSlot): void {
    if (connectedAt !== undefined) this.#backoff.lost(connectedAt, this.#context.deps.clock.now());
  }

  /** For the back-off, a connection that is lost before it was useful is like a failed dial. */
  #died(slot: PoolSlot, cause?: Error): void {
    if (slot.judged || slot.connectedAt === undefined) return;
    const { clock, random } = this.#context.deps;
    const now = clock.now();
    slot.judged = true;
    if (wasOfUse(slot, now)) return;
    const error = new Error('the connection died before it was of any use', cause && { cause });
    this.#backoff.died(error, slot.id, this.#latest, now, random());
  }

  /** In doubt, one new useful connection is enough. */
  #lookForProof(now: number): void {
    for (const slot of this.#context.slots.all) {
      if (slot.judged || !slot.connection?.alive || !wasOfUse(slot, now)) continue;
      slot.judged = true;
      this.#backoff.proved(now);
    }
  }

  #failed(slot: PoolSlot, error: Error): void {
    if (slot.state !== 'connecting') return;
    const { events, deps } = this.#context;
    const startedAt = slot.since;
    const now = deps.clock.now();
    this.#close(slot, now);
    this.#backoff.failed(error, startedAt, now, deps.random());
    const durationMs = now - startedAt;
    if (events.count('connectError')) {
      events.emit('connectError', { connectionId: slot.id, error, durationMs });
    }
    this.#owner.failed(error, startedAt);
  }

  #close(slot: PoolSlot, now: number): void {
    this.#context.slots.move(slot, 'closing', now);
    void this.#end(slot);
  }

  /**
   * Gives its permit back, which may still be pending; one that never comes, or was refused, does not keep the slot.
   */
  async #end(slot: PoolSlot): Promise<void> {
    const { slots, deps } = this.#context;
    await slot.connection?.close();
    if (!slot.permit) await within(deps.clock, END_MS, slot.permitAsked).catch(() => {});
    if (slot.permit) this.#permits.giveBack(slot.permit);
    slots.move(slot, 'gone', deps.clock.now());
    this.#owner.gone();
  }
}

/** Whether a reply has arrived over its connection, or it was open for long enough. */
function wasOfUse({ uses, connection, connectedAt }: PoolSlot, now: number): boolean {
  if (uses > 0 && connection?.answered !== false) return true;
  return connectedAt !== undefined && now - connectedAt >= STOOD_MS;
}
