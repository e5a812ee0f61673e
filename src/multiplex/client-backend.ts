import type { Command } from 'ioredis';
import type { ConnectionPool } from '../core/connection-pool.ts';
import type { PoolContext } from '../core/context.ts';
import type { PoolErrors } from '../core/pool-errors.ts';
import { CommandGroup } from './command-group.ts';
import type { Multiplexer } from './multiplexer.ts';
import type { Backend, ClientView } from './shared-owner.ts';

/** How often a connection is asked for that nobody but listeners waits for. */
const WARM_AGAIN_MS = 1000;

/** What `pool.redis` and its duplicates work on: where their commands go, and what they hear. */
export class ClientBackend implements Backend {
  readonly #context: PoolContext;
  readonly #connections: ConnectionPool;
  readonly #lanes: Multiplexer;
  readonly #close: (graceMs?: number) => Promise<void>;
  /** A view that nobody holds any more goes, unless somebody listens on it. */
  readonly #views = new Set<WeakRef<ClientView>>();
  readonly #listened = new Set<ClientView>();
  readonly #collected = new FinalizationRegistry<WeakRef<ClientView>>((ref) => this.#views.delete(ref));
  #listening = false;
  #warming = false;
  #cancelWarm: () => void = () => {};

  constructor(
    context: PoolContext,
    parts: { connections: ConnectionPool; lanes: Multiplexer },
    close: (graceMs?: number) => Promise<void>,
  ) {
    this.#context = context;
    this.#connections = parts.connections;
    this.#lanes = parts.lanes;
    this.#close = close;
    this.#connections.keepTrying();
  }

  get single(): boolean {
    return this.#context.options.maxActive === 1;
  }

  get watched(): boolean {
    return this.#lanes.watched;
  }

  get status(): 'ready' | 'connecting' | 'end' {
    return this.#connections.status;
  }

  send(command: Command): void {
    this.#lanes.send(command);
  }

  sendAlone(command: Command): void {
    const group = new CommandGroup(undefined, false);
    group.add(command);
    this.sendGroup(group);
    this.added(group);
  }

  sendGroup(group: CommandGroup): void {
    this.#lanes.sendGroup(group);
  }

  added(group: CommandGroup): void {
    this.#lanes.added(group);
  }

  get errors(): PoolErrors {
    return this.#context.errors;
  }

  ready(): Promise<void> {
    return this.#connections.ready();
  }

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

  async quit(): Promise<void> {
    await this.#lanes.quiet();
    await this.#close();
  }

  disconnect(): void {
    void this.#close(0);
  }

  attach(view: ClientView): () => void {
    this.#listen();
    const ref = new WeakRef(view);
    this.#views.add(ref);
    this.#collected.register(view, ref);
    return () => this.#views.delete(ref);
  }

  hold(view: ClientView, listened: boolean): void {
    if (listened) this.#listened.add(view);
    else this.#listened.delete(view);
  }

  /** Not before there is a view that has come to be: what its options hold may throw. */
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
