import type { CloseReason } from '../api/redis-pool.ts';
import { Backoff, STOOD_MS } from './backoff.ts';
import { type House, type PoolSlot, poolError, whyLost } from './context.ts';
import type { Engine } from './permits.ts';

/** What the pool is told of its connections. */
export interface ConnectionsOwner {
  /** How many dials, those under way included, someone has a use for. */
  wanted(): number;
  /** Whether any of them is waited for, rather than wanted for `minIdle`. */
  urgent(): boolean;
  /** A dial ended in a connection, idle now. */
  arrived(slot: PoolSlot): void;
  /** A dial failed. */
  failed(error: Error): void;
  /** A connection died on its own. */
  lost(slot: PoolSlot, cause: Error | undefined): void;
  /** A connection is gone, and its place free. */
  gone(): void;
}

/**
 * Births and deaths: dials connections within `maxActive`, `maxConnecting` and the back-off, and closes them.
 * A dial belongs to nobody: who asked for it may be served otherwise, or give up, and it goes to the next.
 */
export class Connections {
  readonly #house: House;
  readonly #owner: ConnectionsOwner;
  readonly #engine: Engine;
  readonly #backoff = new Backoff();
  /** The number of the last dial that was begun. */
  #latest = 0;
  #cancelRetry: (() => void) | undefined;

  constructor(house: House, owner: ConnectionsOwner) {
    this.#house = house;
    this.#owner = owner;
    this.#engine = house.hands.engine(house.options.maxActive);
  }

  /** The error of the last dial, unless one has succeeded since. */
  get lastError(): Error | undefined {
    return this.#backoff.lastError;
  }

  /** Redis is down for all we know: no connection stands, and no dial may start yet. */
  get down(): boolean {
    return this.#backoff.refuses(this.#house.hands.clock.now()) && !this.standing;
  }

  /** No connection stands, and the last dial failed. */
  get failing(): boolean {
    return this.lastError !== undefined && !this.standing;
  }

  /** Whether a connection stands. One in use may have died, and counts until its borrower gives it back. */
  get standing(): boolean {
    for (const { state, connection } of this.#house.ledger.slots) {
      if ((state === 'inUse' || state === 'idle') && connection?.alive) return true;
    }
    return false;
  }

  /** Starts as many dials as are wanted and allowed; those that the back-off delays start later by themselves. */
  dialMore(): void {
    const { ledger, options, hands } = this.#house;
    this.#stopRetry();
    if (this.#backoff.doubtful) this.#lookForProof(hands.clock.now());
    const most = this.#backoff.limit(options.maxConnecting);
    while (
      ledger.count.connecting < Math.min(this.#owner.wanted(), most) &&
      ledger.total < options.maxActive
    ) {
      const delay = this.#backoff.remaining(hands.clock.now());
      if (delay > 0) {
        const hold = this.#owner.urgent() ? undefined : 'background';
        this.#cancelRetry = hands.clock.after(Math.ceil(delay), () => this.dialMore(), hold);
        return;
      }
      this.#dial();
    }
  }

  /** Closes the connection of `slot`. Its place is free again when the socket is really gone. */
  retire(slot: PoolSlot, reason: CloseReason): void {
    const { ledger, events, hands } = this.#house;
    const now = hands.clock.now();
    slot.closedAs = reason;
    if (reason === 'broken') this.#died(slot);
    this.#close(slot, now);
    const { id: connectionId, uses, connectedAt } = slot;
    if (connectedAt === undefined) return;
    ledger.countClosed(reason);
    if (events.count('close')) {
      events.emit('close', { connectionId, reason, uses, ageMs: now - connectedAt });
    }
  }

  /** A connection that somebody had came back alive. */
  cameBack(slot: PoolSlot): void {
    if (slot.judged || !wasOfUse(slot, this.#house.hands.clock.now())) return;
    slot.judged = true;
    if (this.#backoff.doubtful) this.#backoff.succeeded();
  }

  /** No more dials. */
  stop(): void {
    this.#stopRetry();
  }

  /** Ends the engine, once every slot is gone. */
  end(): Promise<void> {
    return this.#engine.close();
  }

  #dial(): void {
    const { ledger, events, hands } = this.#house;
    const slot = ledger.open(hands.clock.now());
    this.#latest = slot.id;
    slot.permit = this.#engine.acquire();
    if (events.count('connecting')) events.emit('connecting', { connectionId: slot.id });
    slot.permit
      .then(() => {
        if (slot.state !== 'connecting') return undefined;
        slot.connection = hands.connect({
          lost: (cause) => {
            this.#died(slot, cause);
            this.#owner.lost(slot, cause);
          },
          lostError: () =>
            poolError(
              this.#house,
              'POOL_CONNECTION_LOST',
              'connection lost: the command may have run',
              whyLost(slot),
            ),
        });
        return slot.connection.ready;
      })
      .then(
        () => this.#connected(slot),
        (error: Error) => this.#failed(slot, error),
      );
  }

  #connected(slot: PoolSlot): void {
    if (slot.state !== 'connecting') return; // closed with the pool while it was being dialled
    const { ledger, events, hands, options } = this.#house;
    const now = hands.clock.now();
    const durationMs = now - slot.since;
    if (this.#backoff.doubtful) this.#backoff.connected(slot.id, now, hands.random());
    else this.#backoff.succeeded();
    slot.connectedAt = now;
    // Connections dialled together must not all expire together.
    slot.expiresAt = now + options.maxLifetimeMs * (1 - hands.random() / 10);
    ledger.move(slot, 'idle', now);
    if (slot.connection) hands.survey(slot.connection);
    events.took('connect', durationMs);
    if (events.count('connect')) events.emit('connect', { connectionId: slot.id, durationMs });
    this.#owner.arrived(slot);
  }

  /** A connection that dies before it was of any use is like a failed dial for those to come. */
  #died(slot: PoolSlot, cause?: Error): void {
    if (slot.judged || slot.connectedAt === undefined) return;
    const { clock, random } = this.#house.hands;
    const now = clock.now();
    slot.judged = true;
    if (wasOfUse(slot, now)) return;
    const error = new Error('the connection died before it was of any use', cause && { cause });
    this.#backoff.died(error, slot.id, this.#latest, now, random());
  }

  /** In doubt, one new connection that is of use is enough. */
  #lookForProof(now: number): void {
    for (const slot of this.#house.ledger.slots) {
      if (slot.judged || !slot.connection?.alive || !wasOfUse(slot, now)) continue;
      slot.judged = true;
      this.#backoff.succeeded();
    }
  }

  #failed(slot: PoolSlot, error: Error): void {
    if (slot.state !== 'connecting') return;
    const { events, hands } = this.#house;
    const startedAt = slot.since;
    const now = hands.clock.now();
    this.#close(slot, now);
    this.#backoff.failed(error, startedAt, now, hands.random());
    const durationMs = now - startedAt;
    if (events.count('connectError')) {
      events.emit('connectError', { connectionId: slot.id, error, durationMs });
    }
    this.#owner.failed(error);
  }

  #close(slot: PoolSlot, now: number): void {
    const { ledger, hands } = this.#house;
    ledger.move(slot, 'closing', now);
    void slot.permit?.then(async (permit) => {
      await slot.connection?.close();
      this.#engine.destroy(permit);
      ledger.move(slot, 'gone', hands.clock.now());
      this.#owner.gone();
    });
  }

  #stopRetry(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }
}

/** Whether someone had an answer over its connection, or it could have been had for long. */
function wasOfUse({ uses, connection, connectedAt }: PoolSlot, now: number): boolean {
  if (uses > 0 && connection?.answered !== false) return true;
  return connectedAt !== undefined && now - connectedAt >= STOOD_MS;
}
