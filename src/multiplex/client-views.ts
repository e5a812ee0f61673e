import type { Events } from '../core/events.ts';
import type { Clock } from '../util/clock.ts';

/** How often a connection is asked for that nobody but listeners waits for. */
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

/** What views hear of. */
export interface Heard {
  readonly events: Events;
  readonly clock: Clock;
  readonly status: 'ready' | 'connecting' | 'end';
  ready(): Promise<void>;
}

/** Those who look at a pool as at one client, and are told of its connections. */
export class ClientViews {
  readonly #heard: Heard;
  /** A view that nobody holds any more goes, unless somebody listens on it. */
  readonly #views = new Set<WeakRef<ClientView>>();
  readonly #listened = new Set<ClientView>();
  readonly #collected = new FinalizationRegistry<WeakRef<ClientView>>((ref) => this.#views.delete(ref));
  #listening = false;
  #warming = false;
  #cancelWarm: () => void = () => {};

  constructor(heard: Heard) {
    this.#heard = heard;
  }

  /** Someone listens for a connection: has one dialled, again and again until it is open. */
  warm(): void {
    if (this.#warming || this.#heard.status === 'end') return;
    this.#warming = true;
    this.#heard.ready().then(
      () => {
        this.#warming = false;
        this.#tell((view) => view.connected());
      },
      () => {
        if (this.#heard.status === 'end') return;
        const again = (): void => {
          this.#warming = false;
          this.warm();
        };
        this.#cancelWarm = this.#heard.clock.after(WARM_AGAIN_MS, again, 'background');
      },
    );
  }

  /** Has `view` told of connections, as long as somebody holds it; returns what ends that. */
  attach(view: ClientView): () => void {
    this.#listen();
    const ref = new WeakRef(view);
    this.#views.add(ref);
    this.#collected.register(view, ref);
    return () => this.#views.delete(ref);
  }

  /** Holds `view` while somebody listens on it, or lets go of it. */
  hold(view: ClientView, listened: boolean): void {
    if (listened) this.#listened.add(view);
    else this.#listened.delete(view);
  }

  /** Not before there is a view that has come to be: what its options hold may throw. */
  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    const { events } = this.#heard;
    events.add('connect', () => this.#tell((view) => view.connected()));
    events.add('connectError', ({ error }) => this.#tell((view) => view.failed(error)));
    events.add('close', () => {
      if (this.#heard.status === 'connecting') this.#tell((view) => view.down());
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
