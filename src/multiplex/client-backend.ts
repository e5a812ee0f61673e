import type { ConnectionPool } from '../core/connection-pool.ts';
import type { PoolContext } from '../core/context.ts';
import type { PoolErrors } from '../core/pool-errors.ts';
import type { LeaseManager } from '../lease/lease-manager.ts';
import type { Multiplexer } from './multiplexer.ts';

/** How often a connection is requested while only listeners wait for one. */
const WARM_AGAIN_MS = 1000;

/** What a view, which is `pool.redis` or a duplicate of it, is told. */
export interface ClientView {
  /** A connection is open. */
  connected(): void;
  /** A dial failed. */
  failed(error: Error): void;
  /** No connection can be kept open any more: connects succeed, but the connections are lost at once. */
  down(): void;
  /** The pool is closed. */
  ended(): void;
}

/**
 * What `pool.redis` and its duplicates need of their pool, besides the multiplexer: its life, and what they hear of it.
 */
export class ClientBackend {
  readonly lanes: Multiplexer;
  /** Where leases get the commands from that are defined on `pool.redis`. */
  readonly leases: Pick<LeaseManager, 'define'>;
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  readonly #close: (graceMs?: number) => Promise<void>;
  /** A view that nobody refers to is garbage-collected, unless it has listeners. */
  readonly #views = new Set<WeakRef<ClientView>>();
  readonly #listened = new Set<ClientView>();
  readonly #collected = new FinalizationRegistry<WeakRef<ClientView>>((ref) => this.#views.delete(ref));
  #listening = false;
  #warming = false;
  #cancelWarm: () => void = () => {};

  constructor(
    context: PoolContext,
    parts: { connections: ConnectionPool; lanes: Multiplexer; leases: Pick<LeaseManager, 'define'> },
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
    if (this.#warming || this.status === 'end') return;
    this.#warming = true;
    this.#connections.ready().then(
      () => {
        this.#warming = false;
        this.#tell((view) => view.connected());
      },
      () => {
        if (this.status === 'end') return;
        const again = (): void => {
          this.#warming = false;
          this.warm();
        };
        this.#cancelWarm = this.#context.deps.clock.after(WARM_AGAIN_MS, again, 'background');
      },
    );
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
    this.#listen();
    const ref = new WeakRef(view);
    this.#views.add(ref);
    this.#collected.register(view, ref);
    return () => this.#views.delete(ref);
  }

  /** Keeps `view` from being garbage-collected while it has listeners, or no longer. */
  hold(view: ClientView, listened: boolean): void {
    if (listened) this.#listened.add(view);
    else this.#listened.delete(view);
  }

  /** Only after the view is complete: its constructor may throw because of its options. */
  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    const { events } = this.#context;
    events.add('connect', () => this.#tell((view) => view.connected()));
    events.add('connectError', ({ error }) => this.#tell((view) => view.failed(error)));
    events.add('close', () => {
      if (this.status === 'connecting') this.#tell((view) => view.down());
    });
    events.add('drain', () => {
      this.#cancelWarm();
      this.#tell((view) => view.ended());
    });
  }

  #tell(what: (view: ClientView) => void): void {
    for (const ref of [...this.#views]) {
      const view = ref.deref();
      if (view) what(view);
    }
  }
}
