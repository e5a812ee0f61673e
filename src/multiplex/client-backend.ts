import type { ConnectionPool } from '../core/connection-pool.ts';
import type { PoolContext } from '../core/context.ts';
import type { Events } from '../core/events.ts';
import type { PoolErrors } from '../core/pool-errors.ts';
import type { LeanCommand } from '../ioredis/lean-command.ts';
import type { LeaseManager } from '../lease/lease-manager.ts';
import type { Clock } from '../util/clock.ts';
import { type ClientView, ClientViews, type Heard } from './client-views.ts';
import type { Multiplexer } from './multiplexer.ts';

/** Where the commands of `pool.redis` go. */
export type Lanes = Pick<Multiplexer, 'send' | 'sendGroup' | 'added' | 'ended' | 'watched'> & {
  /** What plain commands are made of, if it is more than a {@link LeanCommand}. */
  readonly Command?: typeof LeanCommand;
};

/** What `pool.redis` and its duplicates need of what they belong to. */
export type ClientOwner = Pick<
  ClientBackend,
  'single' | 'status' | 'ready' | 'warm' | 'quit' | 'disconnect' | 'attach' | 'hold'
> & {
  readonly lanes: Lanes;
  readonly errors: Pick<PoolErrors, 'make'>;
  /** Where leases get the commands from that are defined on `pool.redis`. */
  readonly leases: Pick<LeaseManager, 'define'>;
};

/**
 * What `pool.redis` and its duplicates need of their pool, besides the multiplexer: its life, and what they hear of it.
 */
export class ClientBackend implements Heard {
  readonly lanes: Multiplexer;
  /** Where leases get the commands from that are defined on `pool.redis`. */
  readonly leases: Pick<LeaseManager, 'define' | 'timeouts'>;
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  readonly #close: (graceMs?: number) => Promise<void>;
  readonly #views = new ClientViews(this);

  constructor(
    context: PoolContext,
    parts: {
      connections: ConnectionPool;
      lanes: Multiplexer;
      leases: Pick<LeaseManager, 'define' | 'timeouts'>;
    },
    close: (graceMs?: number) => Promise<void>,
  ) {
    this.#context = context;
    this.#connections = parts.connections;
    this.lanes = parts.lanes;
    this.leases = parts.leases;
    this.#close = close;
    this.#connections.keepTrying();
  }

  /** There is only one connection, so blocking commands are refused. */
  get single(): boolean {
    return this.#context.options.maxActive === 1;
  }

  get events(): Events {
    return this.#context.events;
  }

  get clock(): Clock {
    return this.#context.deps.clock;
  }

  /** Nobody can connect for now, for all that is known. */
  get unreachable(): boolean {
    return this.#connections.unreachable !== undefined;
  }

  /** Since when nothing has come of what waits for a reply, over lanes and leases; `Infinity`: nothing waits. */
  get silentSince(): number {
    return Math.min(this.lanes.silentSince, this.leases.timeouts.silentSince);
  }

  /** Since when the first caller in the wait queue has waited, if one does. */
  get waitingSince(): number | undefined {
    return this.#connections.waitingSince;
  }

  get status(): 'ready' | 'connecting' | 'end' {
    return this.#connections.status;
  }

  get errors(): PoolErrors {
    return this.#context.errors;
  }

  ready(): Promise<void> {
    return this.#connections.ready();
  }

  /** A listener waits for a connection: lets the pool connect, repeatedly until one is open. */
  warm(): void {
    this.#views.warm();
  }

  /** Ends the pool as soon as it is idle. */
  async quit(): Promise<void> {
    await this.lanes.quiet();
    await this.#close();
  }

  /** Ends the pool now. */
  disconnect(): void {
    void this.#close(0);
  }

  /** Notifies `view` of the pool's connections, until it is garbage-collected; returns a function that ends that. */
  attach(view: ClientView): () => void {
    return this.#views.attach(view);
  }

  /** Keeps `view` from being garbage-collected while it has listeners, or no longer. */
  hold(view: ClientView, listened: boolean): void {
    this.#views.hold(view, listened);
  }
}
